{#
  A person's versions cover all of time, each moment once: the first begins in 1900, each begins where the one before it
  ends, only the last is current and has no end.
#}
with versions as (

    select
        user_id,
        valid_from,
        valid_to,
        is_current,
        lag(valid_to) over (
            partition by user_id
            order by valid_from
        ) as before_to,
        lead(valid_from) over (
            partition by user_id
            order by valid_from
        ) as next_from
    from {{ ref('dim_user_history') }}

)

select *
from versions
where
    valid_from >= valid_to
    or valid_from <> coalesce(before_to, cast('1900-01-01 00:00:00' as timestamp))
    or valid_to <> coalesce(next_from, cast('9999-12-31 00:00:00' as timestamp))
    or is_current <> (next_from is null)
