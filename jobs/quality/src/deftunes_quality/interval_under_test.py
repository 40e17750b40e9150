"""The interval that a gate validates, pinned by its snapshot id, and what is published of the same table.

Data flow: catalog → `StagedInterval` with its `PublicState`. Reads metadata only. The id that is found here is the one
whose rows are read and the one that the gate result names, so rows that are written to the branch later are neither
validated nor published. The public side is read at one loaded state of the table, so everything the rules compare with
belongs together; publish stops (gate result's `replaces`) when the interval is published meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from deftunes_contract.entity import Entity
from deftunes_contract.errors import RetryableError
from deftunes_contract.interval import Interval
from deftunes_contract.layout import branch, interval_tag
from deftunes_contract.load_metrics import LoadMetrics
from deftunes_lake.iceberg_java import load_table
from deftunes_lake.partitions import partition_rows
from deftunes_lake.snapshot_reader import read_snapshot
from deftunes_lake.snapshots import MAIN, branch_head, refs_of, snapshot_of

_TAG = interval_tag(date(2020, 2, 1)).removesuffix("20200201")
"""How the tags of published intervals begin."""
SOURCES = 3
"""Newest other months whose source is looked at, so that the cost does not grow with the history."""


@dataclass(frozen=True)
class PublicState:
    """One state of a table's public side.

    snapshot_id: of the interval's tag, 0 when it has none. main: the snapshot that readers see, 0 before the first.
    rows: of the interval in main. summary: what the run that published the interval counted. previous: the same of the
    month before. others: ingest_on → snapshot id of the other published intervals. sources: `YYYY-MM` and the receipt's
    source of the newest of them, newest first.
    """

    snapshot_id: int = 0
    main: int = 0
    rows: int = 0
    summary: LoadMetrics | None = None
    previous: LoadMetrics | None = None
    others: Mapping[date, int] = field(default_factory=dict)
    sources: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class StagedInterval:
    """One entity's staged interval. previous: what was staged for the month before, when that is public.

    public: the public side of the table at the same time.
    """

    entity: Entity
    interval: Interval
    run_id: str
    table: str
    snapshot_id: int
    summary: LoadMetrics
    previous: LoadMetrics | None
    public: PublicState = field(default_factory=PublicState)

    @property
    def name(self) -> str:
        """`sessions 2020-01`, for people."""
        return f"{self.entity.name} {self.interval.month}"

    def rows(self, spark: SparkSession) -> DataFrame:
        """The interval's rows of exactly this snapshot, all columns."""
        whole = read_snapshot(spark, self.table, self.snapshot_id)
        return whole.where(f.col("ingest_on") == f.lit(self.interval.ingest_on))


def load_staged(spark: SparkSession, table: str, entity: Entity, interval: Interval, run_id: str) -> StagedInterval:
    """What a run staged. Raises RetryableError when it staged nothing, or by another contract version than this one."""
    name = branch(run_id, interval.ingest_on)
    head = branch_head(spark, table, name)
    again = f"run deftunes-transform {entity.name} --start {interval.start} --end {interval.end} --run-id {run_id}"
    if head is None:
        raise RetryableError(
            f"{entity.name} {interval.month}: expected branch {name} of {table}, found none; {again} first"
        )
    summary = head.staged
    wanted = (entity.name, interval.ingest_on, run_id)
    if summary is None or (summary.entity, summary.ingest_on, summary.run_id) != wanted:
        raise RetryableError(
            f"{entity.name} {interval.month}: expected the transform's summary at the head of branch {name} of "
            f"{table}, found snapshot {head.id} with {_named(summary)}; {again} again"
        )
    if summary.contract_version != entity.version:
        raise RetryableError(
            f"{entity.name} {interval.month}: staged by contract {summary.contract_version}, to be validated by "
            f"{entity.version}; {again} again"
        )
    if summary.contract_digest and summary.contract_digest != entity.digest:
        raise RetryableError(
            f"{entity.name} {interval.month}: expected rows staged by the contract as it is now (digest "
            f"{entity.digest[:12]}, overlay {entity.overlay or 'none'}), found {summary.contract_digest[:12]}; "
            f"{again} again"
        )
    if entity.amount and None in (summary.landed_amount, summary.quarantined_amount):
        raise RetryableError(
            f"{entity.name} {interval.month}: expected landed and quarantined amounts in the summary of snapshot "
            f"{head.id}, found none; {again} again"
        )
    public = find_public(spark, table, interval)
    return StagedInterval(entity, interval, run_id, table, head.id, summary, public.previous, public)


def _named(summary: LoadMetrics | None) -> str:
    return "none" if summary is None else f"that of {summary.entity}, {summary.ingest_on}, run {summary.run_id}"


def find_public(spark: SparkSession, table: str, interval: Interval) -> PublicState:
    """The public side of a table as it is now. Raises NoTable."""
    loaded = load_table(spark, table)
    refs = refs_of(loaded)
    main = refs.branches.get(MAIN, 0)
    others = {
        datetime.strptime(tag.removeprefix(_TAG), "%Y%m%d").date(): snapshot
        for tag, snapshot in refs.tags.items()
        if tag.startswith(_TAG)
    }
    own = snapshot_of(loaded, others.pop(interval.ingest_on, None))
    before = snapshot_of(loaded, others.get(interval.previous.ingest_on))
    return PublicState(
        snapshot_id=own.id if own else 0,
        main=main,
        rows=partition_rows(spark, loaded, main, interval.ingest_on) if main else 0,
        summary=own.staged if own else None,
        previous=before.staged if before else None,
        others=others,
        sources=tuple(_sources(loaded, others)),
    )


def _sources(table: Any, others: Mapping[date, int]) -> Iterator[tuple[str, str]]:
    for day in sorted(others, reverse=True)[:SOURCES]:
        found = snapshot_of(table, others[day])
        if found is not None and found.staged is not None and found.staged.source:
            yield Interval.of_ingest_on(day).month, found.staged.source
