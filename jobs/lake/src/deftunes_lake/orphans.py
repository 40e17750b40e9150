"""Orphan files of a table: found first, looked at, and removed only when they can be what killed writes leave.

Data flow: table's folder → files that no snapshot names and that are older than any write → gone.

What protects the table: the files of a table that the catalog has lost, or of commits that a catalog restored from an
old backup has never heard of, look like orphans too. So they are counted and their metadata is read before anything is
touched. Only this step is limited: what expires with a snapshot was named by the table itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyspark.sql import SparkSession

from deftunes_lake.catalog import CATALOG
from deftunes_lake.commit_retry import retry_on_conflict
from deftunes_lake.folders import METADATA_FILE, count_files, metadata_files
from deftunes_lake.iceberg_java import JAVA_ERRORS, CommitConflict, causes, first_line, load_table

FEW_FILES = 5
"""Orphans that are never too many: what one killed write of two tasks leaves, two data files, manifest, manifest list
and metadata file. A table of a few months has some twenty files, of which a tenth would be less than that."""
LARGEST_SHARE = 10
"""More orphans than one file in so many are not what killed writes leave."""


@dataclass(frozen=True)
class Orphans:
    """Files of a table's folder that no snapshot names. total: all files there. suspicious: why they may not go."""

    found: int
    total: int
    suspicious: str = ""


def find_orphans(spark: SparkSession, name: str, older_than: datetime) -> Orphans:
    """The orphans of a table older than this, and whether they can be what killed writes leave. Changes nothing."""
    files = remove_orphans(spark, name, older_than, dry_run=True)
    if not files:
        return Orphans(0, 0)
    table = load_table(spark, name)
    total = count_files(spark, table)
    reason = _foreign(spark, table, files)
    if not reason and len(files) > max(FEW_FILES, total // LARGEST_SHARE):
        reason = (
            f"expected at most {max(FEW_FILES, total // LARGEST_SHARE)} of the {total} files in {table.location()} to "
            f"be of no snapshot (a tenth, or {FEW_FILES}), found {len(files)}"
        )
    return Orphans(len(files), total, reason)


def _foreign(spark: SparkSession, table: Any, files: list[str]) -> str:
    """Why orphans are a table's own history, empty when no metadata file among them shows it."""
    suspects = [file for file in files if METADATA_FILE.search(file)]
    if not suspects:
        return ""
    own = table.operations().current()
    uuid, sequence = str(own.uuid()), int(own.lastSequenceNumber())
    for found in metadata_files(spark, table.io(), str(table.location()), only=suspects):
        if found.rows and found.uuid not in ("", uuid):
            return f"expected files of this table, found that {found.file} is the metadata of another one, with rows"
        # a killed commit is one ahead of the table that it did not change
        if found.uuid == uuid and found.sequence > sequence + 1:
            return (
                f"expected no commit later than the {sequence} that the catalog knows of, found number "
                f"{found.sequence} in {found.file}: the catalog is older than its table"
            )
    return ""


def remove_orphans(spark: SparkSession, name: str, older_than: datetime, *, dry_run: bool) -> list[str]:
    """Remove the files that no snapshot names (dry run: only find them); returns their names."""
    # without prefix_listing S3 is listed folder by folder through Hadoop
    on_s3 = str(load_table(spark, name).location()).startswith("s3")
    arguments = {
        "older_than": sql_timestamp(older_than),
        "dry_run": str(dry_run).lower(),
        "prefix_listing": str(on_s3).lower(),
    }
    return [str(row["orphan_file_location"]) for row in call(spark, "remove_orphan_files", name, arguments)]


def sql_timestamp(moment: datetime) -> str:
    """A moment in UTC as an SQL literal."""
    return f"TIMESTAMP '{moment:%Y-%m-%d %H:%M:%S.%f}'"


def call(spark: SparkSession, procedure: str, name: str, arguments: Mapping[str, str]) -> list[Any]:
    """One of Iceberg's procedures on a table; lost races are tried again."""
    given = ", ".join(f"{key} => {value}" for key, value in arguments.items())
    statement = f"CALL {CATALOG}.system.{procedure}(table => '{name}'"
    statement += f", {given})" if given else ")"

    def step() -> list[Any]:
        try:
            return spark.sql(statement).collect()
        except JAVA_ERRORS as error:
            if causes(error) & {"CommitFailedException", "ValidationException"}:
                raise CommitConflict(first_line(error)) from error
            raise

    return retry_on_conflict(f"{procedure} of {name}", step)
