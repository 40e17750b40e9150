{#
  Every interval of this run: as many items and as much money in the fact as published. After a full load this holds
  for all intervals there are. Together with sums_to_fact it carries the money from the lake to each BI view.
#}
with published as (

    select
        ingest_on,
        count(*) as items,
        sum(price) as amount
    from {{ source('deftunes_transform', 'sessions') }}
    where {{ in_requested_intervals('ingest_on') }}
    group by ingest_on

),

served as (

    select
        ingest_on,
        count(*) as items,
        sum(price) as amount
    from {{ ref('fact_session') }}
    where {{ in_requested_intervals('ingest_on') }}
    group by ingest_on

)

select
    coalesce(published.ingest_on, served.ingest_on) as ingest_on,
    published.items as items_published,
    served.items as items_served,
    published.amount as amount_published,
    served.amount as amount_served
from published
full outer join served
    on published.ingest_on = served.ingest_on
where
    coalesce(published.items, 0) <> coalesce(served.items, 0)
    or coalesce(published.amount, 0) <> coalesce(served.amount, 0)
