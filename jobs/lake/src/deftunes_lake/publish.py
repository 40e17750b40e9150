"""Publish: what a gate let through becomes main, table by table, facts last.

    branch run_<run>_<D> + gate result ─► main, tag interval_<D>, tag before_<D>

What protects it: nothing moves until every entity of the call has a passing gate result that names the very head of
its branch, and the warehouse's readers can read that head (engine_compat.py); nor when the interval was published by
somebody else since the gate compared the rows with what was public. In one table main, tags and branch change in
one commit, so a killed publish leaves each table either as it was or done, and calling it again does the rest. If main
moved since the run staged its rows, the approved data files are put onto the new main first (on a branch of their own,
counted, summed and checked again before it becomes main). Run alone:
`deftunes-lake publish users sessions --start 2020-01-01 --end 2020-02-01`.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

import structlog
from pyspark.sql import SparkSession
from pyspark.sql import functions as f

from deftunes_contract.entity import Entity
from deftunes_contract.errors import DataRejected, RetryableError, StageError
from deftunes_contract.gate import GateResult, find_gate_result
from deftunes_contract.interval import Interval
from deftunes_contract.layout import branch as branch_name
from deftunes_contract.layout import interval_tag, previous_tag
from deftunes_contract.load_metrics import LoadMetrics
from deftunes_contract.object_store import ObjectStore
from deftunes_contract.registry import registry
from deftunes_contract.settings import LakeSettings
from deftunes_lake.commit_retry import retry_on_conflict
from deftunes_lake.engine_compat import check_engine_compatibility
from deftunes_lake.iceberg_java import CommitConflict, load_table
from deftunes_lake.partitions import partition_rows, replace_partition
from deftunes_lake.refs import fast_forward_main, update_refs
from deftunes_lake.snapshot_reader import read_snapshot
from deftunes_lake.snapshots import MAIN, Refs, Snapshot, is_ancestor, refs_of, snapshot_of
from deftunes_lake.tables import table_name


@dataclass(frozen=True)
class PublishTarget:
    """One table of a publish: where the run's rows are and where they go."""

    entity: Entity
    table: str
    ingest_on: date
    run_id: str

    @property
    def branch(self) -> str:
        """The run's branch."""
        return branch_name(self.run_id, self.ingest_on)

    @property
    def rebased(self) -> str:
        """How the branches begin on which approved rows meet a main that moved; each attempt has its own."""
        return f"{self.branch}_rebased_"

    def stale_branches(self, refs: Refs) -> list[str]:
        """The branches of this target, to be dropped when it is public."""
        return [name for name in refs.branches if name == self.branch or name.startswith(self.rebased)]

    def tags(self, public: int, refs: Refs) -> dict[str, int | None]:
        """Where the interval's tags go when a snapshot becomes public."""
        tag = interval_tag(self.ingest_on)
        # what the interval showed before: its last publication; if there was none, main without it
        return {tag: public, previous_tag(self.ingest_on): refs.tags.get(tag, refs.branches[MAIN])}

    def __str__(self) -> str:
        return f"{self.entity.name} {self.ingest_on} of run {self.run_id}"


@dataclass(frozen=True)
class Published:
    """What became (or already was) public: the snapshot, and whether this call did it."""

    entity: str
    snapshot: Snapshot
    summary: LoadMetrics
    changed: bool


def publish(
    spark: SparkSession,
    settings: LakeSettings,
    store: ObjectStore,
    entities: Sequence[str],
    interval: Interval,
    run_id: str,
) -> tuple[Published, ...]:
    """Publish one interval of a run, all entities or (when a gate is not open) none.

    Raises DataRejected when a gate is closed or the warehouse could not read the result; RetryableError when
    something was not staged or not validated, or other writers kept committing first. Calling it again, after success
    or a kill, ends in the same state.
    """
    targets = [
        PublishTarget(registry().entity(name), table_name(settings, name), interval.ingest_on, run_id)
        for name in publish_order(entities)
    ]
    approved = {target.table: _approved_snapshot(spark, store, target) for target in targets}
    done = []
    for target in targets:
        published = retry_on_conflict(f"publishing {target}", partial(_publish, spark, target, approved[target.table]))
        structlog.get_logger("lake").info(
            f"{target.entity.name} {'is public' if published.changed else 'was public already'}",
            ingest_on=str(target.ingest_on),
            snapshot=published.snapshot.id,
            rows=published.summary.rows,
            amount=str(published.summary.amount) if published.summary.amount is not None else None,
        )
        done.append(published)
    return tuple(done)


def publish_order(entities: Sequence[str]) -> list[str]:
    """Entities in the order in which they may become public: a fact never before what it refers to.

    Raises UsageError for a name that is no entity.
    """
    names = {registry().entity(name).name for name in entities}
    return [name for name in registry().names if name in names]


def _approved_snapshot(spark: SparkSession, store: ObjectStore, target: PublishTarget) -> GateResult | None:
    """The open gate of what may become public, None when the run is public already. Changes nothing."""
    table = load_table(spark, target.table)
    head = snapshot_of(table, refs_of(table).branches.get(target.branch))
    if head is None:
        _published_by_run(table, target)
        return None
    _staged(target, head)
    stage = f"{target.entity.name} --start {Interval.of_ingest_on(target.ingest_on).start} --end {target.ingest_on}"
    gate = find_gate_result(store, target.entity.name, target.ingest_on, target.run_id)
    if gate is None:
        raise RetryableError(f"{target}: expected a gate result, found none; run deftunes-quality {stage} first")
    if gate.snapshot_id != head.id:
        raise RetryableError(
            f"{target}: the gate validated snapshot {gate.snapshot_id}, but branch {target.branch} is at {head.id}; "
            f"it was staged again, rerun deftunes-quality {stage}"
        )
    if not gate.passed:
        broken = "; ".join(f"{rule.id} (expected {rule.expected}, found {rule.observed})" for rule in gate.failed_rules)
        raise DataRejected(
            f"{target}: the gate is closed by {broken or 'no named rule'}; nothing was published, main is as it was. "
            "Correct the source or the contract, then run extract, transform and quality again"
        )
    refs = refs_of(table)
    main = refs.branches[MAIN]
    _check_not_superseded(table, refs, target, head, gate)
    # files that will be put onto another main are checked with that main, while no table of the call has moved
    stands_on_main = is_ancestor(table, main, head.id) or is_ancestor(table, head.id, main)
    check_engine_compatibility(spark, str(target), table, head.id, None if stands_on_main else main)
    return gate


def _check_not_superseded(table: Any, refs: Refs, target: PublishTarget, head: Snapshot, gate: GateResult) -> None:
    """Raises RetryableError when the interval no longer shows the rows that the gate compared with."""
    shown = refs.tags.get(interval_tag(target.ingest_on), 0)
    if gate.replaces is None or shown == gate.replaces or is_ancestor(table, head.id, refs.branches[MAIN]):
        return
    public, staged = snapshot_of(table, shown or None), head.staged
    theirs = public.staged if public else None
    if (
        theirs
        and staged
        and (theirs.receipt, theirs.rows, theirs.amount)
        == (
            staged.receipt,
            staged.rows,
            staged.amount,
        )
    ):
        # another run published the very same delivery: there is nothing to lose
        return
    by = f"run {theirs.run_id} published snapshot {shown}" if theirs else "it was rolled back"
    start = Interval.of_ingest_on(target.ingest_on).start
    raise RetryableError(
        f"{target}: the gate compared with snapshot {gate.replaces or 'none'} of the interval, but {by} meanwhile; run "
        f"deftunes-quality {target.entity.name} --start {start} --end {target.ingest_on} --run-id {target.run_id} again"
    )


def _staged(target: PublishTarget, head: Snapshot) -> LoadMetrics:
    """The metrics on the branch's head. Raises RetryableError when it is not this run's interval."""
    staged = head.staged
    wanted = (target.entity.name, target.ingest_on, target.run_id)
    if staged is None or (staged.entity, staged.ingest_on, staged.run_id) != wanted:
        raise RetryableError(
            f"{target}: branch {target.branch} was begun but holds no staged rows of it; "
            "run deftunes-transform and deftunes-quality again"
        )
    return staged


def _published_by_run(table: Any, target: PublishTarget) -> Published:
    """The interval as this run published it. Raises RetryableError when another run did, or nobody."""
    public = snapshot_of(table, refs_of(table).tags.get(interval_tag(target.ingest_on)))
    staged = None if public is None else public.staged
    if public is None or staged is None or staged.run_id != target.run_id:
        by = f"the public rows are those of run {staged.run_id}" if staged else "it is not public either"
        raise RetryableError(
            f"{target}: expected branch {target.branch} of {target.table}, found none, and {by}; "
            "run deftunes-transform and deftunes-quality first"
        )
    return Published(target.entity.name, public, staged, changed=False)


def _publish(spark: SparkSession, target: PublishTarget, gate: GateResult | None) -> Published:
    """Move one table, in one commit. Raises CommitConflict when somebody else committed meanwhile."""
    table = load_table(spark, target.table)
    refs = refs_of(table)
    head = snapshot_of(table, refs.branches.get(target.branch))
    if head is None:
        # moved by a call that was killed later on, or by the same call running twice at once
        return _published_by_run(table, target)
    if gate is None or head.id != gate.snapshot_id:
        raise RetryableError(f"{target}: the branch moved while publishing; rerun deftunes-quality, then publish again")
    summary = _staged(target, head)
    if is_ancestor(table, head.id, refs.branches[MAIN]):
        # staging was begun anew after publishing, and killed before it wrote: nothing new to show
        update_refs(table, branches=dict.fromkeys(target.stale_branches(refs)))
        return Published(target.entity.name, head, summary, changed=False)
    _check_not_superseded(table, refs, target, head, gate)
    public = head
    if not is_ancestor(table, refs.branches[MAIN], head.id):
        public = _rebase(spark, table, target, head)
    if not fast_forward_main(spark, target.table, public.id, partial(target.tags, public.id), target.stale_branches):
        raise CommitConflict(f"main of {target.table} moved while {target} was on its way")
    return Published(target.entity.name, public, summary, changed=True)


def _rebase(spark: SparkSession, table: Any, target: PublishTarget, head: Snapshot) -> Snapshot:
    """Put the approved files onto the main that moved, prove it on a branch; returns the new snapshot."""
    summary = _staged(target, head)
    structlog.get_logger("lake").info(
        f"main of {target.entity.name} moved since run {target.run_id} staged its rows; putting them onto it"
    )
    properties = summary.to_properties() | {"deftunes-rebased": str(head.id)}
    branch = f"{target.rebased}{uuid.uuid4().hex[:8]}"
    candidate, before = replace_partition(spark, table, branch, head.id, target.ingest_on, properties)
    found = read_snapshot(spark, target.table, candidate.id).where(f.col("ingest_on") == f.lit(target.ingest_on))
    amount = f.sum(target.entity.amount) if target.entity.amount else f.lit(None)
    row = found.agg(f.count("*").alias("rows"), amount.alias("amount")).collect()[0]
    others = candidate.total_rows - row["rows"]
    others_before = before.total_rows - partition_rows(spark, table, before.id, target.ingest_on)
    expected = (summary.rows, summary.amount or 0, others_before)
    if (row["rows"], row["amount"] or 0, others) != expected:
        raise StageError(
            f"{target}: expected {summary.rows} rows, amount {summary.amount}, and {others_before} rows of other "
            f"intervals on the new main, found {row['rows']}, {row['amount']} and {others}; main was not touched, "
            f"branch {branch} of {target.table} shows what was found"
        )
    # the head was checked before, but this snapshot holds what came to main meanwhile as well
    check_engine_compatibility(spark, f"{target}, put onto the new main", table, candidate.id)
    return candidate
