{{ config(dist='all', sort='track_id') }}

with catalogue as (

    select * from {{ ref('int_catalogue') }}

),

tracks as (

    select
        song_id,
        track_id,
        title,
        release,
        year,
        artist_id
    from catalogue

),

unknown_member as (

    select
        cast({{ unknown_key() }} as varchar(64)) as song_id,
        cast({{ unknown_key() }} as varchar(64)) as track_id,
        cast({{ unknown_name() }} as varchar(1024)) as title,
        cast({{ unknown_name() }} as varchar(1024)) as release,
        cast(0 as integer) as year,
        cast({{ unknown_key() }} as varchar(64)) as artist_id

)

select * from tracks
union all
select * from unknown_member
