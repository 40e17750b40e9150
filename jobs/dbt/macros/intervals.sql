{#
  Which intervals a run builds. `start` and `end` are whole months, half open; a published partition is named by the
  END of its month, so the months of [start, end) are the partitions ingest_on in (start, end]. A full load
  (--full-refresh) asks for everything.
#}

{# Whether this run replaces the requested intervals only. The flag is looked at first: asking for the table's existence
   needs a connection, and an offline compile with --full-refresh has none. #}
{% macro replaces_intervals() -%}
    {{ return(not flags.FULL_REFRESH and adapter.dispatch('has_intervals', 'deftunes')()) }}
{%- endmacro %}

{% macro default__has_intervals() -%}
    {{ return(is_incremental()) }}
{%- endmacro %}

{# Built beside what is public (macros/public.sql), so the model's own relation never exists: the public one counts. #}
{% macro redshift__has_intervals() -%}
    {{ return(public_relation(this.identifier) is not none) }}
{%- endmacro %}


{# The two vars as texts; parsing needs none. #}
{% macro requested_interval() -%}
    {%- set start, end = var('start', none), var('end', none) -%}
    {%- if execute and not (start and end) -%}
        {{ exceptions.raise_compiler_error(
            "expected the vars start and end, e.g. --vars '{start: 2020-01-01, end: 2020-02-01}', found start="
            ~ start ~ " end=" ~ end ~ "; or load every interval with --full-refresh"
        ) }}
    {%- endif -%}
    {{ return((start or '2000-01-01', end or '2000-02-01')) }}
{%- endmacro %}


{# Rows of the partitions between the two vars. #}
{% macro in_requested_partitions(ingest_on) -%}
    {%- set start, end = requested_interval() -%}
    {{ ingest_on }} > date '{{ start }}' and {{ ingest_on }} <= date '{{ end }}'
{%- endmacro %}


{# What a test of this run has to look at: the partitions between the two vars, or all of them. #}
{% macro in_requested_intervals(ingest_on) -%}
    {{ "1 = 1" if flags.FULL_REFRESH else in_requested_partitions(ingest_on) }}
{%- endmacro %}


{#
  The same by year and month of the sale, or by its year alone. A sale's time lies in the month of its partition, so
  these are the sales of in_requested_intervals (by year alone: of the years they lie in). Conditions on one column each
  where possible: only those reach the fact below a view's joins and sums.
#}
{% macro in_requested_months(year, month=none) -%}
    {%- if flags.FULL_REFRESH -%}
        1 = 1
    {%- else -%}
        {%- set start, end = requested_interval() -%}
        {%- set read = modules.datetime.datetime.strptime -%}
        {%- set first = read(start, '%Y-%m-%d') -%}
        {%- set last = read(end, '%Y-%m-%d') - modules.datetime.timedelta(days=1) -%}
        {{ year }} between {{ first.year }} and {{ last.year }}
        {%- if month and first.year == last.year %}
            and {{ month }} between {{ first.month }} and {{ last.month }}
        {%- elif month %}
            and 100 * {{ year }} + {{ month }} between {{ first.strftime('%Y%m') }} and {{ last.strftime('%Y%m') }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}


{#
  Incremental strategy `replace_intervals`: delete the requested ingest_on RANGE, then insert what is published for it.
  dbt's own delete+insert deletes the keys that arrive, so rows of a month that is empty now, or of a session that
  was withdrawn, would stay. One transaction on both adapters.
#}
{% macro get_incremental_replace_intervals_sql(arg_dict) -%}
    {%- set columns = get_quoted_csv(arg_dict['dest_columns'] | map(attribute='name')) -%}
    delete from {{ arg_dict['target_relation'] }}
    where {{ in_requested_partitions('ingest_on') }};

    insert into {{ arg_dict['target_relation'] }} ({{ columns }})
    (
        select {{ columns }}
        from {{ arg_dict['temp_relation'] }}
    )
{%- endmacro %}
