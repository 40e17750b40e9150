{#
  What readers see while a build is at work: the public state, as it was before. Redshift holds it in schema
  deftunes_serving beside deftunes_building; embedded it is the serving file, attached as `served` beside its copy
  (deftunes_serving.plugin).
#}

{# A relation of the public state; none when there is none yet, and in a compile that may not ask (--no-introspect). #}
{% macro public_relation(name) -%}
    {%- if not execute or not flags.INTROSPECT -%}
        {{ return(none) }}
    {%- endif -%}
    {{ return(adapter.get_relation(
        database='served' if target.type == 'duckdb' else target.database, schema='deftunes_serving', identifier=name
    )) }}
{%- endmacro %}


{#
  How a model is built that public rows outlive. Embedded: incremental, in the copy of all that is served. Redshift: a
  table of this build's rows alone, so that models and tests cost the requested months; `deftunes_serving.redshift_publish` then moves
  them as `incremental_strategy` says.
#}
{% macro persistent_materialization() -%}
    {{ return('table' if target.type == 'redshift' else 'incremental') }}
{%- endmacro %}


{#
  Keys of sales that a departed member is looked for by: `column` of the fact, `key` of the dimension. The fact holds every
  sale where it is kept (embedded). Redshift builds the requested months beside the public ones, whose sales are read only
  where a key has left the catalogue: it was a member when readers last looked, or an requested snapshot brings it.
#}
{% macro sold_keys(column, dimension, key) -%}
    {%- set public = public_relation('fact_session') if target.type == 'redshift' and not flags.FULL_REFRESH else none -%}
    {#- a dimension that somebody dropped knows no members: then every sale is looked at #}
    {%- set members = public_relation(dimension) if public else none -%}
    select distinct {{ column }}
    from {{ ref('fact_session') }}
    where {{ column }} is not null
    {%- if public %}
    union
    select distinct facts.{{ column }}
    from {{ public }} as facts
    {%- if members %}
    inner join (
        select known.{{ key }}
        from (
            select {{ key }}
            from {{ members }}
            union
            select {{ key }}
            from {{ ref('stg_songs') }}
            where {{ in_requested_partitions('ingest_on') }}
        ) as known
        left join {{ ref('int_catalogue') }} as catalogue
            on known.{{ key }} = catalogue.{{ key }}
        where
            catalogue.{{ key }} is null
            and known.{{ key }} <> {{ unknown_key() }}
    ) as gone
        on facts.{{ column }} = gone.{{ key }}
    {%- endif %}
    where
        facts.{{ column }} is not null
        and not ({{ in_requested_partitions('facts.ingest_on') }})
    {%- endif %}
{%- endmacro %}
