"""One partition of a table as a set of files: counted from the manifests, or put onto another state of the table.

Data flow: snapshot → branch. Reads and writes metadata only.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from pyspark.sql import SparkSession

from deftunes_lake.iceberg_java import CommitConflict, jvm, translate_commit_errors
from deftunes_lake.refs import update_refs
from deftunes_lake.snapshots import MAIN, Snapshot, refs_of, snapshot_of

EPOCH = date(1970, 1, 1)


def partition_filter(spark: SparkSession, ingest_on: date, **others: str) -> Any:
    """Iceberg expression `ingest_on = D`, and the same of other partition columns that hold text."""
    expressions = jvm(spark).org.apache.iceberg.expressions.Expressions
    found = expressions.equal("ingest_on", (ingest_on - EPOCH).days)
    for column, value in others.items():
        found = getattr(expressions, "and")(found, expressions.equal(column, value))
    return found


def partition_files(spark: SparkSession, table: Any, snapshot_id: int, ingest_on: date, **others: str) -> list[Any]:
    """The data files of one partition (see partition_filter) in one snapshot, read from the manifests."""
    scan = table.newScan().useSnapshot(snapshot_id).filter(partition_filter(spark, ingest_on, **others))
    # without its column statistics a file that is put elsewhere could no longer be skipped by readers
    tasks = scan.includeColumnStats().planFiles()
    files: dict[str, Any] = {}
    try:
        iterator = tasks.iterator()
        while iterator.hasNext():
            file = iterator.next().file()
            files[file.location()] = file
    finally:
        tasks.close()
    return list(files.values())


def partition_rows(spark: SparkSession, table: Any, snapshot_id: int, ingest_on: date) -> int:
    """Rows of the partition `ingest_on` in one snapshot, counted from the manifests."""
    return sum(file.recordCount() for file in partition_files(spark, table, snapshot_id, ingest_on))


def replace_partition(
    spark: SparkSession, table: Any, branch: str, source: int, ingest_on: date, properties: Mapping[str, str]
) -> tuple[Snapshot, Snapshot]:
    """Begin a new branch at main with the partition of snapshot `source` in place of main's.

    The partition comes by reference to its files: they are those that were written (and validated), so not a row can
    differ, and not a byte is copied. Returns the new snapshot and the main that it stands on. Raises CommitConflict.
    """
    base = refs_of(table).branches[MAIN]
    # Iceberg would make a missing branch itself, but then counts the table's totals from zero
    update_refs(table, branches={branch: base})
    table.refresh()
    overwrite = table.newOverwrite().overwriteByRowFilter(partition_filter(spark, ingest_on)).toBranch(branch)
    for file in partition_files(spark, table, source, ingest_on):
        overwrite = overwrite.addFile(file)
    for key, value in properties.items():
        overwrite = overwrite.set(key, value)
    with translate_commit_errors(f"the partition {ingest_on} on {branch}"):
        overwrite.commit()
    table.refresh()
    new, old = snapshot_of(table, refs_of(table).branches.get(branch)), snapshot_of(table, base)
    if new is None or old is None or new.parent_id != base:
        raise CommitConflict(f"branch {branch} was moved by somebody else")
    return new, old
