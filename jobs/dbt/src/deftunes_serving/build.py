"""One build: dbt's models and tests for some months, then the new state in the place of the old one.

Data flow: published tables -> (copy of the serving file, or schema deftunes_building) staging, star, views, tests ->
serving file, or schema deftunes_serving.

Idempotent: a build replaces exactly the partitions of its months and rebuilds the dimensions from what is published
now, so calling it again, for months in any order, gives the same tables. What protects a reader: `atomic_file`
(embedded), `redshift` and `redshift_publish` (Redshift).
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import structlog

from deftunes_contract.allowances import NONE_ALLOWED, Allowances
from deftunes_contract.errors import UsageError
from deftunes_contract.interval import Interval
from deftunes_contract.registry import registry
from deftunes_serving.atomic_file import replace_on_success
from deftunes_serving.catalog import metadata_locations
from deftunes_serving.departed import Departed, find_departed
from deftunes_serving.lake_views import quoted
from deftunes_serving.redshift import BUILDING, SERVING, build_lock, connect, has_public, query
from deftunes_serving.redshift_publish import EVERYTHING, publish, relations_of
from deftunes_serving.run_results import Outcome, raise_for_results, translate_errors
from deftunes_serving.runner import DbtProject
from deftunes_serving.s3_file import client_of, synced_copy
from deftunes_serving.settings import ServingSettings
from deftunes_serving.shrinkage import DIMENSIONS, States, refuse_shrinkage

FACT = "fact_session"

log = structlog.get_logger("deftunes-dbt")


@dataclass(frozen=True)
class BuildRequest:
    """What to build: whole months [start, end); everything published with `full_refresh`; dbt selectors.

    allowances: entities of which readers may see fewer members than before.
    """

    start: date
    end: date
    full_refresh: bool = False
    select: tuple[str, ...] = ()
    allowances: Allowances = NONE_ALLOWED

    @property
    def partitions(self) -> str:
        """The condition on ingest_on that names the partitions to build; as macros/intervals.sql says it."""
        if self.full_refresh:
            return EVERYTHING
        return f"ingest_on > date '{self.start}' and ingest_on <= date '{self.end}'"

    @property
    def facts(self) -> str:
        """All facts that readers will see after the publication: those that are built now and those that stay."""
        columns = "ingest_on, user_id, song_id, artist_id"
        return (
            f"(select {columns} from {BUILDING}.{FACT} where {self.partitions} union all "
            f"select {columns} from {SERVING}.{FACT} where not ({self.partitions}))"
        )

    @property
    def months(self) -> list[Interval]:
        """The requested months."""
        return list(Interval.months(self.start, self.end))

    @property
    def variables(self) -> Mapping[str, date]:
        """The vars that macros/intervals.sql reads."""
        return {"start": self.start, "end": self.end}


def build(settings: ServingSettings, request: BuildRequest) -> str:
    """Build and test; returns one sentence. Raises StageError with the state that readers see left as it was."""
    settings.check_target()
    list(Interval.months(request.start, request.end))  # raises for a cut month
    began = time.monotonic()
    if settings.target == "embedded":
        # read here, before dbt: an absent catalog is the commonest mistake and must not look like a dbt error
        metadata_locations(settings, registry().tables)
        outcome, sales = _embedded(settings, request)
        place = _shown(settings)
    else:
        outcome, sales = _redshift(settings, request)
        place = f"Redshift {settings.redshift_host}"
    for warning in outcome.warnings:
        log.warning(warning)
    return (
        f"built {outcome.models} models and passed {outcome.tests} tests ({len(outcome.warnings)} with warnings) for "
        f"[{request.start}, {request.end}){sales} in {time.monotonic() - began:.1f} s: {place}"
    )


def _embedded(settings: ServingSettings, request: BuildRequest) -> tuple[Outcome, str]:
    with _serving(settings) as (copy, file):
        if not copy.exists():
            # the first build loads every interval there is, and its tests must look at every interval too
            request = replace(request, full_refresh=True)
        began = datetime.now(UTC).replace(tzinfo=None)
        with _writable_name(copy) as name:
            environment = {
                "DEFTUNES_DBT_FILE": str(name),
                "DEFTUNES_DBT_SERVED": str(file),
                "DEFTUNES_DBT_THREADS": str(settings.threads),
            }
            results = _run(settings, request, environment, unchanged := f"{_shown(settings)} is as it was")
            outcome = raise_for_results(results, unchanged)
        if file.exists():
            _refuse_less_than(file, copy, settings, request, unchanged)
        return outcome, _sales(copy, began)


def _redshift(settings: ServingSettings, request: BuildRequest) -> tuple[Outcome, str]:
    unchanged = f"{SERVING} of Redshift {settings.redshift_host} is as it was"
    if request.select:
        raise UsageError(
            "--select: a build for Redshift makes the whole state anew; select models of the embedded target"
        )
    with build_lock(settings) as holder:
        if not has_public(holder, FACT):
            # see _embedded
            request = replace(request, full_refresh=True)
        results = _run(settings, request, {"DEFTUNES_DBT_THREADS": str(settings.threads)}, unchanged)
        outcome = raise_for_results(results, unchanged)
        # a connection of its own: the holder's transaction is as old as its lock and does not see what was built since
        with closing(connect(settings)) as reader:
            run_query = partial(query, reader)
            if all(has_public(reader, name) for name in (FACT, *(dimension.name for dimension in DIMENSIONS))):
                states = States(SERVING, BUILDING, request.facts, request.partitions)
                refuse_shrinkage(settings, run_query, states, request.months, request.allowances, unchanged)
            published = publish(settings, holder, relations_of(results), request.partitions)
            departed = _told(find_departed(run_query, SERVING))
        sales = f", in them {published.items:,} sales of {published.amount:,} USD,"
        return outcome, sales + _restated(published.restated, published.change) + departed


def _refuse_less_than(file: Path, copy: Path, settings: ServingSettings, request: BuildRequest, unchanged: str) -> None:
    """Compare the built copy with the file that readers see; see shrinkage.py."""
    with duckdb.connect(str(copy), read_only=True) as connection:
        connection.execute(f"ATTACH {quoted(str(file))} AS served (READ_ONLY)")
        found = connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = 'served' AND schema_name = $1", [SERVING]
        ).fetchall()
        if {FACT, *(dimension.name for dimension in DIMENSIONS)} <= {name for (name,) in found}:
            states = States(f"served.{SERVING}", SERVING, f"{SERVING}.{FACT}", request.partitions)
            refuse_shrinkage(
                settings,
                lambda sql: connection.execute(sql).fetchall(),
                states,
                request.months,
                request.allowances,
                unchanged,
            )


@contextmanager
def _serving(settings: ServingSettings) -> Iterator[tuple[Path, Path]]:
    """A copy of the serving file and the file, whose place it takes when the block ends: in a folder or in S3."""
    if not settings.is_remote:
        with replace_on_success(settings.serving_file, settings.lock_seconds) as copy:
            yield copy, settings.serving_file
        return
    with tempfile.TemporaryDirectory(prefix="deftunes-serving-") as folder:
        file = Path(folder) / settings.serving_file
        with synced_copy(client_of(), settings.serving, file), replace_on_success(file, settings.lock_seconds) as copy:
            yield copy, file


@contextmanager
def _writable_name(file: Path) -> Iterator[Path]:
    """Where DuckDB can write a file: it takes what follows a '?' in a path for options, and looks for the file's log
    elsewhere. A file in a folder with such a name is built in the temporary folder."""
    if "?" not in str(file.parent):
        yield file
        return
    with tempfile.TemporaryDirectory(prefix="deftunes-serving-") as folder:
        elsewhere = Path(folder) / file.name
        if file.exists():
            shutil.copyfile(file, elsewhere)
        yield elsewhere
        if elsewhere.exists():
            shutil.copyfile(elsewhere, file)


def _shown(settings: ServingSettings) -> str:
    return settings.serving if settings.is_remote else str(settings.serving_file)


def _run(
    settings: ServingSettings, request: BuildRequest, environment: Mapping[str, str], unchanged: str
) -> Sequence[Any]:
    """dbt's results, failures among them."""
    project = DbtProject(settings.dbt_project, settings.home, settings.target, environment)
    # unit tests judge the SQL, not the data: tests/warehouse runs them
    options = ["--exclude-resource-type", "unit_test"]
    options += ["--full-refresh"] if request.full_refresh else []
    if request.select:
        # embedded staging is never stored, so whatever is built needs it built again
        options += ["--select", *request.select, *(["path:models/staging"] if settings.target == "embedded" else [])]
    with translate_errors(f"dbt could not build {settings.dbt_project}; {unchanged}."):
        return project.run("build", *options, variables=request.variables)


def _sales(file: Path, began: datetime) -> str:
    """`, 30,000 sales of 28,123.45 USD` of the fact as it will be seen; empty when there is no fact."""
    with duckdb.connect(str(file), read_only=True) as connection:
        try:
            found = connection.execute("SELECT count(*), sum(price) FROM deftunes_serving.fact_session").fetchone()
            rows, amount = found or (0, None)
            found = connection.execute(
                "SELECT count(*), sum(sales_change) FROM deftunes_serving.restatement WHERE restated_at >= $1", [began]
            ).fetchone()
            restated, change = found or (0, None)
            departed = find_departed(lambda sql: connection.execute(sql).fetchall(), SERVING)
        except duckdb.CatalogException:
            return ""
    sales = f", in all {rows:,} sales of {amount or Decimal('0.00'):,} USD,"
    return sales + _restated(restated, change or Decimal("0.00")) + _told(departed)


def _told(departed: Departed) -> str:
    """The finding as a phrase of the sentence, and as a warning; empty for nothing."""
    if not departed:
        return ""
    log.warning(f"{departed}; look for them by last_seen_on in dim_songs and dim_artists")
    return f" {departed},"


def _restated(sums: int, change: Decimal) -> str:
    """What the report `restatement` has to say about this build; empty for nothing."""
    return f" restated {sums:,} sums by country and artist, {change:+,} USD in all," if sums else ""
