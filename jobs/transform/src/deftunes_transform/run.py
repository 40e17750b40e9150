"""One entity's run: a delivery becomes a partition on the run's branch, and quarantined rows beside it.

Data flow: receipt + landed objects → judged rows, held in memory → census → quarantine → branch of the run.
What protects the output: nothing is written before every landed record, unit and cent is accounted for; the quarantine
goes first, so no staged interval is ever without the rows that were held back from it; both writes replace what the
same run wrote before. The transform never fails for bad records, however many: the gate decides on their share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from deftunes_contract.entity import Entity
from deftunes_contract.interval import Interval
from deftunes_contract.layout import branch as branch_name
from deftunes_contract.load_metrics import LoadMetrics
from deftunes_contract.object_store import ObjectStore
from deftunes_contract.registry import load
from deftunes_lake.iceberg_java import JAVA_ERRORS
from deftunes_lake.staging import overwrite_where, write_to_branch
from deftunes_lake.tables import table_name
from deftunes_transform import duplicates, json_parsing, sessions, songs, users
from deftunes_transform.delivery import Delivery, accept, still_there
from deftunes_transform.frame_cache import held
from deftunes_transform.landing_reader import read_lines
from deftunes_transform.output_rows import Stamp, quarantined_rows, staged_rows
from deftunes_transform.row_counts import Census, count, reconcile
from deftunes_transform.rules import RuleBook
from deftunes_transform.settings import TransformSettings

_JUDGES: dict[str, Callable[[DataFrame, Entity, RuleBook], DataFrame]] = {
    "users": users.judge,
    "sessions": sessions.judge,
    "songs": songs.judge,
}


@dataclass(frozen=True)
class Staged:
    """What a run left behind for one entity."""

    branch: str
    snapshot_id: int
    summary: LoadMetrics
    census: Census

    def __str__(self) -> str:
        summary = self.summary
        why = ", ".join(f"{rule} {units:,}" for rule, units in self.census.rules.items())
        return (
            f"{summary.entity} {Interval.of_ingest_on(summary.ingest_on).month}: {summary.landed_units:,} landed = "
            f"{summary.rows:,} staged + {summary.quarantined_units:,} quarantined{f' ({why})' if why else ''} "
            f"on branch {self.branch}"
        )


def transform(
    spark: SparkSession,
    settings: TransformSettings,
    store: ObjectStore,
    entity: Entity,
    interval: Interval,
    run_id: str,
) -> Staged:
    """Stage one interval of one entity.

    Raises RetryableError (no or a changed delivery), DataRejected (does not add up).
    """
    json_parsing.prepare(spark)
    delivery = accept(store, entity, interval, settings.verify_landing)
    book = RuleBook(entity, interval)
    stamp = Stamp(interval.ingest_on, run_id, datetime.now(UTC).replace(tzinfo=None))
    with _delivery_stays(store, delivery):
        lines = read_lines(spark, delivery.uris)
        with held(_JUDGES[entity.name](lines, entity, book), settings) as judged:
            judged, census, contested = _settled(judged, entity, book)
            reconcile(census, delivery.receipt)
            bad = duplicates.with_lines(judged, lines) if contested else judged
            _quarantine(spark, settings, bad, entity, book, stamp, census)
            return _stage(spark, settings, delivery, judged, stamp, census)


def _settled(judged: DataFrame, entity: Entity, book: RuleBook) -> tuple[DataFrame, Census, bool]:
    """Judged rows with no key twice among the good ones, their figures, and whether any key was contested."""
    census = count(judged, entity, book)
    if census.records < 2:
        return judged, census, False
    contested = duplicates.contested_hashes(judged, entity)
    how_many = contested.count()
    if not how_many:
        return judged, census, False
    settled = duplicates.settle(judged, entity, book, contested, how_many)
    return settled, count(settled, entity, book), True


def _quarantine(
    spark: SparkSession,
    settings: TransformSettings,
    judged: DataFrame,
    entity: Entity,
    book: RuleBook,
    stamp: Stamp,
    census: Census,
) -> None:
    """Replace what this run quarantined before; no commit where there is nothing to write and nothing to replace."""
    contract = load("quarantine")
    table = table_name(settings, contract.name)
    own = (
        (f.col("entity") == entity.name)
        & (f.col("ingest_on") == f.lit(stamp.ingest_on))
        & (f.col("run_id") == stamp.run_id)
    )
    if census.quarantined_units or not spark.table(table).where(own).isEmpty():
        overwrite_where(spark, table, quarantined_rows(judged, entity, book, contract, stamp), own)


def _stage(
    spark: SparkSession,
    settings: TransformSettings,
    delivery: Delivery,
    judged: DataFrame,
    stamp: Stamp,
    census: Census,
) -> Staged:
    entity, receipt = delivery.entity, delivery.receipt
    summary = LoadMetrics(
        entity=entity.name,
        ingest_on=stamp.ingest_on,
        run_id=stamp.run_id,
        contract_version=entity.version,
        receipt=receipt.digest,
        landed_records=receipt.records,
        landed_units=receipt.units,
        landed_amount=receipt.amount,
        rows=census.rows,
        amount=census.amount,
        quarantined_units=census.quarantined_units,
        quarantined_amount=census.quarantined_amount,
        source=receipt.source,
        partial=receipt.partial,
        landed_at=receipt.landed_at,
    )
    branch = branch_name(stamp.run_id, stamp.ingest_on)
    rows = staged_rows(judged, entity, stamp)
    snapshot = write_to_branch(spark, table_name(settings, entity.name), branch, rows, stamp.ingest_on, summary)
    return Staged(branch, snapshot, summary, census)


@contextmanager
def _delivery_stays(store: ObjectStore, delivery: Delivery) -> Iterator[None]:
    """A reader that fails because extract replaced the delivery meanwhile fails for that reason.

    Raises RetryableError.
    """
    try:
        yield
    except JAVA_ERRORS:
        still_there(store, delivery)
        raise


def say(staged: Staged, seconds: float) -> None:
    """One log line for one entity."""
    structlog.get_logger("transform").info(str(staged), seconds=round(seconds, 1), snapshot=staged.snapshot_id)
