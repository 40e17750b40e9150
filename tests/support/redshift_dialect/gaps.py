"""The known gaps, each with its reason and the page of AWS's guide that says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

from redshift_dialect.finders import (
    Found,
    Statement,
    correlated,
    functions,
    leader_only,
    lengthless,
    nodes,
    operators,
    recursive,
    reserved,
    too_large,
    types,
    uneven,
    unframed,
    unordered,
)

COMPARED = (exp.In, exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE)


@dataclass(frozen=True)
class Gap:
    """name of what is found, why it is not Redshift, the guide's page that says so, and how it is found."""

    name: str
    reason: str
    page: str
    find: Callable[[Statement], Found]


GAPS = (
    Gap("FILTER", "no aggregate takes it; sum or count a CASE", "c_Aggregate_Functions", nodes(exp.Filter)),
    Gap("LATERAL", "FROM does not know it", "r_FROM_clause30", nodes(exp.Lateral)),
    Gap(
        "DISTINCT ON",
        "SELECT knows DISTINCT alone; number the rows",
        "r_SELECT_synopsis",
        nodes(exp.Distinct, where=lambda node: node.args.get("on")),
    ),
    Gap("function", "is PostgreSQL's or DuckDB's", "c_unsupported-postgresql-functions", functions),
    Gap(
        "leader node",
        "runs on the leader node only, an error in a query on tables, or is given up",
        "c_SQL_functions_leader_node_only",
        leader_only,
    ),
    Gap("operator", "arrays and JSON have no operators", "c_unsupported-postgresql-functions", operators),
    Gap(
        "array",
        "array constructors and subscripts do not exist",
        "c_unsupported-postgresql-features",
        nodes(exp.Array, exp.Bracket, where=lambda n: isinstance(n, exp.Bracket) or n.args.get("bracket_notation")),
    ),
    Gap("type", "does not exist", "c_unsupported-postgresql-datatypes", types),
    Gap("length", "means varchar(256), longer texts are cut or refused", "r_Character_types", lengthless),
    Gap(
        "size",
        "more than varchar(65535), char(4096) or decimal(38, 37)",
        "c_Supported_data_types",
        nodes(exp.DataType, where=too_large),
    ),
    Gap("FOR UPDATE", "rows cannot be locked; LOCK takes a table", "r_SELECT_synopsis", nodes(exp.Lock)),
    Gap("ON CONFLICT", "keys are not enforced; delete, then insert", "r_INSERT_30", nodes(exp.OnConflict)),
    Gap("RETURNING", "statements that write give no rows", "r_INSERT_30", nodes(exp.Returning)),
    Gap(
        "VALUES",
        "is no table; UNION ALL selects",
        "c_unsupported-postgresql-features",
        nodes(exp.Values, where=lambda node: not isinstance(node.parent, exp.Insert)),
    ),
    Gap(
        "row value",
        "row constructors do not exist; compare column by column",
        "c_unsupported-postgresql-features",
        nodes(*COMPARED, where=lambda node: isinstance(node.this, exp.Tuple)),
    ),
    Gap(
        "IS DISTINCT FROM",
        "does not exist; say what two nulls mean",
        "c_unsupported-postgresql-functions",
        nodes(exp.NullSafeEQ, exp.NullSafeNEQ),
    ),
    Gap("QUALIFY", "PostgreSQL, where it is rehearsed, does not know it", "r_QUALIFY_clause", nodes(exp.Qualify)),
    Gap(
        "GROUP BY ALL",
        "PostgreSQL, where it is rehearsed, does not know it",
        "r_GROUP_BY_clause",
        nodes(exp.Group, where=lambda node: node.args.get("all")),
    ),
    Gap(
        "EXCLUDE",
        "PostgreSQL, where it is rehearsed, does not know it",
        "r_EXCLUDE_list",
        nodes(exp.Star, where=lambda node: node.args.get("except_") or node.args.get("replace")),
    ),
    Gap("BY NAME", "sets are united by place", "r_UNION", nodes(exp.Union, where=lambda n: n.args.get("by_name"))),
    Gap("FETCH", "is LIMIT or TOP", "r_SELECT_synopsis", nodes(exp.Fetch)),
    Gap("TABLESAMPLE", "FROM does not know it", "r_FROM_clause30", nodes(exp.TableSample)),
    Gap(
        "MATERIALIZED",
        "is the planner's decision",
        "r_WITH_clause",
        nodes(exp.CTE, where=lambda node: node.args.get("materialized") is not None),
    ),
    Gap("CREATE INDEX", "there are none; sort keys", "c_unsupported-postgresql-features", nodes(exp.Index)),
    Gap(
        "WITHIN GROUP",
        "only LISTAGG and the percentiles are ordered sets",
        "c_Aggregate_Functions",
        nodes(
            exp.WithinGroup,
            where=lambda n: not isinstance(n.this, exp.GroupConcat | exp.PercentileCont | exp.PercentileDisc),
        ),
    ),
    Gap(
        "DISTINCT in a window",
        "windows take ALL rows only",
        "r_WF_COUNT",
        nodes(exp.Window, where=lambda node: isinstance(node.this.this, exp.Distinct)),
    ),
    Gap("window without ORDER BY", "LAG and LEAD need one", "r_WF_LAG", nodes(exp.Window, where=unordered)),
    Gap(
        "third argument",
        "LAG and LEAD take no default; COALESCE",
        "r_WF_LAG",
        nodes(exp.Lag, exp.Lead, where=lambda node: node.args.get("default")),
    ),
    Gap(
        "window without a frame",
        "with ORDER BY an aggregate needs ROWS",
        "c_Window_functions",
        nodes(exp.Window, where=unframed),
    ),
    Gap(
        "RANGE",
        "frames are ROWS",
        "c_Window_functions",
        nodes(exp.WindowSpec, where=lambda node: str(node.args.get("kind")).upper() != "ROWS"),
    ),
    Gap(
        "WINDOW",
        "windows have no names; write each out",
        "r_SELECT_synopsis",
        nodes(exp.Select, where=lambda node: node.args.get("windows")),
    ),
    Gap("reserved word", "needs double quotes as a name", "r_pg_keywords", nodes(exp.Identifier, where=reserved)),
    Gap(
        "long name",
        "names end at 127 bytes",
        "r_names",
        nodes(exp.Identifier, where=lambda node: len(node.name.encode()) > 127),
    ),
    Gap(
        "FULL JOIN",
        "only equalities of both sides, or: FULL JOIN is only supported with merge-joinable join conditions",
        "r_FROM_clause30",
        nodes(exp.Join, where=uneven),
    ),
    Gap(
        "RECURSIVE",
        "needs the list of its columns and UNION ALL",
        "r_WITH_clause",
        nodes(exp.CTE, where=recursive),
    ),
    Gap(
        "correlation",
        "skips a block, stands in an outer join's ON, or in a block with a window or a grouped aggregate in IN",
        "r_correlated_subqueries",
        correlated,
    ),
)
