{# A dimension holds its unknown member, once. #}
{% test has_unknown_member(model, column_name) %}

select count(*) as rows_found
from {{ model }}
where {{ column_name }} = {{ unknown_key() }}
having count(*) <> 1

{% endtest %}
