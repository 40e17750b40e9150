{# The few places where DuckDB and Redshift differ; models hold none of them. #}

{# Integer division that truncates; operands are integers and not negative. #}
{% macro int_divide(numerator, denominator) -%}
    {{ return(adapter.dispatch('int_divide', 'deftunes')(numerator, denominator)) }}
{%- endmacro %}

{% macro default__int_divide(numerator, denominator) -%}
    (({{ numerator }}) / ({{ denominator }}))
{%- endmacro %}

{% macro duckdb__int_divide(numerator, denominator) -%}
    (({{ numerator }}) // ({{ denominator }}))
{%- endmacro %}


{#
  amount / count as decimal(38, decimals), rounded half up. `amount` has at most `decimals` decimals and is not
  negative, `count` is an integer above 0. Whole numbers all the way: an engine's own decimal division is a float
  (DuckDB) or has a scale that depends on its operands (Redshift).
#}
{% macro rounded_ratio(amount, count, decimals) -%}
    {%- set zeros = "0" * (decimals - 1) -%}
    {%- set whole = "cast((" ~ amount ~ ") * 1" ~ "0" ~ zeros ~ " as bigint)" -%}
    {%- set unit = "cast(0." ~ zeros ~ "1 as decimal(" ~ (decimals + 1) ~ ", " ~ decimals ~ "))" -%}
    cast({{ int_divide("2 * " ~ whole ~ " + " ~ count, "2 * " ~ count) }} * {{ unit }} as decimal(38, {{ decimals }}))
{%- endmacro %}
