with published as (

    select * from {{ source('deftunes_transform', 'sessions') }}

)

select
    cast(session_id as varchar(64)) as session_id,
    cast(item_no as integer) as item_no,
    cast(user_id as varchar(64)) as user_id,
    cast(song_id as varchar(64)) as song_id,
    cast(artist_id as varchar(64)) as artist_id,
    cast(price as decimal(10, 2)) as price,
    cast(liked as boolean) as liked,
    cast(liked_since as timestamp) as liked_since,
    cast(session_start_time as timestamp) as session_start_time,
    cast(ingest_on as date) as ingest_on
from published
