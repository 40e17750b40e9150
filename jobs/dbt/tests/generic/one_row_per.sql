{# The model's grain: no two rows agree in all of these columns (null equals null). #}
{% test one_row_per(model, columns) %}

select
    {{ columns | join(', ') }},
    count(*) as rows_found
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1

{% endtest %}
