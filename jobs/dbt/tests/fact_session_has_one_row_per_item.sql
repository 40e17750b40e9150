{#
  The fact's grain: an item of an requested interval is in the fact once, in whichever interval its copy may lie.
#}
with asked as (

    select distinct session_id
    from {{ ref('fact_session') }}
    where {{ in_requested_intervals('ingest_on') }}

)

select
    fact.session_id,
    fact.item_no,
    count(*) as rows_found
from {{ ref('fact_session') }} as fact
inner join asked
    on fact.session_id = asked.session_id
group by fact.session_id, fact.item_no
having count(*) > 1
