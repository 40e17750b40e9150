{{ config(materialized='view') }}

with paid as (

    select
        ingest_on,
        count(*) as payments,
        sum(amount) as paid
    from {{ ref('fact_payment') }}
    group by ingest_on

),

refunded as (

    select
        ingest_on,
        count(*) as refunds,
        sum(amount) as refunded
    from {{ ref('fact_refund') }}
    group by ingest_on

)

select
    paid.ingest_on as month_end,
    paid.payments,
    coalesce(refunded.refunds, 0) as refunds,
    cast(paid.paid as decimal(38, 2)) as paid,
    cast(coalesce(refunded.refunded, 0) as decimal(38, 2)) as refunded,
    cast(paid.paid - coalesce(refunded.refunded, 0) as decimal(38, 2)) as income
from paid
left join refunded
    on paid.ingest_on = refunded.ingest_on
