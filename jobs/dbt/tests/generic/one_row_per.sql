{#
  The model's grain: no two rows agree in all of these columns (null equals null). With year and month, columns that
  tell when the sales of a row were made, only the asked months are looked at.
#}
{% test one_row_per(model, columns, year=none, month=none) %}

select
    {{ columns | join(', ') }},
    count(*) as rows_found
from {{ model }}
where {{ in_asked_months(year, month) if year else '1 = 1' }}
group by {{ columns | join(', ') }}
having count(*) > 1

{% endtest %}
