{{ config(dist='all', sort='user_id') }}

with users as (

    select * from {{ ref('stg_users') }}

),

-- A person appears again when a month is restated or reported twice: the latest interval wins, and the order names
-- every column, so that the winner never depends on the order in which rows are read
ranked as (

    select
        *,
        row_number() over (
            partition by user_id
            order by
                ingest_on desc,
                user_since desc,
                user_lastname nulls last,
                user_name nulls last,
                place_name nulls last,
                country_code nulls last
        ) as row_rank
    from users

),

members as (

    select
        user_id,
        user_lastname,
        user_name,
        user_since,
        place_name,
        cast(coalesce(country_code, {{ unknown_key() }}) as varchar(64)) as country_code
    from ranked
    where row_rank = 1

),

unknown_member as (

    select
        cast({{ unknown_key() }} as varchar(64)) as user_id,
        cast({{ unknown_name() }} as varchar(1024)) as user_lastname,
        cast({{ unknown_name() }} as varchar(1024)) as user_name,
        cast(null as timestamp) as user_since,
        cast({{ unknown_name() }} as varchar(1024)) as place_name,
        cast({{ unknown_key() }} as varchar(64)) as country_code

)

select * from members
union all
select * from unknown_member
