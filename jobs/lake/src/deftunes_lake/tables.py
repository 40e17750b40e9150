"""The Iceberg tables as the contracts want them: made once, then only ever grown.

Data flow: contracts → catalog. What a contract may change: evolution.py. Run alone: `deftunes-lake create`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

from pyspark.sql import SparkSession

from deftunes_contract.entity import Entity
from deftunes_contract.errors import UsageError
from deftunes_contract.registry import load, registry
from deftunes_contract.settings import LakeSettings
from deftunes_lake.catalog import CATALOG
from deftunes_lake.commit_retry import retry_on_conflict
from deftunes_lake.evolution import schema_changes
from deftunes_lake.folders import check_not_lost
from deftunes_lake.iceberg_java import (
    JAVA_ERRORS,
    CommitConflict,
    NoTable,
    causes,
    first_line,
    load_table,
    translate_commit_errors,
)
from deftunes_lake.types import column_sql, literal, quoted, spark_schema, spark_type

__all__ = ["CATALOG", "ensure_tables", "spark_schema", "spark_type", "table_name"]

PROPERTIES = {
    "format-version": "2",  # every reader reads v2 whole (engine_compat.py)
    "write.delete.mode": "copy-on-write",  # Spectrum pays for every delete file it has to merge
    "write.update.mode": "copy-on-write",
    "write.merge.mode": "copy-on-write",
    "write.format.default": "parquet",
    "write.parquet.compression-codec": "zstd",
    # one write fills one partition: hashing by partition would send all its rows through one task,
    # and sorting by a constant inside each task would be for nothing
    "write.distribution-mode": "none",
    "write.spark.fanout.enabled": "true",
    # old metadata files go by themselves; a reader that pinned a metadata file has this many commits to finish
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "100",
    # many months may be staged at once; the defaults (4 tries) give up too early
    "commit.retry.num-retries": "25",
    "commit.retry.min-wait-ms": "50",
    "commit.retry.max-wait-ms": "5000",
    # expire_snapshots needs it; no file is shared with another table
    "gc.enabled": "true",
}


def table_name(settings: LakeSettings, entity: str) -> str:
    """Three-part name, e.g. `lake.deftunes_transform.users`."""
    return f"{CATALOG}.{settings.database}.{entity}"


def ensure_tables(spark: SparkSession, settings: LakeSettings, names: Sequence[str] | None = None) -> tuple[str, ...]:
    """Make the database and tables, each with a first snapshot; grow those that are there to their contracts.

    names: entities; default: all tables of the registry.
    Any number of processes may do so at once. Returns what was done, one sentence each, nothing when all was as it
    should be. Raises UsageError when a folder holds a table that the catalog has lost, DataRejected when a table
    contradicts its contract, RetryableError when others kept winning.
    """
    done: list[str] = []
    entities = [load(name) for name in (registry().tables if names is None else names)]
    # before anything is made: of a catalog that lost some of its tables, none may be made anew
    _check_not_lost(spark, settings, entities)
    for entity in entities:
        name = table_name(settings, entity.name)
        # another process may make or grow the same table meanwhile: then its work is looked at, not repeated
        done += retry_on_conflict(f"making {name}", partial(_ensure, spark, settings, name, entity))
    return tuple(done)


def _check_not_lost(spark: SparkSession, settings: LakeSettings, entities: Sequence[Entity]) -> None:
    """Raises UsageError when the catalog names no such table but its folder holds one (folders.py)."""
    missing = [e for e in entities if not _is_there(spark, settings, e)]
    if missing:
        # where a table would lie depends on its database
        retry_on_conflict(f"making database {settings.database}", partial(_create_database, spark, settings))
    for entity in missing:
        try:
            check_not_lost(spark, settings, entity.name)
        except UsageError:
            # another process may have made it since, and filled it
            if not _is_there(spark, settings, entity):
                raise


def _is_there(spark: SparkSession, settings: LakeSettings, entity: Entity) -> bool:
    try:
        load_table(spark, table_name(settings, entity.name))
    except NoTable:
        return False
    return True


def _create_database(spark: SparkSession, settings: LakeSettings) -> None:
    _change(spark, f"CREATE NAMESPACE IF NOT EXISTS {CATALOG}.{quoted(settings.database)}")


def _ensure(spark: SparkSession, settings: LakeSettings, name: str, entity: Entity) -> list[str]:
    done: list[str] = []
    try:
        table = load_table(spark, name)
    except NoTable:
        _create(spark, settings, name, entity)
        done.append(f"made {name}")
        table = load_table(spark, name)
    additions = schema_changes(name, table, entity)
    for statement in additions:
        _change(spark, statement)
    if additions:
        done.append(f"grew {name} to contract version {entity.version}: {'; '.join(additions)}")
        table.refresh()
    if table.currentSnapshot() is None:
        # branches start from a snapshot, so an empty table needs one
        with translate_commit_errors(f"the first snapshot of {name}"):
            table.newAppend().commit()
    return done


def _create(spark: SparkSession, settings: LakeSettings, name: str, entity: Entity) -> None:
    _create_database(spark, settings)
    columns = ",\n  ".join(column_sql(column) for column in entity.columns)
    properties = ", ".join(f"{literal(key)} = {literal(value)}" for key, value in PROPERTIES.items())
    _change(
        spark,
        f"CREATE TABLE IF NOT EXISTS {name} (\n  {columns}\n) USING iceberg "
        f"PARTITIONED BY ({', '.join(map(quoted, entity.partition))}) "
        f"COMMENT {literal(f'{entity.purpose} One row: {entity.grain}.')} TBLPROPERTIES ({properties})",
    )


def _change(spark: SparkSession, statement: str) -> None:
    """One DDL statement. Raises CommitConflict when another process was faster: look again, then decide."""
    try:
        spark.sql(statement)
    except JAVA_ERRORS as error:
        # JdbcCatalog wraps a lost race for a new namespace's row in UncheckedSQLException
        if causes(error) & {"CommitFailedException", "AlreadyExistsException", "UncheckedSQLException"} or re.search(
            r"ALREADY_EXISTS|already exists", str(error)
        ):
            raise CommitConflict(first_line(error)) from error
        raise
