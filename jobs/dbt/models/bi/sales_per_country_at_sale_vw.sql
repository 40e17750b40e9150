-- Not from int_sales: there a buyer is as last reported, and a join by time in it would be paid by every view

with sales as (

    select * from {{ ref('fact_session') }}

),

buyers as (

    select * from {{ ref('dim_user_history') }}

),

-- A person's versions neither overlap nor leave a gap, so that no sale is lost or doubled
located as (

    select
        cast(extract(month from sales.session_start_time) as integer) as session_month,
        cast(extract(year from sales.session_start_time) as integer) as session_year,
        coalesce(buyers.country_code, {{ unknown_key() }}) as country_code,
        sales.price
    from sales
    left join buyers
        on sales.user_id = buyers.user_id
        and sales.session_start_time >= buyers.valid_from
        and sales.session_start_time < buyers.valid_to

)

select
    session_month,
    session_year,
    country_code,
    cast(sum(price) as decimal(38, 2)) as total_sales
from located
group by session_month, session_year, country_code
