{#
  What readers see while a build is at work: the public state, as it was before. Redshift holds it in schema
  deftunes_serving beside deftunes_building; embedded it is the serving file, attached as `served` beside its copy
  (deftunes_serving.plugin).
#}

{# A relation of the public state; none when there is none yet, and in a compile that may not ask (--no-introspect). #}
{% macro served(name) -%}
    {%- if not execute or not flags.INTROSPECT -%}
        {{ return(none) }}
    {%- endif -%}
    {{ return(adapter.get_relation(
        database='served' if target.type == 'duckdb' else target.database, schema='deftunes_serving', identifier=name
    )) }}
{%- endmacro %}


{#
  How a model is built that public rows outlive. Embedded: incremental, in the copy of all that is served. Redshift: a
  table of this build's rows alone, so that models and tests cost the asked months; `deftunes_serving.exchange` then moves
  them as `incremental_strategy` says.
#}
{% macro outlived() -%}
    {{ return('table' if target.type == 'redshift' else 'incremental') }}
{%- endmacro %}


{#
  Every key of a sale that readers will see after this build: the months that are built now and those that stay. The fact
  holds both where it is kept (embedded); Redshift builds the asked months beside the public ones.
#}
{% macro sold_keys(column) -%}
    {%- set public = served('fact_session') if target.type == 'redshift' and not flags.FULL_REFRESH else none -%}
    select distinct {{ column }}
    from {{ ref('fact_session') }}
    where {{ column }} is not null
    {%- if public %}
    union
    select distinct {{ column }}
    from {{ public }}
    where
        {{ column }} is not null
        and not ({{ in_asked_partitions('ingest_on') }})
    {%- endif %}
{%- endmacro %}
