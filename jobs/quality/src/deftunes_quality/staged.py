"""What is judged: the head of a run's branch, held fast by its snapshot id.

Data flow: catalog → `Staged`. Reads metadata only. The id that is found here is the one whose rows are read and the
one that the gate result names, so rows that are staged meanwhile are neither judged nor published.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from deftunes_contract.entity import Entity
from deftunes_contract.errors import RetryableError
from deftunes_contract.interval import Interval
from deftunes_contract.layout import branch
from deftunes_contract.load_metrics import LoadMetrics
from deftunes_lake.snapshot_reader import read_snapshot
from deftunes_lake.snapshots import branch_head
from deftunes_quality.public import PublicState, find_public


@dataclass(frozen=True)
class Staged:
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


def find_staged(spark: SparkSession, table: str, entity: Entity, interval: Interval, run_id: str) -> Staged:
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
            f"{entity.name} {interval.month}: staged by contract {summary.contract_version}, to be judged by "
            f"{entity.version}; {again} again"
        )
    if entity.amount and None in (summary.landed_amount, summary.quarantined_amount):
        raise RetryableError(
            f"{entity.name} {interval.month}: expected landed and quarantined amounts in the summary of snapshot "
            f"{head.id}, found none; {again} again"
        )
    public = find_public(spark, table, interval)
    return Staged(entity, interval, run_id, table, head.id, summary, public.previous, public)


def _named(summary: LoadMetrics | None) -> str:
    return "none" if summary is None else f"that of {summary.entity}, {summary.ingest_on}, run {summary.run_id}"
