{#
  The unknown member: one row of every dimension that stands for "not in the catalogue" or "not among the users", so
  that a join finds a member for every sale and no sale is lost. Keys and codes are lower case, names are for people.
#}
{% macro unknown_key() -%} 'unknown' {%- endmacro %}

{% macro unknown_name() -%} 'Unknown' {%- endmacro %}
