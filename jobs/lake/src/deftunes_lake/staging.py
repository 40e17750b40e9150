"""Writing a run's rows where readers do not see them yet: one partition, on the run's own branch, in one commit.

Data flow: frame → branch of the run (or, for the quarantine, main). What protects it: a branch starts at main's head
and the partition is replaced whole, so writing twice, or after a kill, gives the same as writing once.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import date
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as f

from deftunes_contract.errors import RetryableError, StageError
from deftunes_contract.load_metrics import LoadMetrics
from deftunes_lake.commit_retry import retry_on_conflict
from deftunes_lake.iceberg_java import JAVA_ERRORS, causes, first_line, load_table
from deftunes_lake.partitions import partition_rows
from deftunes_lake.refs import update_refs
from deftunes_lake.snapshots import MAIN, Snapshot, refs_of, snapshot_of
from deftunes_lake.types import quoted

WRITE_ID = "deftunes-write"
"""Snapshot property that distinguishes writes of one run."""


def write_to_branch(
    spark: SparkSession, table: str, branch: str, frame: DataFrame, ingest_on: date, summary: LoadMetrics
) -> int:
    """Replace the partition `ingest_on` by a frame's rows, on a branch begun anew at main's head; returns the snapshot.

    frame: the table's columns by name, all rows of this ingest_on; an empty frame empties the partition. summary
    travels in the snapshot, and its `rows` must be what was written. Raises RetryableError when another process staged
    onto the same branch meanwhile, StageError when the number of written rows is not the summary's.
    """
    reset_branch(spark, table, branch)
    write_id = uuid.uuid4().hex
    _overwrite(
        frame,
        f"{table}.{quoted(f'branch_{branch}')}",
        f.col("ingest_on") == f.lit(ingest_on),
        summary.to_properties() | {WRITE_ID: write_id},
    )
    loaded = load_table(spark, table)
    written = _own_snapshot(loaded, branch, write_id)
    rows = int(written.properties.get("added-records", "0"))
    # Iceberg would put rows of another ingest_on into that partition, beside what is there
    here = partition_rows(spark, loaded, written.id, ingest_on)
    if (rows, here) != (summary.rows, summary.rows):
        retry_on_conflict(
            f"dropping branch {branch}", lambda: update_refs(load_table(spark, table), branches={branch: None})
        )
        raise StageError(
            f"expected {summary.rows} rows of {ingest_on} on {table}, branch {branch}, but {rows} were written, "
            f"{here} of them with this ingest_on; the branch was dropped. Does the frame give other rows when it is "
            "computed twice (cache it before counting), or hold other intervals?"
        )
    return written.id


def reset_branch(spark: SparkSession, table: str, branch: str) -> int:
    """Let a branch begin anew at main's head; returns that snapshot's id.

    Raises RetryableError when others kept winning.
    """
    return retry_on_conflict(f"branch {branch} of {table}", lambda: _reset(spark, table, branch))


def _reset(spark: SparkSession, table: str, branch: str) -> int:
    loaded = load_table(spark, table)
    branches = refs_of(loaded).branches
    head = branches.get(MAIN)
    if head is None:
        raise RetryableError(f"expected a first snapshot of {table}, found none; run deftunes-lake create")
    if branches.get(branch) != head:
        update_refs(loaded, branches={branch: head})
    return head


def overwrite_where(spark: SparkSession, table: str, frame: DataFrame, condition: Column) -> None:
    """Replace the rows of main that meet a condition by a frame's, in one commit; other writers' commits stay whole.

    The condition must take or leave whole partitions (for the quarantine: entity, ingest_on and run_id).
    """
    _overwrite(frame, table, condition, {})


def _overwrite(frame: DataFrame, target: str, condition: Column, properties: Mapping[str, str]) -> None:
    writer = frame.writeTo(target)
    for key, value in properties.items():
        writer = writer.option(f"snapshot-property.{key}", value)
    try:
        writer.overwrite(condition)
    except JAVA_ERRORS as error:
        names = causes(error)
        if names & {"CommitFailedException", "CommitStateUnknownException"}:
            raise RetryableError(
                f"{target} did not take this write, or did not report whether it did ({first_line(error)}); "
                "run the same again"
            ) from error
        if "branch (does not exist)" in str(error):
            raise RetryableError(f"{target} vanished before it was written to; run the same again") from error
        raise


def _own_snapshot(table: Any, branch: str, write_id: str) -> Snapshot:
    """The head of a branch, which must be this process's own write."""
    head = snapshot_of(table, refs_of(table).branches.get(branch))
    if head is None or head.properties.get(WRITE_ID) != write_id:
        raise RetryableError(
            f"expected the head of branch {branch} of {table.name()} to be this run's write, found another's; "
            "two processes stage the same run and interval, run one of them again"
        )
    return head
