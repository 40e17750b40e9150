"""Names that mean something else in Redshift, or nothing: words, functions, types, operators."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


RESERVED = _words(
    """
    AES128 AES256 ALL ALLOWOVERWRITE ANALYSE ANALYZE AND ANY ARRAY AS ASC AUTHORIZATION AZ64 BACKUP BETWEEN BINARY
    BLANKSASNULL BOTH BYTEDICT BZIP2 CASE CAST CHECK COLLATE COLUMN CONSTRAINT CREATE CREDENTIALS CROSS CURRENT_DATE
    CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER CURRENT_USER_ID DEFAULT DEFERRABLE DEFLATE DEFRAG DELTA DELTA32K
    DESC DISABLE DISTINCT DO ELSE EMPTYASNULL ENABLE ENCODE ENCRYPT ENCRYPTION END EXCEPT EXPLICIT FALSE FOR FOREIGN
    FREEZE FROM FULL GLOBALDICT256 GLOBALDICT64K GRANT GROUP GZIP HAVING IDENTITY IGNORE ILIKE IN INITIALLY INNER
    INTERSECT INTERVAL INTO IS ISNULL JOIN LEADING LEFT LIKE LIMIT LOCALTIME LOCALTIMESTAMP LUN LUNS LZO LZOP MINUS
    MOSTLY16 MOSTLY32 MOSTLY8 NATURAL NEW NOT NOTNULL NULL NULLS OFF OFFLINE OFFSET OID OLD ON ONLY OPEN OR ORDER
    OUTER OVERLAPS PARALLEL PARTITION PERCENT PERMISSIONS PIVOT PLACING PRIMARY RAW READRATIO RECOVER REFERENCES
    REJECTLOG RESORT RESPECT RESTORE RIGHT SELECT SESSION_USER SIMILAR SNAPSHOT SOME SYSDATE SYSTEM TABLE TAG TDES
    TEXT255 TEXT32K THEN TIMESTAMP TO TOP TRAILING TRUE TRUNCATECOLUMNS UNION UNIQUE UNNEST UNPIVOT USER USING
    VERBOSE WALLET WHEN WHERE WITH WITHOUT
    """
)
"""https://docs.aws.amazon.com/redshift/latest/dg/r_pg_keywords.html"""

VALUES = {"CURRENT_DATE", "CURRENT_USER", "CURRENT_USER_ID", "SESSION_USER", "SYSDATE", "USER", "OID", "DEFAULT"}
"""Reserved words that are values where a column may stand."""

NO_FUNCTIONS = _words(
    """
    string_agg array_agg every xmlagg corr covar_pop covar_samp regr_avgx regr_avgy regr_count regr_intercept
    regr_r2 regr_slope regr_sxx regr_sxy regr_syy clock_timestamp justify_days justify_hours justify_interval
    pg_sleep transaction_timestamp div setseed width_bucket bit_length overlay convert_from convert_to encode format
    quote_nullable regexp_matches regexp_split_to_array regexp_split_to_table json_agg jsonb_agg to_json to_jsonb
    row_to_json json_build_object jsonb_build_object string_to_array array_length make_date make_timestamp row list
    list_value struct_pack iceberg_scan read_parquet read_csv strptime epoch_ms arg_max arg_min quantile_cont
    regexp_extract string_split generate_series generate_subscripts
    """
)
"""Of PostgreSQL and DuckDB. Not CONVERT, which Redshift has in another meaning."""

LEADER_ONLY = _words(
    """
    current_schema current_schemas has_database_privilege has_schema_privilege has_table_privilege substr factorial
    log age now isfinite getbit get_byte set_bit set_byte to_ascii current_timestamp current_time localtime
    localtimestamp
    """
)
WITHOUT_BRACKETS = {"current_timestamp", "current_time", "localtime", "localtimestamp"}

NO_TYPES = _words(
    """
    ARRAY LIST STRUCT MAP BIT UUID JSON JSONB SERIAL BIGSERIAL SMALLSERIAL MONEY HSTORE INET XML NAME INT4RANGE
    INT8RANGE NUMRANGE TSRANGE TSTZRANGE DATERANGE UBIGINT UINT USMALLINT UTINYINT INT128 HUGEINT
    """
)
OPERATORS = {"ARROW", "DARROW", "HASH_ARROW", "DHASH_ARROW", "AT_GT", "LT_AT", "QMARK_PIPE", "QMARK_AMP", "DAMP"}
"""sqlglot's names of ->, ->>, #>, #>>, @>, <@, ?|, ?& and &&."""
