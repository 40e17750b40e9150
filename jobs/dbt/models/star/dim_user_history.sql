-- Small (one row for each change of a person), so every node holds all of it and a join with the fact moves no rows;
-- sorted by person, and within a person by time, as that join looks rows up
{{ config(dist='all', sort=['user_id', 'valid_from']) }}

-- Made of all reports every time, never from what it was before: months loaded in any order give the same versions.
-- The first version holds from before there was a shop and the last one has no end, both as dates and not as nulls, so
-- that every sale of a reported person lies in exactly one [valid_from, valid_to) and a join needs no third case.

{% set from_the_beginning = "cast('1900-01-01 00:00:00' as timestamp)" %}
{% set without_end = "cast('9999-12-31 00:00:00' as timestamp)" %}

with users as (

    select * from {{ ref('stg_users') }}

),

-- One report a person and interval, chosen as dim_users chooses
ranked as (

    select
        *,
        row_number() over (
            partition by user_id, ingest_on
            order by
                user_since desc,
                user_lastname nulls last,
                user_name nulls last,
                place_name nulls last,
                country_code nulls last
        ) as row_rank
    from users

),

-- ingest_on is the end of a whole month: the report holds from the month's start
reports as (

    select
        user_id,
        user_lastname,
        user_name,
        user_since,
        place_name,
        cast(coalesce(country_code, {{ unknown_key() }}) as varchar(64)) as country_code,
        cast({{ dbt.dateadd('month', -1, 'ingest_on') }} as timestamp) as reported_from
    from ranked
    where row_rank = 1

),

-- While nothing changes, both numbers grow by one and their difference stays; partitions take null as equal to null
islands as (

    select
        *,
        row_number() over (
            partition by user_id
            order by reported_from
        )
        - row_number() over (
            partition by user_id, user_lastname, user_name, user_since, place_name, country_code
            order by reported_from
        ) as island
    from reports

),

versions as (

    select
        user_id,
        user_lastname,
        user_name,
        user_since,
        place_name,
        country_code,
        min(reported_from) as reported_from
    from islands
    group by user_id, user_lastname, user_name, user_since, place_name, country_code, island

),

neighbours as (

    select
        *,
        lag(reported_from) over (
            partition by user_id
            order by reported_from
        ) as before_from,
        lead(reported_from) over (
            partition by user_id
            order by reported_from
        ) as next_from
    from versions

),

members as (

    select
        user_id,
        case when before_from is null then {{ from_the_beginning }} else reported_from end as valid_from,
        coalesce(next_from, {{ without_end }}) as valid_to,
        next_from is null as is_current,
        user_lastname,
        user_name,
        user_since,
        place_name,
        country_code
    from neighbours

),

unknown_member as (

    select
        cast({{ unknown_key() }} as varchar(64)) as user_id,
        {{ from_the_beginning }} as valid_from,
        {{ without_end }} as valid_to,
        true as is_current,
        cast({{ unknown_name() }} as varchar(1024)) as user_lastname,
        cast({{ unknown_name() }} as varchar(1024)) as user_name,
        cast(null as timestamp) as user_since,
        cast({{ unknown_name() }} as varchar(1024)) as place_name,
        cast({{ unknown_key() }} as varchar(64)) as country_code

)

select * from members
union all
select * from unknown_member
