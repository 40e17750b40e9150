{# Written by `python -m deftunes_serving.generate_sources` from the data contracts: do not edit, `--check` compares.
   Contract sessions: servingTable, amount; what is compared: macros/published.sql
#}
{{ equals_published('sessions', 'fact_session', 'price') }}
