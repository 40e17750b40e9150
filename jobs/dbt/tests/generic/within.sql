{# Values lie between two bounds, both inside; null passes. #}
{% test within(model, column_name, low=none, high=none) %}

select {{ column_name }}
from {{ model }}
where
    {% if low is not none %}{{ column_name }} < {{ low }}{% else %}1 = 0{% endif %}
    or {% if high is not none %}{{ column_name }} > {{ high }}{% else %}1 = 0{% endif %}

{% endtest %}
