{{ config(materialized='ephemeral', contract={'enforced': false}) }}

-- The one place where the fact meets its dimensions as they are now (sales_per_country_at_sale_vw: as they were). Left
-- joins on keys that are unique in the dimension, so that no sale is lost or doubled; what finds no member shows under
-- the unknown one.

with sales as (

    select * from {{ ref('fact_session') }}

),

users as (

    select * from {{ ref('dim_users') }}

),

songs as (

    select * from {{ ref('dim_songs') }}

),

artists as (

    select * from {{ ref('dim_artists') }}

)

select
    sales.session_id,
    sales.item_no,
    sales.ingest_on,
    sales.song_id as track_id,
    sales.price,
    coalesce(sales.liked, false) as is_liked,
    cast(sales.session_start_time as date) as session_day,
    cast(extract(year from sales.session_start_time) as integer) as session_year,
    cast(extract(month from sales.session_start_time) as integer) as session_month,
    coalesce(users.user_id, {{ unknown_key() }}) as user_id,
    coalesce(users.user_name, {{ unknown_name() }}) as user_name,
    coalesce(users.user_lastname, {{ unknown_name() }}) as user_lastname,
    coalesce(users.country_code, {{ unknown_key() }}) as country_code,
    coalesce(artists.artist_name, {{ unknown_name() }}) as artist_name,
    case when songs.track_id is null then {{ unknown_name() }} else songs.title end as song_name
from sales
left join users
    on sales.user_id = users.user_id
-- Not songs.song_id: what the shop calls song_id in a session is a TRACK id (TR...)
left join songs
    on sales.song_id = songs.track_id
left join artists
    on sales.artist_id = artists.artist_id
