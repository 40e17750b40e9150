{{ config(materialized='table') }}

select
    refund_id,
    payment_id,
    amount,
    currency,
    reason,
    refunded_at,
    ingest_on
from {{ ref('stg_refunds') }}
