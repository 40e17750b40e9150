{{ config(dist='all', sort='artist_id') }}

-- One artist_id carries several spellings and several mbids ("X", "X featuring Y"): without a choice that is the same
-- on every run, a join on artist_id multiplies sales. Both engines compare text byte by byte.

with catalogue as (

    select
        artist_id,
        artist_mbid,
        artist_name,
        last_seen_on
    from {{ ref('int_catalogue') }}
    union all
    select
        artist_id,
        artist_mbid,
        artist_name,
        last_seen_on
    from {{ ref('int_departed_artists') }}

),

artists as (

    select
        artist_id,
        max(last_seen_on) as last_seen_on
    from catalogue
    where artist_id is not null
    group by artist_id

),

spellings as (

    select
        artist_id,
        artist_name,
        count(*) as tracks,
        row_number() over (
            partition by artist_id
            order by count(*) desc, length(artist_name), artist_name
        ) as row_rank
    from catalogue
    where trim(artist_name) <> ''
    group by artist_id, artist_name

),

chosen as (

    select
        artist_id,
        artist_name,
        sum(tracks) over (partition by artist_name) as tracks
    from spellings
    where row_rank = 1

),

-- The views add up by name: of names that differ in case only, whoever bears them, the one with most tracks stands
-- for all
names as (

    select
        artist_id,
        first_value(artist_name) over (
            partition by lower(artist_name)
            order by tracks desc, artist_name
            rows between unbounded preceding and unbounded following
        ) as artist_name
    from chosen

),

mbids as (

    select
        artist_id,
        artist_mbid,
        row_number() over (
            partition by artist_id
            order by count(*) desc, artist_mbid
        ) as row_rank
    from catalogue
    where artist_mbid is not null
    group by artist_id, artist_mbid

),

members as (

    select
        artists.artist_id,
        mbids.artist_mbid,
        cast(coalesce(names.artist_name, {{ unknown_name() }}) as varchar(1024)) as artist_name,
        artists.last_seen_on
    from artists
    left join names
        on artists.artist_id = names.artist_id
    left join mbids
        on artists.artist_id = mbids.artist_id
        and mbids.row_rank = 1

),

unknown_member as (

    select
        cast({{ unknown_key() }} as varchar(64)) as artist_id,
        cast(null as varchar(64)) as artist_mbid,
        cast({{ unknown_name() }} as varchar(1024)) as artist_name,
        cast(null as date) as last_seen_on

)

select * from members
union all
select * from unknown_member
