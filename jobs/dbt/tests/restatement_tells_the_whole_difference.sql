{#
  What this build says it changed is what it changed: month by month, to the cent.
#}
{% set before = public_relation('fact_session') %}

with told as (

    select
        ingest_on,
        sum(items_now - items_before) as items,
        sum(sales_change) as amount
    from {{ ref('restatement') }}
    where
        restated_at = cast('{{ run_started_at.strftime("%Y-%m-%d %H:%M:%S.%f") }}' as timestamp)
        and {{ in_requested_intervals('ingest_on') }}
    group by ingest_on

),

before as (

    select
        ingest_on,
        count(*) as items,
        sum(price) as amount
    from {{ before or ref('fact_session') }}
    where {{ in_requested_intervals('ingest_on') if before else '1 = 0' }}
    group by ingest_on

),

now as (

    select
        ingest_on,
        count(*) as items,
        sum(price) as amount
    from {{ ref('fact_session') }}
    where {{ in_requested_intervals('ingest_on') }}
    group by ingest_on

)

select
    before.ingest_on,
    coalesce(now.items, 0) - before.items as items_changed,
    coalesce(told.items, 0) as items_told,
    coalesce(now.amount, 0) - before.amount as amount_changed,
    coalesce(told.amount, 0) as amount_told
from before
left join now
    on before.ingest_on = now.ingest_on
left join told
    on before.ingest_on = told.ingest_on
where
    coalesce(now.items, 0) - before.items <> coalesce(told.items, 0)
    or coalesce(now.amount, 0) - before.amount <> coalesce(told.amount, 0)
