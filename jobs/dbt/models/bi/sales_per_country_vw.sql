with sales as (

    select * from {{ ref('int_sales') }}

)

select
    session_month,
    session_year,
    country_code,
    cast(sum(price) as decimal(38, 2)) as total_sales
from sales
group by session_month, session_year, country_code
