{{ config(dist='all', sort='track_id') }}

with catalogue as (

    select * from {{ ref('int_catalogue') }}

),

departed as (

    select * from {{ ref('int_departed_songs') }}

),

tracks as (

    select
        song_id,
        track_id,
        title,
        release,
        year,
        artist_id,
        last_seen_on
    from catalogue
    union all
    select
        song_id,
        track_id,
        title,
        release,
        year,
        artist_id,
        last_seen_on
    from departed

),

unknown_member as (

    select
        cast({{ unknown_key() }} as varchar(64)) as song_id,
        cast({{ unknown_key() }} as varchar(64)) as track_id,
        cast({{ unknown_name() }} as varchar(1024)) as title,
        cast({{ unknown_name() }} as varchar(1024)) as release,
        cast(0 as integer) as year,
        cast({{ unknown_key() }} as varchar(64)) as artist_id,
        cast(null as date) as last_seen_on

)

select * from tracks
union all
select * from unknown_member
