{{
    config(
        materialized=persistent_materialization(),
        incremental_strategy='replace_intervals',
        on_schema_change='append_new_columns',
        dist='user_id',
        sort=['ingest_on', 'session_start_time'],
    )
}}

with sessions as (

    select * from {{ ref('stg_sessions') }}
    {% if replaces_intervals() -%}
    where {{ in_requested_partitions('ingest_on') }}
    {%- endif %}

)

-- Keys stay as the shop sent them: which member of a dimension they mean is decided when a view reads them, because
-- the dimensions change with every catalogue and a key resolved here would depend on the order of the months
select
    session_id,
    user_id,
    song_id,
    artist_id,
    price,
    liked,
    liked_since,
    session_start_time,
    item_no,
    ingest_on
from sessions
