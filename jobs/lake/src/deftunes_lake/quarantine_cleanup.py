"""Quarantine rows of runs that were never published, or are public no more and cannot come back, go (ADR 8).

Data flow: quarantine → the same table, in one commit. What protects the rest: a run's rows stay while its branch is
there, while a tag or any snapshot on main's line names the run, and while its table cannot be read. Only the files that
were looked at are removed, so rows that a run writes meanwhile stay; a file that is gone meanwhile is a conflict, and
everything is looked at anew.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql import functions as f

from deftunes_contract.entity import QUARANTINE
from deftunes_contract.layout import branch as branch_name
from deftunes_contract.settings import LakeSettings
from deftunes_lake.commit_retry import retry_on_conflict
from deftunes_lake.iceberg_java import NoTable, load_table, translate_commit_errors
from deftunes_lake.partitions import partition_files
from deftunes_lake.snapshot_reader import read_snapshot
from deftunes_lake.snapshots import MAIN, Snapshot, refs_of, snapshot_of
from deftunes_lake.tables import table_name


@dataclass(frozen=True)
class RunRows:
    """What one run quarantined of one interval of one entity."""

    entity: str
    ingest_on: date
    run_id: str
    rows: int


def remove_unpublished(
    spark: SparkSession,
    settings: LakeSettings,
    older_than: datetime,
    dropped: Mapping[str, Collection[str]],
    *,
    dry_run: bool,
) -> tuple[RunRows, ...]:
    """Remove the rows of unpublished runs whose newest row is older than this (UTC); returns what was removed.

    dropped: table → branches that count as gone, for a dry run that has dropped none. Raises NoTable, RetryableError.
    """
    name = table_name(settings, QUARANTINE)
    return retry_on_conflict(
        f"removing unpublished rows of {name}",
        partial(_remove, spark, settings, name, older_than, dropped, dry_run=dry_run),
    )


def _remove(
    spark: SparkSession,
    settings: LakeSettings,
    name: str,
    older_than: datetime,
    dropped: Mapping[str, Collection[str]],
    *,
    dry_run: bool,
) -> tuple[RunRows, ...]:
    table = load_table(spark, name)  # before the runs' tables: a branch that is begun later has rows that are newer
    head = refs_of(table).branches.get(MAIN)
    if head is None:
        return ()
    rows = read_snapshot(spark, name, head).groupBy("entity", "ingest_on", "run_id")
    counted = rows.agg(f.count("*").alias("rows"), f.max("processing_timestamp").alias("newest")).collect()
    aged = [
        RunRows(row["entity"], row["ingest_on"], row["run_id"], row["rows"])
        for row in counted
        if row["newest"] < older_than.replace(tzinfo=None)
    ]
    kept = {entity: _Kept(spark, table_name(settings, entity), dropped) for entity in {one.entity for one in aged}}
    going = tuple(one for one in aged if not kept[one.entity].names(one))
    if going and not dry_run:
        delete = table.newDelete().validateFilesExist()
        for one in going:
            for file in partition_files(spark, table, head, one.ingest_on, entity=one.entity, run_id=one.run_id):
                delete = delete.deleteFile(file)
        with translate_commit_errors(f"the removal of quarantine rows of {len(going)} unpublished runs"):
            delete.commit()
    return going


class _Kept:
    """The runs that one table still knows of."""

    def __init__(self, spark: SparkSession, name: str, dropped: Mapping[str, Collection[str]]) -> None:
        self._branches: set[str] = set()
        self._runs: set[tuple[date, str]] | None = None
        try:
            table = load_table(spark, name)
        except NoTable:
            return  # without the table, what was published is unknown
        refs = refs_of(table)
        self._branches = set(refs.branches) - {MAIN} - set(dropped.get(name, ()))
        public = [snapshot_of(table, snapshot) for snapshot in refs.tags.values()]
        staged = [s.staged for s in (*public, *_line(table, refs.branches.get(MAIN))) if s is not None]
        self._runs = {(one.ingest_on, one.run_id) for one in staged if one is not None}

    def names(self, rows: RunRows) -> bool:
        """Whether the table knows of the run, or may know of it."""
        own = branch_name(rows.run_id, rows.ingest_on)
        return (
            self._runs is None
            or (rows.ingest_on, rows.run_id) in self._runs
            or any(branch == own or branch.startswith(f"{own}_") for branch in self._branches)
        )


def _line(table: Any, snapshot_id: int | None) -> Iterator[Snapshot]:
    """A snapshot and those that it descends from, as far as they have not expired."""
    current = snapshot_of(table, snapshot_id)
    while current is not None:
        yield current
        current = snapshot_of(table, current.parent_id)
