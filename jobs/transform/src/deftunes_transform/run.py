"""One entity's run: a delivery becomes a partition on the run's branch, and quarantined rows beside it.

Data flow: receipt + landed objects → validated rows, held in memory → counts → quarantine → branch of the run.
What protects the output: nothing is written before every landed record, unit and cent is accounted for; the quarantine
goes first, so no staged interval is ever without the rows that were held back from it; both writes replace what the
same run wrote before. The transform never fails for bad records, however many: the gate decides on their share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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
from deftunes_transform import copy_records, duplicates, json_parsing, json_records
from deftunes_transform.delivery import Delivery, check_unchanged, open_delivery
from deftunes_transform.frame_cache import cached
from deftunes_transform.landing_reader import read_lines
from deftunes_transform.output_rows import AuditColumns, quarantined_rows, staged_rows
from deftunes_transform.row_counts import RowCounts, count_rows, reconcile
from deftunes_transform.rules import QuarantineRules
from deftunes_transform.settings import TransformSettings

FORMATS: Mapping[str, Callable[[DataFrame, Entity, QuarantineRules], DataFrame]] = {
    "jsonl": json_records.validate,
    "pgcopy": copy_records.validate,
}
"""Landing format → what makes validated rows of its lines."""


@dataclass(frozen=True)
class TransformResult:
    """What a run left behind for one entity."""

    branch: str
    snapshot_id: int
    summary: LoadMetrics
    counts: RowCounts

    def __str__(self) -> str:
        summary = self.summary
        why = ", ".join(f"{rule} {units:,}" for rule, units in self.counts.rules.items())
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
) -> TransformResult:
    """Stage one interval of one entity.

    Raises RetryableError (no or a changed delivery), DataRejected (does not add up).
    """
    json_parsing.prepare(spark)
    delivery = open_delivery(store, entity, interval, settings.verify_landing)
    rules = QuarantineRules(entity, interval)
    audit = AuditColumns(interval.ingest_on, run_id, datetime.now(UTC).replace(tzinfo=None))
    with _detect_replacement(store, delivery):
        lines = read_lines(spark, delivery.uris)
        with cached(FORMATS[entity.landing_format](lines, entity, rules), settings) as validated:
            validated, counts, duplicated = _deduplicated(validated, entity, rules)
            reconcile(counts, delivery.receipt)
            bad = duplicates.with_lines(validated, lines) if duplicated else validated
            _quarantine(spark, settings, bad, entity, rules, audit, counts)
            return _stage(spark, settings, delivery, validated, audit, counts)


def _deduplicated(validated: DataFrame, entity: Entity, rules: QuarantineRules) -> tuple[DataFrame, RowCounts, bool]:
    """Judged rows with no key twice among the good ones, their figures, and whether any key was duplicated."""
    counts = count_rows(validated, entity, rules)
    if counts.records < 2:
        return validated, counts, False
    duplicated = duplicates.find_duplicate_keys(validated, entity)
    how_many = duplicated.count()
    if not how_many:
        return validated, counts, False
    deduplicated = duplicates.deduplicate(validated, entity, rules, duplicated, how_many)
    return deduplicated, count_rows(deduplicated, entity, rules), True


def _quarantine(
    spark: SparkSession,
    settings: TransformSettings,
    validated: DataFrame,
    entity: Entity,
    rules: QuarantineRules,
    audit: AuditColumns,
    counts: RowCounts,
) -> None:
    """Replace what this run quarantined before; no commit where there is nothing to write and nothing to replace."""
    contract = load("quarantine")
    table = table_name(settings, contract.name)
    own = (
        (f.col("entity") == entity.name)
        & (f.col("ingest_on") == f.lit(audit.ingest_on))
        & (f.col("run_id") == audit.run_id)
    )
    if counts.quarantined_units or not spark.table(table).where(own).isEmpty():
        overwrite_where(spark, table, quarantined_rows(validated, entity, rules, contract, audit), own)


def _stage(
    spark: SparkSession,
    settings: TransformSettings,
    delivery: Delivery,
    validated: DataFrame,
    audit: AuditColumns,
    counts: RowCounts,
) -> TransformResult:
    entity, receipt = delivery.entity, delivery.receipt
    summary = LoadMetrics(
        entity=entity.name,
        ingest_on=audit.ingest_on,
        run_id=audit.run_id,
        contract_version=entity.version,
        receipt=receipt.digest,
        landed_records=receipt.records,
        landed_units=receipt.units,
        landed_amount=receipt.amount,
        rows=counts.rows,
        amount=counts.amount,
        quarantined_units=counts.quarantined_units,
        quarantined_amount=counts.quarantined_amount,
        source=receipt.source,
        partial=receipt.partial,
        landed_at=receipt.landed_at,
        contract_digest=entity.digest,
    )
    branch = branch_name(audit.run_id, audit.ingest_on)
    rows = staged_rows(validated, entity, audit)
    snapshot = write_to_branch(spark, table_name(settings, entity.name), branch, rows, audit.ingest_on, summary)
    return TransformResult(branch, snapshot, summary, counts)


@contextmanager
def _detect_replacement(store: ObjectStore, delivery: Delivery) -> Iterator[None]:
    """A reader that fails because extract replaced the delivery meanwhile fails for that reason.

    Raises RetryableError.
    """
    try:
        yield
    except JAVA_ERRORS:
        check_unchanged(store, delivery)
        raise


def log_result(result: TransformResult, seconds: float) -> None:
    """One log line for one entity."""
    structlog.get_logger("transform").info(str(result), seconds=round(seconds, 1), snapshot=result.snapshot_id)
