"""Frames of one fixed snapshot, so that a commit of somebody else cannot tear a reader's passes over the data.

A frame has the table's present columns, whatever the schema was when the snapshot was written (ADR 18).
"""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from deftunes_contract.errors import RetryableError
from deftunes_lake.iceberg_java import load_table
from deftunes_lake.snapshots import branch_head, main_head
from deftunes_lake.types import quoted


def read_snapshot(spark: SparkSession, table: str, snapshot_id: int) -> DataFrame:
    """All rows of one snapshot of a table. Columns that were added since are null, widened ones have the wider type."""
    frame = spark.read.option("versionAsOf", snapshot_id).table(table)
    loaded = load_table(spark, table)
    written = loaded.snapshot(snapshot_id).schemaId()
    if written is not None and written == loaded.schema().schemaId():
        return frame
    known = set(frame.columns)
    return frame.select([
        (f.col(quoted(column.name)) if column.name in known else f.lit(None)).cast(column.dataType).alias(column.name)
        for column in spark.table(table).schema
    ])  # fmt: skip


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
