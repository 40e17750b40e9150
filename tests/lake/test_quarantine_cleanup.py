"""Maintenance removes quarantine rows that belong to no public run, and no others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from lake_cases import FEBRUARY, JANUARY, LakeCase
from pyspark.sql import functions as f

from deftunes_contract.layout import branch
from deftunes_contract.registry import registry
from deftunes_lake import quarantine_cleanup
from deftunes_lake.iceberg_java import load_table
from deftunes_lake.maintain import maintain
from deftunes_lake.quarantine_cleanup import remove_unpublished
from deftunes_lake.refs import update_refs
from deftunes_lake.staging import overwrite_where

NOW = datetime.now(UTC)


@pytest.fixture
def refuse(case: LakeCase) -> Callable[..., None]:
    """Write what a run's transform would quarantine: as many rows, that long ago."""

    def write(run_id: str, ingest_on: date = JANUARY, rows: int = 2, days: int = 30, entity: str = "users") -> None:
        contract = registry().quarantine
        frame = case.frame(contract.name, rows, ingest_on, run_id)
        own = {"entity": entity, "run_id": run_id, "processing_timestamp": NOW.replace(tzinfo=None) - timedelta(days)}
        typed = {name: f.lit(value).cast(frame.schema[name].dataType) for name, value in own.items()}
        where = (f.col("entity") == entity) & (f.col("ingest_on") == f.lit(ingest_on)) & (f.col("run_id") == run_id)
        overwrite_where(case.spark, case.table(contract.name), frame.withColumns(typed), where)

    return write


def runs(case: LakeCase) -> dict[tuple[str, str, str], int]:
    rows = case.spark.table(case.table("quarantine")).groupBy("entity", "ingest_on", "run_id").count().collect()
    return {(row["entity"], str(row["ingest_on"]), row["run_id"]): row["count"] for row in rows}


def drop(case: LakeCase, run_id: str, ingest_on: date = JANUARY) -> None:
    """What maintenance does to a branch that is old enough."""
    update_refs(load_table(case.spark, case.table("users")), branches={branch(run_id, ingest_on): None})


def clean(case: LakeCase, *, dry_run: bool = False) -> dict[str, int]:
    removed = remove_unpublished(case.spark, case.settings, NOW - timedelta(7), {}, dry_run=dry_run)
    return {one.run_id: one.rows for one in removed}


def test_only_old_rows_of_runs_that_nothing_names_go(case: LakeCase, refuse: Callable[..., None]) -> None:
    case.table("songs")
    for run in ("first", "second"):
        case.stage_and_gate("users", 5, JANUARY, run)
        refuse(run)
        case.publish(["users"], JANUARY, run)
    case.stage("users", 4, FEBRUARY, "waiting")
    for run in ("closed", "waiting", "second"):  # `second` staged another month too, which was never published
        refuse(run, FEBRUARY, 3)
    refuse("young", days=6)
    refuse("elsewhere", entity="songs")
    refuse("unknown", entity="nobodys")
    before = runs(case)

    gone = {("users", "2020-03-01", "closed"), ("users", "2020-03-01", "second"), ("songs", "2020-02-01", "elsewhere")}
    assert clean(case, dry_run=True) == {"closed": 3, "second": 3, "elsewhere": 2}
    assert runs(case) == before
    assert clean(case) == {"closed": 3, "second": 3, "elsewhere": 2}
    assert runs(case) == {key: rows for key, rows in before.items() if key not in gone}
    assert clean(case) == {}

    # what a rollback would show stays after it as well, and what it took back is on main's line until that expires
    case.rollback(["users"])
    assert clean(case) == {}
    drop(case, "waiting", FEBRUARY)
    assert clean(case) == {"waiting": 3}


def test_maintenance_counts_the_rows_and_spares_the_public_run(case: LakeCase, refuse: Callable[..., None]) -> None:
    case.create()
    case.stage_and_gate("users", 5)
    refuse("one")
    case.publish(["users"])
    refuse("never")
    would, done = maintain(case.spark, case.settings, dry_run=True)[-1], maintain(case.spark, case.settings)[-1]
    assert would.unpublished == done.unpublished == 2
    assert "2 rows of unpublished runs removed" in str(done)
    assert set(runs(case)) == {("users", "2020-02-01", "one")}
    assert maintain(case.spark, case.settings)[-1].unpublished == 0


def test_rows_that_a_run_writes_meanwhile_stay(
    case: LakeCase, refuse: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    case.table("users")
    refuse("again")
    refuse("other")
    real, calls = quarantine_cleanup.partition_files, []

    def rerun_first(*args: object, **names: str) -> list[object]:
        if not calls:
            calls.append(1)
            found = real(*args, **names)
            refuse("again", days=0)
            refuse("other", days=0)
            return found
        return real(*args, **names)

    monkeypatch.setattr(quarantine_cleanup, "partition_files", rerun_first)
    before = set(runs(case))
    assert clean(case) == {}
    assert calls
    assert set(runs(case)) == before
