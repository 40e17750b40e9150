"""What is public in the lake: rows and money of each partition, of quarantine, and the content of each table.

`main` of users, sessions, songs and quarantine, seen by DuckDB ─► sums. All work is pushed into DuckDB, which streams
the data files and spills to a folder of its own; nothing is written elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from deftunes_contract.registry import load, registry
from deftunes_contract.settings import LakeSettings
from deftunes_serving.lake_views import attach
from deftunes_serving.verify.fingerprint import fingerprint
from deftunes_serving.verify.model import Figures, TableHash, figures
from deftunes_serving.verify.snapshots import Published

SCHEMA = "deftunes_transform"
"""Schema of the views that `attach` makes."""
MEMORY = "2GB"
"""What DuckDB may use before it spills: a verification must fit beside the JVM of a run."""
QUARANTINE_CONTENT = ("entity", "ingest_on", "rule", "reason", "units", "amount", "item_no", "record_hash")
"""What counts of a quarantined row: not the run that refused it, nor when."""

_CATALOGUE = f"{SCHEMA}.songs where ingest_on = (select max(ingest_on) from {SCHEMA}.songs)"
_USERS = f"select distinct user_id from {SCHEMA}.users"
_TRACKS = f"select distinct track_id from {_CATALOGUE}"
_SOLD_TRACKS = f"{SCHEMA}.songs where track_id in (select song_id from {SCHEMA}.sessions)"
_ARTISTS = f"select distinct artist_id from {_CATALOGUE}"
_MEMBERS = {
    "dim_users": _USERS,
    "dim_user_history": _USERS,
    # the latest catalogue, and what was sold and left it
    "dim_songs": f"{_TRACKS} union select track_id from {_SOLD_TRACKS}",
    "dim_artists": f"{_ARTISTS} union select artist_id from {SCHEMA}.songs"
    f" where artist_id in (select artist_id from {SCHEMA}.sessions)"
    f" union select arg_max(artist_id, ingest_on) from {_SOLD_TRACKS} and track_id not in ({_TRACKS})"
    " group by track_id",
}

QuarantineKey = tuple[str, date, str]
"""(entity, ingest_on, run_id)."""


@contextmanager
def open_public(settings: LakeSettings) -> Iterator[duckdb.DuckDBPyConnection]:
    """An in-memory DuckDB with a view of each published table."""
    with TemporaryDirectory(prefix="deftunes-verify-") as spill, duckdb.connect() as connection:
        connection.execute("set memory_limit = ?", [MEMORY])
        connection.execute("set temp_directory = ?", [str(Path(spill))])
        attach(connection, settings)
        yield connection


def partitions(
    connection: duckdb.DuckDBPyConnection, entity: str, only: Collection[date] | None
) -> dict[date, Figures]:
    """ingest_on → rows and money of a table on `main`; `only` these partitions when given."""
    price = load(entity).amount
    found = connection.execute(
        f"select ingest_on, count(*), {f'sum({price})' if price else 'null'} from {SCHEMA}.{entity}"
        f" where {_within(only)} group by ingest_on"
    ).fetchall()
    return {day: figures(rows, amount, price is not None) for day, rows, amount in found}


def quarantined(connection: duckdb.DuckDBPyConnection, only: Collection[date] | None) -> dict[QuarantineKey, Figures]:
    """(entity, ingest_on, run_id) → units and money in quarantine, of every run."""
    found = connection.execute(
        f"select entity, ingest_on, run_id, sum(units), sum(amount) from {SCHEMA}.quarantine"
        f" where {_within(only)} group by all"
    ).fetchall()
    return {
        (entity, day, run): figures(int(units), amount, load(entity).amount is not None)
        for entity, day, run, units, amount in found
    }


def contents(
    connection: duckdb.DuckDBPyConnection, tables: Collection[str], published: Mapping[str, Mapping[date, Published]]
) -> dict[str, TableHash]:
    """Fingerprints of the tables that exist; of quarantine only the rows of published runs."""
    found = {
        entity: fingerprint(connection, f"{SCHEMA}.{entity}", load(entity).business_columns)
        for entity in registry().names
        if entity in tables
    }
    if "quarantine" in tables:
        connection.execute("create or replace temp table published_run (entity text, ingest_on date, run_id text)")
        runs = [(e, day, p.summary.run_id) for e, days in published.items() for day, p in days.items()]
        if runs:
            connection.executemany("insert into published_run values (?, ?, ?)", runs)
        found["quarantine"] = fingerprint(
            connection,
            f"(from {SCHEMA}.quarantine semi join published_run using (entity, ingest_on, run_id))",
            QUARANTINE_CONTENT,
        )
    return found


def members(connection: duckdb.DuckDBPyConnection) -> dict[str, TableHash]:
    """Which members each dimension must have, by the tables on `main`: dimension → fingerprint of its keys."""
    return {name: fingerprint(connection, f"({query})") for name, query in _MEMBERS.items()}


def _within(only: Collection[date] | None) -> str:
    if only is None:
        return "true"
    days = ", ".join(f"date '{day}'" for day in sorted(only))
    return f"ingest_on in ({days})" if days else "false"
