{{ config(materialized='ephemeral', contract={'enforced': false}) }}

-- As int_departed_songs; the artist of a sale and the artist of a track that left may be two

with sold as (

    {{ sold_keys('artist_id', 'dim_artists', 'artist_id') | indent(4) }}
    union
    select artist_id
    from {{ ref('int_departed_songs') }}

),

catalogue as (

    select distinct artist_id from {{ ref('int_catalogue') }}

),

songs as (

    select * from {{ ref('stg_songs') }}

),

departed as (

    select sold.artist_id
    from sold
    left join catalogue
        on sold.artist_id = catalogue.artist_id
    where catalogue.artist_id is null

),

-- All tracks of the artist in the last snapshot that had any: the choice of one name needs all of them
ranked as (

    select
        songs.*,
        rank() over (
            partition by songs.artist_id
            order by songs.ingest_on desc
        ) as row_rank
    from songs
    inner join departed
        on songs.artist_id = departed.artist_id

)

select
    artist_id,
    artist_mbid,
    artist_name,
    ingest_on as last_seen_on
from ranked
where row_rank = 1
