{#
  Sales of the requested intervals whose key is in the dimension: the failing rows are those that show under the unknown
  member, null keys among them.
#}
{% test relationships_where(model, column_name, to, field) %}

select sold.{{ column_name }}
from {{ model }} as sold
where
    {{ in_requested_intervals('sold.ingest_on') }}
    and not exists (
        select 1
        from {{ to }} as dimension
        where dimension.{{ field }} = sold.{{ column_name }}
    )

{% endtest %}
