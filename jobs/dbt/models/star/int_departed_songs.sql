{{ config(materialized='ephemeral', contract={'enforced': false}) }}

-- Sold keys first: only the few tracks that left are looked for in older snapshots

with sold as (

    {{ sold_keys('song_id', 'dim_songs', 'track_id') | indent(4) }}

),

catalogue as (

    select * from {{ ref('int_catalogue') }}

),

songs as (

    select * from {{ ref('stg_songs') }}

),

departed as (

    select sold.song_id as track_id
    from sold
    left join catalogue
        on sold.song_id = catalogue.track_id
    where catalogue.track_id is null

),

-- The last snapshot that had the track wins; the rest of the order as in int_catalogue
ranked as (

    select
        songs.*,
        row_number() over (
            partition by songs.track_id
            order by
                songs.ingest_on desc,
                songs.song_id nulls last,
                songs.title nulls last,
                songs.release nulls last,
                songs.artist_id nulls last,
                songs.artist_name nulls last,
                songs.artist_mbid nulls last,
                songs.year nulls last
        ) as row_rank
    from songs
    inner join departed
        on songs.track_id = departed.track_id

)

select
    track_id,
    song_id,
    title,
    release,
    year,
    artist_id,
    ingest_on as last_seen_on
from ranked
where row_rank = 1
