"""Rollback: an interval shows again what it showed before it was last published, facts first.

    tag before_<D> ─► partition D of main, in one commit; tags moved

What protects it: the partition's own old files come back (nothing is computed), they are counted before main moves, and
main and tags move in one commit. A killed rollback is finished by calling it again; a second one ends with
NothingToDo. Run alone: `deftunes-lake rollback sessions --start 2020-01-01 --end 2020-02-01`.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial

import structlog
from pyspark.sql import SparkSession

from deftunes_contract.errors import NothingToDo, StageError
from deftunes_contract.interval import Interval
from deftunes_contract.layout import interval_tag, previous_tag
from deftunes_contract.settings import LakeSettings
from deftunes_lake.commit_retry import retry_on_conflict
from deftunes_lake.iceberg_java import CommitConflict, load_table
from deftunes_lake.partitions import partition_rows, replace_partition
from deftunes_lake.publish import publish_order
from deftunes_lake.refs import fast_forward_main
from deftunes_lake.snapshots import refs_of, snapshot_of
from deftunes_lake.tables import table_name


@dataclass(frozen=True)
class PartitionState:
    """What an interval showed: rows, money (None without), and the run that published it (None: never published)."""

    rows: int
    amount: Decimal | None
    run_id: str | None

    def __str__(self) -> str:
        money = "" if self.amount is None else f", amount {self.amount}"
        return f"{self.rows} rows{money} of run {self.run_id}" if self.run_id else f"{self.rows} rows, unpublished"


@dataclass(frozen=True)
class RolledBack:
    """One table: what it showed and what it shows now."""

    entity: str
    before: PartitionState
    after: PartitionState

    def __str__(self) -> str:
        return f"{self.entity}: {self.before} → {self.after}"


def rollback(
    spark: SparkSession, settings: LakeSettings, entities: Sequence[str], interval: Interval
) -> tuple[RolledBack, ...]:
    """Take back the last publication of an interval.

    Raises NothingToDo when none of the tables has one that can be taken back.
    """
    done: list[RolledBack] = []
    for entity in reversed(publish_order(entities)):
        table = table_name(settings, entity)
        result = retry_on_conflict(
            f"rolling back {entity} {interval.ingest_on}",
            partial(_rollback, spark, entity, table, interval.ingest_on),
        )
        if result is None:
            structlog.get_logger("lake").info(f"{entity} {interval.ingest_on} has no publication to take back")
        else:
            structlog.get_logger("lake").info(str(result))
            done.append(result)
    if not done:
        raise NothingToDo(
            f"{interval} has no publication to take back in {', '.join(entities)}: "
            "it was never published, or was rolled back already; `deftunes-lake status` shows what is public"
        )
    return tuple(done)


def _rollback(spark: SparkSession, entity: str, name: str, ingest_on: date) -> RolledBack | None:
    """Roll one table back, None when there is nothing to. Raises CommitConflict."""
    table = load_table(spark, name)
    refs = refs_of(table)
    shown = snapshot_of(table, refs.tags.get(interval_tag(ingest_on)))
    earlier = snapshot_of(table, refs.tags.get(previous_tag(ingest_on)))
    if shown is None or earlier is None:
        return None
    restored = earlier.staged
    if restored is not None and restored.ingest_on != ingest_on:
        # the interval had never been public: before it, main showed another interval's publication
        restored = None
    properties = {"deftunes-rollback": str(ingest_on)} | (restored.to_properties() if restored else {})
    prefix = f"rollback_{ingest_on:%Y%m%d}_"
    branch = f"{prefix}{uuid.uuid4().hex[:8]}"
    new, _ = replace_partition(spark, table, branch, earlier.id, ingest_on, properties)
    rows, wanted = (partition_rows(spark, table, snapshot, ingest_on) for snapshot in (new.id, earlier.id))
    if rows != wanted or (restored is not None and rows != restored.rows):
        raise StageError(
            f"{entity} {ingest_on}: expected {wanted} rows as before, {restored.rows if restored else 'none'} of them "
            f"published, found {rows} on branch {branch} of {name}; main was not touched"
        )
    tags = {interval_tag(ingest_on): new.id if restored else None, previous_tag(ingest_on): None}
    if not fast_forward_main(
        spark, name, new.id, lambda _: tags, lambda refs: [left for left in refs.branches if left.startswith(prefix)]
    ):
        raise CommitConflict(f"main of {name} moved while {ingest_on} was on its way back")
    was = shown.staged
    return RolledBack(
        entity,
        PartitionState(was.rows, was.amount, was.run_id) if was else PartitionState(0, None, None),
        PartitionState(restored.rows, restored.amount, restored.run_id)
        if restored
        else PartitionState(rows, None, None),
    )
