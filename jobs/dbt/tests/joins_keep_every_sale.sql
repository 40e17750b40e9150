{#
  No fan-out and no loss where the fact meets its dimensions: every item of the requested intervals comes out as often as it
  went in.
#}
with sold as (

    select
        session_id,
        item_no,
        count(*) as times
    from {{ ref('fact_session') }}
    where {{ in_requested_intervals('ingest_on') }}
    group by session_id, item_no

),

joined as (

    select
        session_id,
        item_no,
        count(*) as times
    from {{ ref('int_sales') }}
    where {{ in_requested_intervals('ingest_on') }}
    group by session_id, item_no

)

select
    coalesce(sold.session_id, joined.session_id) as session_id,
    coalesce(sold.item_no, joined.item_no) as item_no,
    sold.times as times_sold,
    joined.times as times_joined
from sold
full outer join joined
    on sold.session_id = joined.session_id
    and sold.item_no = joined.item_no
where coalesce(sold.times, 0) <> coalesce(joined.times, 0)
