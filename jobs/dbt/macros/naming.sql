{# Where relations live and how models name each other. #}

{# Schemas are exact (deftunes_serving, deftunes_staging): dbt's own macro would prefix them with the target's schema. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name | trim if custom_schema_name else target.schema }}
{%- endmacro %}


{#
  Inside the serving database a relation is named without the database. A DuckDB view keeps the names it was made
  with, and a serving file is opened under other names than the one it was built under (the copy is renamed; a
  dashboard may ATTACH it under an alias): `"serving"."deftunes_serving"."fact_session"` would then not be found.
#}
{% macro ref() -%}
    {%- set relation = builtins.ref(*varargs, **kwargs) -%}
    {%- if relation.database == target.database -%}
        {%- set relation = relation.include(database=false) -%}
    {%- endif -%}
    {{ return(relation) }}
{%- endmacro %}
