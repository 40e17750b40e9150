{#
  Which intervals a run builds. `start` and `end` are whole months, half open; a published partition is named by the
  END of its month, so the months of [start, end) are the partitions ingest_on in (start, end].
#}

{# Whether this run replaces the asked intervals only. The flag is looked at first: asking for the table's existence
   needs a connection, and an offline compile with --full-refresh has none. #}
{% macro replaces_intervals() -%}
    {{ return(not flags.FULL_REFRESH and is_incremental()) }}
{%- endmacro %}


{% macro in_asked_intervals(column) -%}
    {%- set start, end = var('start', none), var('end', none) -%}
    {%- if not (start and end) -%}
        {%- if execute -%}
            {{ exceptions.raise_compiler_error(
                "expected the vars start and end, e.g. --vars '{start: 2020-01-01, end: 2020-02-01}', found start="
                ~ start ~ " end=" ~ end ~ "; or load every interval with --full-refresh"
            ) }}
        {%- endif -%}
        {%- set start, end = '0001-01-01', '0001-01-01' -%}
    {%- endif -%}
    {{ column }} > date '{{ start }}' and {{ column }} <= date '{{ end }}'
{%- endmacro %}


{#
  Incremental strategy `replace_intervals`: delete the asked ingest_on RANGE, then insert what is published for it.
  dbt's own delete+insert deletes the keys that arrive, so rows of a month that is empty now, or of a session that
  was withdrawn, would stay. One transaction on both adapters.
#}
{% macro get_incremental_replace_intervals_sql(arg_dict) -%}
    {%- set columns = get_quoted_csv(arg_dict['dest_columns'] | map(attribute='name')) -%}
    delete from {{ arg_dict['target_relation'] }}
    where {{ in_asked_intervals('ingest_on') }};

    insert into {{ arg_dict['target_relation'] }} ({{ columns }})
    (
        select {{ columns }}
        from {{ arg_dict['temp_relation'] }}
    )
{%- endmacro %}
