{#
  The model's grain: no two rows agree in all of these columns (null equals null). With year and month, columns that
  tell when the sales of a row were made, only the requested months are looked at.
#}
{% test unique_combination_of_columns(model, combination_of_columns, year=none, month=none) %}

select
    {{ combination_of_columns | join(', ') }},
    count(*) as rows_found
from {{ model }}
where {{ in_requested_months(year, month) if year else '1 = 1' }}
group by {{ combination_of_columns | join(', ') }}
having count(*) > 1

{% endtest %}
