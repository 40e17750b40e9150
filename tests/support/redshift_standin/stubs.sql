-- What dbt-redshift asks of Redshift's catalogue and PostgreSQL does not have, and functions of Redshift's.
SET allow_system_table_mods = on;

CREATE FUNCTION pg_get_late_binding_view_cols() RETURNS SETOF record LANGUAGE sql STABLE
AS $$ SELECT ''::name, ''::name, ''::name, ''::varchar, 0 WHERE false $$;

CREATE FUNCTION getdate() RETURNS timestamp LANGUAGE sql STABLE
AS $$ SELECT (now() AT TIME ZONE 'utc')::timestamp $$;

CREATE FUNCTION dateadd(part text, amount bigint, moment timestamp) RETURNS timestamp LANGUAGE sql IMMUTABLE
AS $$ SELECT moment + CASE part WHEN 'quarter' THEN make_interval(months => 3 * amount::int)
                                ELSE amount * ('1 ' || part)::interval END $$;

CREATE FUNCTION datediff(part text, earlier timestamp, later timestamp) RETURNS bigint LANGUAGE sql IMMUTABLE
AS $$ SELECT CASE part
    WHEN 'year' THEN date_part('year', later) - date_part('year', earlier)
    WHEN 'quarter' THEN 4 * (date_part('year', later) - date_part('year', earlier))
                        + date_part('quarter', later) - date_part('quarter', earlier)
    WHEN 'month' THEN 12 * (date_part('year', later) - date_part('year', earlier))
                      + date_part('month', later) - date_part('month', earlier)
    WHEN 'day' THEN later::date - earlier::date
    ELSE floor(extract(epoch FROM date_trunc(part, later) - date_trunc(part, earlier))
               / extract(epoch FROM ('1 ' || part)::interval)) END::bigint $$;

CREATE VIEW pg_catalog.svv_external_columns AS
SELECT ''::name AS schemaname, ''::name AS tablename, ''::name AS columnname, ''::text AS external_type, 0 AS columnnum
WHERE false;

CREATE VIEW pg_catalog.svv_table_info AS
SELECT current_database()::text AS database, schemaname::text AS schema, relname::text AS "table", 'N'::text AS encoded,
    'EVEN'::text AS diststyle, NULL::text AS sortkey1, 0 AS max_varchar, NULL::text AS sortkey1_enc, 0 AS sortkey_num,
    0::bigint AS size, 0::numeric AS pct_used, NULL::numeric AS unsorted, 0::numeric AS stats_off,
    n_live_tup::numeric AS tbl_rows, NULL::numeric AS skew_sortkey1, NULL::numeric AS skew_rows
FROM pg_stat_user_tables;
GRANT SELECT ON pg_catalog.svv_table_info, pg_catalog.svv_external_columns TO PUBLIC;
