{# Published tables: what is generated for each entity of the contracts reads them. #}

{#
  Names of the columns that a published table has now, none for a table that does not exist yet. Embedded every table of
  the contracts has all of its columns (deftunes_serving.lake_views), Redshift shows what the catalog holds.
#}
{% macro published_columns(published, columns) -%}
    {%- if not execute or not flags.INTROSPECT or target.type == 'duckdb' -%}
        {{ return(columns | map(attribute='name') | list) }}
    {%- endif -%}
    {{ return(adapter.get_columns_in_relation(published) | map(attribute='name') | map('lower') | list) }}
{%- endmacro %}


{#
  The published rows of an entity. columns: name and SQL type of each column of its contract; one that the table does not
  have yet is null, a table that does not exist yet has no rows.
#}
{% macro select_published(entity, columns) -%}
    {%- set published = source('deftunes_transform', entity) -%}
    {%- set present = published_columns(published, columns) -%}
select
    {%- for column in columns %}
    {% if column.name in present %}{{ adapter.quote(column.name) }}
    {%- else %}cast(null as {{ column.type }}) as {{ adapter.quote(column.name) }}{% endif %}
    {{- "," if not loop.last }}
    {%- endfor %}
{% if present -%}
from {{ published }}
{%- else -%}
where 1 = 0
{%- endif %}
{%- endmacro %}


{#
  Every interval of this run: as many rows and as much money in the fact as published; one failing row for each interval
  that differs. After a full load this holds for all intervals there are. Together with sums_to_fact it carries the money
  from the lake to each BI view.

  amount  the column of both with the money, none for a fact without
#}
{% macro equals_published(entity, fact, amount=none) -%}
    {%- set published = source('deftunes_transform', entity) -%}
    {%- set total = "sum(" ~ adapter.quote(amount) ~ ")" if amount else "cast(null as decimal(38, 2))" -%}
with published as (

    {% if published_columns(published, [{'name': 'ingest_on'}]) -%}
    select
        ingest_on,
        count(*) as items,
        {{ total }} as amount
    from {{ published }}
    where {{ in_requested_intervals('ingest_on') }}
    group by ingest_on
    {%- else -%}
    select
        cast(null as date) as ingest_on,
        0 as items,
        cast(null as decimal(38, 2)) as amount
    where 1 = 0
    {%- endif %}

),

served as (

    select
        ingest_on,
        count(*) as items,
        {{ total }} as amount
    from {{ ref(fact) }}
    where {{ in_requested_intervals('ingest_on') }}
    group by ingest_on

)

select
    coalesce(published.ingest_on, served.ingest_on) as ingest_on,
    published.items as items_published,
    served.items as items_served,
    published.amount as amount_published,
    served.amount as amount_served
from published
full outer join served
    on published.ingest_on = served.ingest_on
where
    coalesce(published.items, 0) <> coalesce(served.items, 0)
    or coalesce(published.amount, 0) <> coalesce(served.amount, 0)
{%- endmacro %}
