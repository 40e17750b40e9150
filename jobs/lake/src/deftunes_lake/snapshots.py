"""Snapshots, branches and tags of a table, as values.

Data flow: catalog → `Snapshot`. Reads metadata only, never a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from pyspark.sql import SparkSession

from deftunes_contract.layout import interval_tag
from deftunes_contract.load_metrics import LoadMetrics
from deftunes_lake.iceberg_java import load_table, properties_of

MAIN = "main"
"""The public branch."""


@dataclass(frozen=True)
class Snapshot:
    """One state of a table. committed_at: UTC. properties: the summary that the writer left."""

    id: int
    parent_id: int | None
    committed_at: datetime
    operation: str
    properties: Mapping[str, str]

    @property
    def staged(self) -> LoadMetrics | None:
        """The transform's metrics of the interval that this snapshot brought; None when it brought none."""
        return LoadMetrics.from_properties(self.properties)

    @property
    def total_rows(self) -> int:
        """Rows of the whole table in this state."""
        return int(self.properties.get("total-records", "0"))


@dataclass(frozen=True)
class Refs:
    """Branches and tags of one loaded state of a table: name → snapshot id."""

    branches: Mapping[str, int]
    tags: Mapping[str, int]


def refs_of(table: Any) -> Refs:
    """The branches and tags of a loaded table."""
    branches: dict[str, int] = {}
    tags: dict[str, int] = {}
    for name, ref in dict(table.refs()).items():
        (branches if ref.isBranch() else tags)[name] = ref.snapshotId()
    return Refs(branches, tags)


def snapshot_of(table: Any, snapshot_id: int | None) -> Snapshot | None:
    """The snapshot of a loaded table; None when the id is None or the snapshot has expired."""
    found = None if snapshot_id is None else table.snapshot(snapshot_id)
    if found is None:
        return None
    return Snapshot(
        id=found.snapshotId(),
        parent_id=found.parentId(),
        committed_at=datetime.fromtimestamp(found.timestampMillis() / 1000, UTC),
        operation=found.operation() or "",
        properties=properties_of(found),
    )


def is_ancestor(table: Any, older: int, newer: int) -> bool:
    """Whether `older` is `newer` or lies on its line of parents, as far as they have not expired."""
    current: int | None = newer
    while current is not None:
        if current == older:
            return True
        found = table.snapshot(current)
        current = None if found is None else found.parentId()
    return False


def branch_head(spark: SparkSession, table: str, branch: str) -> Snapshot | None:
    """Head of a branch, None when there is no such branch. Raises NoTable."""
    loaded = load_table(spark, table)
    return snapshot_of(loaded, refs_of(loaded).branches.get(branch))


def main_head(spark: SparkSession, table: str) -> Snapshot | None:
    """The public state, None before the first commit. Raises NoTable."""
    return branch_head(spark, table, MAIN)


def tagged(spark: SparkSession, table: str, tag: str) -> Snapshot | None:
    """The snapshot of a tag, None when there is no such tag. Raises NoTable."""
    loaded = load_table(spark, table)
    return snapshot_of(loaded, refs_of(loaded).tags.get(tag))


def published(spark: SparkSession, table: str, ingest_on: date) -> Snapshot | None:
    """The snapshot that last published an interval, None when it is not public. Raises NoTable."""
    return tagged(spark, table, interval_tag(ingest_on))
