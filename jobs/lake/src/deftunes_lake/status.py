"""Status: what every table shows, which runs published it, and what lies on branches. Reads metadata, not a row.

Data flow: catalog → a text or JSON for people and for `deftunes status`. Run alone: `deftunes-lake status --json`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict
from pyspark.sql import SparkSession

from deftunes_contract.registry import registry
from deftunes_contract.settings import LakeSettings
from deftunes_lake.iceberg_java import NoTable, load_table
from deftunes_lake.snapshots import MAIN, Refs, refs_of, snapshot_of
from deftunes_lake.tables import table_name

INTERVAL_TAGS = "interval_"
BEFORE_TAGS = "before_"


class PublishedInterval(BaseModel):
    """One public interval of one table, as the run that published it counted it.

    provisional: it was not over when it was extracted.
    """

    model_config = ConfigDict(frozen=True)

    ingest_on: date
    run_id: str
    snapshot_id: int
    rows: int
    amount: Decimal | None
    quarantined_units: int
    published_from: datetime
    can_roll_back: bool
    provisional: bool


class OpenBranch(BaseModel):
    """A branch with rows that are not public. age_hours: since its last commit."""

    model_config = ConfigDict(frozen=True)

    name: str
    snapshot_id: int
    rows: int | None
    age_hours: float


class TableStatus(BaseModel):
    """One table. rows: of main, all intervals; None when the table is not there."""

    model_config = ConfigDict(frozen=True)

    table: str
    rows: int | None
    snapshot_id: int | None
    committed_at: datetime | None
    intervals: tuple[PublishedInterval, ...] = ()
    branches: tuple[OpenBranch, ...] = ()


def status(spark: SparkSession, settings: LakeSettings) -> tuple[TableStatus, ...]:
    """The status of the entity tables and the quarantine."""
    return tuple(_status(spark, table_name(settings, entity)) for entity in registry().tables)


def _status(spark: SparkSession, name: str) -> TableStatus:
    try:
        table = load_table(spark, name)
    except NoTable:
        return TableStatus(table=name, rows=None, snapshot_id=None, committed_at=None)
    refs = refs_of(table)
    head = snapshot_of(table, refs.branches.get(MAIN))
    return TableStatus(
        table=name,
        rows=head.total_rows if head else 0,
        snapshot_id=head.id if head else None,
        committed_at=head.committed_at if head else None,
        intervals=_intervals(table, refs),
        branches=_branches(table, refs),
    )


def _intervals(table: Any, refs: Refs) -> tuple[PublishedInterval, ...]:
    found = []
    for tag, snapshot_id in sorted(refs.tags.items()):
        snapshot = snapshot_of(table, snapshot_id)
        staged = snapshot.staged if snapshot and tag.startswith(INTERVAL_TAGS) else None
        if snapshot is None or staged is None:
            continue
        found.append(
            PublishedInterval(
                ingest_on=staged.ingest_on,
                run_id=staged.run_id,
                snapshot_id=snapshot_id,
                rows=staged.rows,
                amount=staged.amount,
                quarantined_units=staged.quarantined_units,
                published_from=snapshot.committed_at,
                can_roll_back=tag.replace(INTERVAL_TAGS, BEFORE_TAGS, 1) in refs.tags,
                provisional=staged.partial,
            )
        )
    return tuple(found)


def _branches(table: Any, refs: Refs) -> tuple[OpenBranch, ...]:
    now = datetime.now(UTC)
    found = []
    for name, snapshot_id in sorted(refs.branches.items()):
        snapshot = snapshot_of(table, snapshot_id)
        if name == MAIN or snapshot is None:
            continue
        staged = snapshot.staged
        found.append(
            OpenBranch(
                name=name,
                snapshot_id=snapshot_id,
                rows=staged.rows if staged else None,
                age_hours=round((now - snapshot.committed_at).total_seconds() / 3600, 2),
            )
        )
    return tuple(found)


def as_text(tables: Sequence[TableStatus]) -> str:
    """The status for a terminal."""
    lines: list[str] = []
    for table in tables:
        if table.rows is None:
            lines.append(f"{table.table}: not there")
            continue
        lines.append(f"{table.table}: {table.rows} rows, snapshot {table.snapshot_id}")
        for one in table.intervals:
            money = "" if one.amount is None else f", amount {one.amount}"
            undo = ", can be rolled back" if one.can_roll_back else ""
            part = ", provisional" if one.provisional else ""
            lines.append(f"  {one.ingest_on}: {one.rows} rows{money}, run {one.run_id}{part}{undo}")
        for branch in table.branches:
            rows = "nothing staged" if branch.rows is None else f"{branch.rows} rows staged"
            lines.append(f"  branch {branch.name}: {rows}, {branch.age_hours} h old")
    return "\n".join(lines)
