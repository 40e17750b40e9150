{{ config(materialized='table') }}

select
    payment_id,
    session_id,
    user_id,
    method,
    amount,
    currency,
    paid_at,
    ingest_on
from {{ ref('stg_payments') }}
