-- A table: two dimensions read it, and each reading of the lake opens every snapshot's file to find the latest
{{ config(materialized='table') }}

with songs as (

    select * from {{ ref('stg_songs') }}

),

-- Songs is a full snapshot every month: whoever reads all of it gets every track once a month and doubles its sales
latest_snapshot as (

    select *
    from songs
    where ingest_on = (select max(ingest_on) from songs)

),

-- One row a track is the contract; the order names every column, so that a broken one still gives one result
ranked as (

    select
        *,
        row_number() over (
            partition by track_id
            order by
                song_id nulls last,
                title nulls last,
                release nulls last,
                artist_id nulls last,
                artist_name nulls last,
                artist_mbid nulls last,
                year nulls last
        ) as row_rank
    from latest_snapshot

)

select
    track_id,
    song_id,
    title,
    release,
    year,
    artist_id,
    artist_mbid,
    artist_name,
    ingest_on as last_seen_on
from ranked
where row_rank = 1
