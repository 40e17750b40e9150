{#
  What a view adds up is what was sold, and its rows are whole: one pass over the view, one failing row that says what
  is wrong.

  amount, items     expressions over the view's columns whose totals must equal those of fact_session
  slack_per_item    the most that rounding in the view may cost
  required          columns that are never null
  valid             a condition that holds for every row
  key               the view's key, where it is one column
  year, month       columns that tell when the sales of a row were made: with them only the requested months are looked
                    at, so that a month costs the same however much history there is
#}
{% test sums_to_fact(model, amount, items=none, slack_per_item=0, required=[], valid=none, key=none, year=none, month=none) %}

{% set sold_in = 'cast(extract(year from session_start_time) as integer)' %}
{% set sold_month = 'cast(extract(month from session_start_time) as integer)' if month else none %}

with shown as (

    select
        coalesce(sum({{ amount }}), 0) as amount,
        {{ "coalesce(sum(" ~ items ~ "), 0)" if items else "cast(null as bigint)" }} as items,
        count(*) as rows_shown,
        {{ "count(distinct " ~ key ~ ")" if key else "cast(null as bigint)" }} as keys_shown,
        count(case when {{ (required or ['1']) | join(' is null or ') }} is null then 1 end) as incomplete_rows,
        count(case when not ({{ valid or '1 = 1' }}) then 1 end) as invalid_rows
    from {{ model }}
    where {{ in_requested_months(year, month) if year else '1 = 1' }}

),

sold as (

    select
        coalesce(sum(price), 0) as amount,
        count(*) as items
    from {{ ref('fact_session') }}
    where {{ in_requested_months(sold_in, sold_month) if year else '1 = 1' }}

)

select
    shown.amount as amount_shown,
    sold.amount as amount_sold,
    shown.items as items_shown,
    sold.items as items_sold,
    shown.rows_shown,
    shown.keys_shown,
    shown.incomplete_rows,
    shown.invalid_rows
from shown
cross join sold
where
    abs(shown.amount - sold.amount) > {{ slack_per_item }} * sold.items
    or shown.items <> sold.items
    or shown.keys_shown <> shown.rows_shown
    or shown.incomplete_rows > 0
    or shown.invalid_rows > 0

{% endtest %}
