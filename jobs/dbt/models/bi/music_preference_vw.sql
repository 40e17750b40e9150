with sales as (

    select * from {{ ref('int_sales') }}

),

preference as (

    select
        artist_name,
        song_name,
        country_code,
        session_month as purchase_month,
        session_year as purchase_year,
        count(*) as total_purchases,
        count(case when is_liked then 1 end) as liked_count,
        sum(price) as total_price
    from sales
    group by artist_name, song_name, country_code, session_month, session_year

)

select
    artist_name,
    song_name,
    cast(total_purchases as bigint) as total_purchases,
    cast(liked_count as bigint) as liked_count,
    {{ rounded_ratio('100 * liked_count', 'total_purchases', 2) }} as like_percentage,
    {{ rounded_ratio('total_price', 'total_purchases', 4) }} as avg_price,
    country_code,
    purchase_month,
    purchase_year
from preference
