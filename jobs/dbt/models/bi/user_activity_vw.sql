with sales as (

    select * from {{ ref('int_sales') }}

),

activity as (

    select
        user_id,
        user_name,
        user_lastname,
        country_code,
        count(distinct session_id) as total_sessions,
        count(distinct session_day) as active_days,
        count(*) as purchases,
        sum(price) as total_spent,
        max(session_day) as last_activity_date,
        count(distinct case when is_liked then track_id end) as liked_songs_count
    from sales
    group by user_id, user_name, user_lastname, country_code

)

select
    user_id,
    user_name,
    user_lastname,
    country_code,
    cast(total_sessions as bigint) as total_sessions,
    cast(active_days as bigint) as active_days,
    cast(total_spent as decimal(38, 2)) as total_spent,
    {{ rounded_ratio('total_spent', 'purchases', 4) }} as avg_purchase_value,
    last_activity_date,
    cast(liked_songs_count as bigint) as liked_songs_count
from activity
