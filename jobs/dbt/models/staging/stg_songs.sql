with published as (

    select * from {{ source('deftunes_transform', 'songs') }}

)

select
    cast(track_id as varchar(64)) as track_id,
    cast(song_id as varchar(64)) as song_id,
    cast(trim(title) as varchar(1024)) as title,
    cast(release as varchar(1024)) as release,
    cast(artist_id as varchar(64)) as artist_id,
    cast(artist_mbid as varchar(64)) as artist_mbid,
    cast(trim(artist_name) as varchar(1024)) as artist_name,
    cast(year as integer) as year,
    cast(ingest_on as date) as ingest_on
from published
