"""Frames of one fixed snapshot, so that a commit of somebody else cannot tear a reader's passes over the data."""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession

from deftunes_contract.errors import RetryableError
from deftunes_lake.snapshots import branch_head, main_head


def read_snapshot(spark: SparkSession, table: str, snapshot_id: int) -> DataFrame:
    """All rows of one snapshot of a table."""
    return spark.read.option("versionAsOf", snapshot_id).table(table)


def read_branch(spark: SparkSession, table: str, branch: str) -> DataFrame:
    """All rows at the present head of a branch. Raises RetryableError when there is no such branch."""
    head = branch_head(spark, table, branch)
    if head is None:
        raise RetryableError(f"expected a branch {branch} of {table}, found none; run deftunes-transform first")
    return read_snapshot(spark, table, head.id)


def read_main(spark: SparkSession, table: str) -> DataFrame:
    """All rows at the present head of main. Raises RetryableError when the table has no snapshot yet."""
    head = main_head(spark, table)
    if head is None:
        raise RetryableError(f"expected a first snapshot of {table}, found none; run deftunes-lake create")
    return read_snapshot(spark, table, head.id)
