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
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import structlog

from deftunes_contract.errors import UsageError
from deftunes_contract.interval import Interval
from deftunes_contract.registry import registry
from deftunes_serving.atomic_file import replace_on_success
from deftunes_serving.build_request import BuildRequest
from deftunes_serving.catalog import metadata_locations
from deftunes_serving.departed import Departed, Query, find_departed
from deftunes_serving.lake_views import identifier, quoted
from deftunes_serving.project import project_folder
from deftunes_serving.redshift import BUILDING, SERVING, build_lock, connect, has_public, query
from deftunes_serving.redshift_publish import publish, relations_of
from deftunes_serving.run_results import Outcome, raise_for_results, translate_errors
from deftunes_serving.runner import DbtProject
from deftunes_serving.s3_file import client_of, synced_copy
from deftunes_serving.settings import ServingSettings
from deftunes_serving.shrinkage import Dimension, States, dimensions_of, facts_of, refuse_shrinkage

FACT = "fact_session"

log = structlog.get_logger("deftunes-dbt")


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
            project = _project(settings, environment)
            results = _run(project, request, unchanged := f"{_shown(settings)} is as it was")
            outcome = raise_for_results(results, unchanged)
        if file.exists():
            _refuse_less_than(file, copy, settings, request, dimensions_of(project.models().values()), unchanged)
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
        project = _project(settings, {"DEFTUNES_DBT_THREADS": str(settings.threads)})
        results = _run(project, request, unchanged)
        outcome = raise_for_results(results, unchanged)
        # a connection of its own: the holder's transaction is as old as its lock and does not see what was built since
        with closing(connect(settings)) as reader:
            run_query = partial(query, reader)
            models = project.models()
            public = [name for name in models if has_public(reader, name)]
            states = States(SERVING, BUILDING, public, request.partitions, whole=False)
            refuse_shrinkage(settings, run_query, states, dimensions_of(models.values()), request, unchanged)
            published = publish(settings, holder, relations_of(results), request.partitions)
            departed = _told(find_departed(run_query, SERVING)) + _added_facts(run_query)
        sales = f", in them {published.items:,} sales of {published.amount:,} USD,"
        return outcome, sales + _restated(published.restated, published.change) + departed


def _refuse_less_than(
    file: Path,
    copy: Path,
    settings: ServingSettings,
    request: BuildRequest,
    dimensions: Sequence[Dimension],
    unchanged: str,
) -> None:
    """Compare the built copy with the file that readers see; see shrinkage.py."""
    with duckdb.connect(str(copy), read_only=True) as connection:
        connection.execute(f"ATTACH {quoted(str(file))} AS served (READ_ONLY)")
        found = connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = 'served' AND schema_name = $1", [SERVING]
        ).fetchall()
        states = States(f"served.{SERVING}", SERVING, [name for (name,) in found], request.partitions, whole=True)
        refuse_shrinkage(
            settings, lambda sql: connection.execute(sql).fetchall(), states, dimensions, request, unchanged
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


def _project(settings: ServingSettings, environment: Mapping[str, str]) -> DbtProject:
    return DbtProject(project_folder(settings), settings.home, settings.target, environment)


def _run(project: DbtProject, request: BuildRequest, unchanged: str) -> Sequence[Any]:
    """dbt's results, failures among them."""
    # unit tests check the SQL, not the data: tests/warehouse runs them
    options = ["--exclude-resource-type", "unit_test"]
    options += ["--full-refresh"] if request.full_refresh else []
    if request.select:
        # embedded staging is never stored, so whatever is built needs it built again
        options += ["--select", *request.select, *(["path:models/staging"] if project.target == "embedded" else [])]
    with translate_errors(f"dbt could not build {project.folder}; {unchanged}."):
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
            added = _added_facts(lambda sql: connection.execute(sql).fetchall())
        except duckdb.CatalogException:
            return ""
    sales = f", in all {rows:,} sales of {amount or Decimal('0.00'):,} USD,{added}"
    return sales + _restated(restated, change or Decimal("0.00")) + _told(departed)


def _added_facts(run_query: Query) -> str:
    """` and fact_tip 1,000 rows of 123.45,` for every fact beside the star's, as readers see it."""
    phrases = []
    for fact in facts_of(registry()):
        if fact.name != FACT:
            total = f"sum({identifier(fact.amount)})" if fact.amount else "null"
            ((rows, amount),) = run_query(f"select count(*), {total} from {SERVING}.{identifier(fact.name)}")
            phrases.append(f" and {fact.name} {rows:,} rows" + (f" of {amount:,}," if amount is not None else ","))
    return "".join(phrases)


def _told(departed: Departed) -> str:
    """The finding as a phrase of the sentence, and as a warning; empty for nothing."""
    if not departed:
        return ""
    log.warning(f"{departed}; look for them by last_seen_on in dim_songs and dim_artists")
    return f" {departed},"


def _restated(sums: int, change: Decimal) -> str:
    """What the report `restatement` has to say about this build; empty for nothing."""
    return f" restated {sums:,} sums by country and artist, {change:+,} USD in all," if sums else ""
