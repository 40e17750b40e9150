"""What analysts see: facts per partition, sums of the BI views, and the content of every serving table.

serving DuckDB file, opened read-only ─► sums and fingerprints. Reads only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb

from deftunes_contract.errors import RetryableError
from deftunes_serving.verify.fingerprint import fingerprint
from deftunes_serving.verify.model import Discrepancy, Figures, Sale, TableHash, figures
from deftunes_serving.verify.published_tables import MEMORY

SCHEMA = "deftunes_serving"
FACT_ENTITY = "sessions"
"""The entity whose rows are the facts."""
TABLES = ("dim_users", "dim_user_history", "dim_songs", "dim_artists", "fact_session")
VIEWS = (
    "sales_per_artist_vw",
    "sales_per_country_vw",
    "sales_per_country_at_sale_vw",
    "user_activity_vw",
    "music_preference_vw",
)
REBUILD = "run deftunes-dbt build"

UNKNOWN = "unknown"
"""Key of the member of every dimension that stands for what the catalogue does not know."""

_MEMBERS = {
    "dim_users": ("user_id", "true"),
    "dim_user_history": ("user_id", "is_current"),
    "dim_songs": ("track_id", "true"),
    "dim_artists": ("artist_id", "true"),
}
"""Dimension → (its members' key, which rows have each member once)."""
_FACTS = f"{SCHEMA}.fact_session"
_VIEW_SUMS = {
    "sales_per_artist_vw": ("sum(total_sales)", "sum(price)", "USD of total_sales"),
    "sales_per_country_vw": ("sum(total_sales)", "sum(price)", "USD of total_sales"),
    "sales_per_country_at_sale_vw": ("sum(total_sales)", "sum(price)", "USD of total_sales"),
    "user_activity_vw": ("sum(total_spent)", "sum(price)", "USD of total_spent"),
    "music_preference_vw": ("sum(total_purchases)", "count(*)", "total_purchases"),
}
"""View → (its sum, the same sum over the facts, what is summed)."""


@dataclass(frozen=True)
class ServingTables:
    """The serving schema as found. facts: per ingest_on. sound: whether all of its relations are there."""

    facts: dict[date, Figures]
    sales: tuple[Sale, ...]
    tables: dict[str, TableHash]
    faults: tuple[Discrepancy, ...]
    sound: bool = True


@contextmanager
def open_tables(serving: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The serving file, read-only. Raises RetryableError when it is there and cannot be opened."""
    try:
        connection = duckdb.connect(str(serving), read_only=True)
    except duckdb.Error as error:
        raise RetryableError(
            f"expected a serving database that can be read, found {error} at {serving}; "
            f"wait for a build that is running, or remove the file and {REBUILD}"
        ) from error
    with connection:
        connection.execute("set memory_limit = ?", [MEMORY])
        yield connection


def missing_file(serving: Path) -> ServingTables:
    """The star of a platform that has published but never built its serving tables."""
    return ServingTables(
        {}, (), {}, (_fault("serving", "serving", "a serving database", "no file", serving),), sound=False
    )


def read_tables(
    connection: duckdb.DuckDBPyConnection, serving: Path, members: Mapping[str, TableHash], with_contents: bool
) -> ServingTables:
    """Sums, cross-checks and (when asked for) fingerprints of all relations.

    members: fingerprints of the keys that the dimensions must have; only these dimensions are checked.
    """
    present = {
        name
        for (name,) in connection.execute(
            "select table_name from information_schema.tables where table_schema = ?", [SCHEMA]
        ).fetchall()
    }
    absent = [name for name in (*TABLES, *VIEWS) if name not in present]
    if absent:
        found = f"{len(absent)} of its relations missing"
        fault = _fault("serving", "serving", f"{SCHEMA}.{absent[0]}", found, serving)
        return ServingTables({}, (), {}, (fault,), sound=False)
    facts = connection.execute(f"select ingest_on, count(*), sum(price) from {_FACTS} group by ingest_on").fetchall()
    sales = connection.execute(
        f"select session_year, session_month, country_code, total_sales from {SCHEMA}.sales_per_country_vw order by all"
    ).fetchall()
    return ServingTables(
        facts={day: figures(rows, amount, True) for day, rows, amount in facts},
        sales=tuple(
            Sale(session_year=year, session_month=month, country_code=country, total_sales=total)
            for year, month, country, total in sales
        ),
        tables={name: fingerprint(connection, f"{SCHEMA}.{name}") for name in (*TABLES, *VIEWS) if with_contents},
        faults=(*_missing_members(connection, serving, members), *_cross_checks(connection, serving)),
    )


def _missing_members(
    connection: duckdb.DuckDBPyConnection, serving: Path, expected: Mapping[str, TableHash]
) -> Iterator[Discrepancy]:
    """Every dimension has the members that the published tables give it, each once."""
    for dimension, due in expected.items():
        key, once = _MEMBERS[dimension]
        found = fingerprint(
            connection, f"(select {key} from {SCHEMA}.{dimension} where {once} and {key} <> '{UNKNOWN}')"
        )
        if found != due:
            others = f"{found.rows:,}" if found.rows != due.rows else "others"
            yield _fault("dimension", dimension, f"the {due.rows:,} members that are published", others, serving)


def _cross_checks(connection: duckdb.DuckDBPyConnection, serving: Path) -> Iterator[Discrepancy]:
    """Every view sums to the facts: a join that fans out, or drops rows, does not."""
    for view, (own, over_facts, what) in _VIEW_SUMS.items():
        found = connection.execute(
            f"select (select {own} from {SCHEMA}.{view}), (select {over_facts} from {_FACTS})"
        ).fetchone()
        total, expected = (Decimal(str(value or 0)) for value in found or (0, 0))
        if total != expected:
            yield _fault(
                "view",
                view,
                f"{expected:,} {what}, as in fact_session",
                f"{total:,}",
                serving,
                f"a join of {view} multiplies or drops rows: look for doubled keys in its dimensions, then {REBUILD}",
            )


def _fault(hop: str, subject: str, expected: str, found: str, serving: Path, advice: str = REBUILD) -> Discrepancy:
    return Discrepancy(hop=hop, subject=subject, expected=expected, found=found, where=f"in {serving}", advice=advice)
