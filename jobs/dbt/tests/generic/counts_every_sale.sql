{#
  What a view adds up is what was sold. `amount` and `items` are expressions over the view's columns; each total must
  equal the one of fact_session. A sale that is lost in a join or doubled by one shows here. `slack_per_item` is the
  most that rounding in the view may cost.
#}
{% test counts_every_sale(model, amount=none, items=none, slack_per_item=0) %}

with shown as (

    select
        {{ "coalesce(sum(" ~ amount ~ "), 0)" if amount else "null" }} as amount,
        {{ "coalesce(sum(" ~ items ~ "), 0)" if items else "null" }} as items
    from {{ model }}

),

sold as (

    select
        coalesce(sum(price), 0) as amount,
        count(*) as items
    from {{ ref('fact_session') }}

)

select
    shown.amount as amount_shown,
    sold.amount as amount_sold,
    shown.items as items_shown,
    sold.items as items_sold
from shown
cross join sold
where abs(shown.amount - sold.amount) > {{ slack_per_item }} * sold.items or shown.items <> sold.items

{% endtest %}
