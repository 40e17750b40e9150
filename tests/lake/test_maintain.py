"""Maintenance leaves every public row as it was, and what it may not take."""

from __future__ import annotations

import os
import sqlite3
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from lake_cases import FEBRUARY, JANUARY, LakeCase

from deftunes_contract.errors import DataRejected, RetryableError
from deftunes_contract.layout import branch
from deftunes_lake import maintain as maintain_module
from deftunes_lake import tables as tables_module
from deftunes_lake.folders import had_branch
from deftunes_lake.iceberg_java import load_table
from deftunes_lake.maintain import _drop_branches, maintain
from deftunes_lake.orphans import Orphans
from deftunes_lake.snapshots import branch_head, main_head, refs_of
from deftunes_lake.staging import reset_branch
from deftunes_lake.tables import ensure_tables


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let maintenance believe that ten days have passed."""
    real = maintain_module.datetime

    class Later(real):  # type: ignore[misc, valid-type]
        @classmethod
        def now(cls, *given: object) -> object:
            return real.now(*given) + timedelta(days=10)  # type: ignore[arg-type]

    monkeypatch.setattr(maintain_module, "datetime", Later)
    # for orphan files ten days from now would mean that files of this moment are old: Iceberg refuses that
    monkeypatch.setattr(maintain_module, "find_orphans", lambda *_: Orphans(0, 0))


def _many_small_files(case: LakeCase) -> None:
    """A partition of nine files, made by a run that wrote with nine tasks."""
    frame = case.frame("users", 90, JANUARY, "small").repartition(9)
    frame.writeTo(case.table("users")).append()


@pytest.mark.usefixtures("later")
def test_public_content_is_the_same_and_files_are_fewer(case: LakeCase) -> None:
    _many_small_files(case)
    case.stage_and_gate("users", 5, FEBRUARY)
    case.publish(["users"], FEBRUARY)
    before = case.public("users")
    files = case.spark.sql(f"SELECT * FROM {case.table('users')}.files").count()
    (done,) = [one for one in maintain(case.spark, case.settings) if one.table == case.table("users")]
    assert case.public("users") == before
    assert done.compacted == 9
    assert case.spark.sql(f"SELECT * FROM {case.table('users')}.files").count() == files - 8
    assert case.tag_is_true("users", FEBRUARY)


@pytest.mark.usefixtures("later")
def test_old_branches_and_snapshots_go_and_tags_protect_theirs(case: LakeCase) -> None:
    for run in ("a", "b"):
        case.stage_and_gate("users", 5, JANUARY, run)
        case.publish(["users"], JANUARY, run)
    case.stage("users", 7, JANUARY, "forgotten")
    (done,) = [one for one in maintain(case.spark, case.settings) if one.table == case.table("users")]
    assert done.branches == (branch("forgotten", JANUARY),)
    # the empty first snapshot and the forgotten branch's; a and b are held by tags
    assert done.snapshots == 2
    table = load_table(case.spark, case.table("users"))
    assert all(table.snapshot(snapshot) is not None for snapshot in refs_of(table).tags.values())
    case.rollback(["users"])
    assert case.tag_is_true("users", JANUARY)


def test_young_branches_and_files_stay(case: LakeCase) -> None:
    snapshot = case.stage("users", 7, JANUARY, "running")
    done = maintain(case.spark, case.settings, older_than_days=1)
    assert all(one.branches == () and one.snapshots == 0 and one.orphans == 0 for one in done)
    assert case.at("users", snapshot)["2020-02-01"][0] == 7


def test_orphan_files_go_when_they_are_old_and_a_dry_run_touches_nothing(case: LakeCase) -> None:
    _many_small_files(case)
    before = case.public("users")
    folder = Path(case.settings.warehouse) / case.settings.database / "users" / "data"
    old, young = folder / "old-stray.parquet", folder / "young-stray.parquet"
    for stray in (old, young):
        stray.write_bytes(b"left by a killed writer")
    four_days_ago = time.time() - 4 * 86400
    os.utime(old, (four_days_ago, four_days_ago))
    head = main_head(case.spark, case.table("users"))
    (would,) = [
        one
        for one in maintain(case.spark, case.settings, older_than_days=1, dry_run=True)
        if one.table == case.table("users")
    ]
    assert (would.orphans, would.compacted) == (1, 9)
    assert old.exists()
    assert main_head(case.spark, case.table("users")) == head
    maintain(case.spark, case.settings, older_than_days=1)
    assert not old.exists()
    assert young.exists()
    assert case.public("users") == before


def test_a_branch_staged_before_maintenance_is_published_after_it(case: LakeCase) -> None:
    _many_small_files(case)
    case.stage_and_gate("users", 5, FEBRUARY)
    maintain(case.spark, case.settings)
    assert branch_head(case.spark, case.table("users"), branch("one", FEBRUARY)) is not None
    case.publish(["users"], FEBRUARY)
    assert {month: rows for month, (rows, *_) in case.public("users").items()} == {"2020-02-01": 90, "2020-03-01": 5}


def test_when_quiet_waits_for_open_branches_and_touches_nothing(case: LakeCase) -> None:
    _many_small_files(case)
    case.stage_and_gate("users", 5, FEBRUARY, "open")
    before = refs_of(load_table(case.spark, case.table("users")))
    with pytest.raises(
        RetryableError, match=rf"found {branch('open', FEBRUARY)} on \S+users: wait until its run has published"
    ):
        maintain(case.spark, case.settings, require_idle=True)
    assert refs_of(load_table(case.spark, case.table("users"))) == before
    case.publish(["users"], FEBRUARY, "open")
    assert next(one.table for one in maintain(case.spark, case.settings, require_idle=True)) == case.table("users")


@pytest.mark.usefixtures("later")
def test_when_quiet_does_not_wait_for_forgotten_branches(case: LakeCase) -> None:
    case.stage("users", 7, JANUARY, "forgotten")
    done = [one for one in maintain(case.spark, case.settings, require_idle=True) if one.table == case.table("users")]
    assert done[0].branches == (branch("forgotten", JANUARY),)


def _age(case: LakeCase, entity: str, days: int = 9) -> dict[str, int]:
    """Let all files of a table's folder be so old; returns them, with their sizes."""
    folder, then = Path(case.settings.warehouse) / case.settings.database / entity, time.time() - days * 86400
    files = [file for file in folder.rglob("*") if file.is_file()]
    for file in files:
        os.utime(file, (then, then))
    return {str(file): file.stat().st_size for file in files}


def _point_at(case: LakeCase, entity: str, metadata: Path | None) -> None:
    """Let the catalog forget a table, or name another of its metadata files."""
    whose = (entity, case.settings.database)
    with sqlite3.connect(case.settings.catalog_file) as connection:
        if metadata is None:
            connection.execute("DELETE FROM iceberg_tables WHERE table_name = ? AND table_namespace = ?", whose)
            return
        connection.execute(
            "UPDATE iceberg_tables SET metadata_location = ? WHERE table_name = ? AND table_namespace = ?",
            (str(metadata), *whose),
        )


def test_the_files_of_a_table_that_the_catalog_lost_are_no_orphans(
    case: LakeCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run in ("a", "b", "c"):
        case.stage_and_gate("users", 5, JANUARY, run)
        case.publish(["users"], JANUARY, run)
    _age(case, "users")
    _point_at(case, "users", None)
    # a release that did not look made an empty table beside the old one
    monkeypatch.setattr(tables_module, "check_not_lost", lambda *_: None)
    ensure_tables(case.spark, case.settings, ["users"])
    case.stage_and_gate("users", 3, FEBRUARY, "d")
    case.publish(["users"], FEBRUARY, "d")
    before = _age(case, "users")
    (would,) = [one for one in maintain(case.spark, case.settings, dry_run=True) if one.table == case.table("users")]
    assert would.orphans > would.files // 10
    assert "another one, with rows" in str(would)
    assert f"{would.orphans} orphan files removed of {would.files} files; refused" in str(would)
    with pytest.raises(DataRejected, match="users: .*--allow-orphans users"):
        maintain(case.spark, case.settings)
    with pytest.raises(DataRejected, match="Restore the catalog"):
        maintain(case.spark, case.settings, allow_orphans=["sessions"])
    assert _age(case, "users") == before
    # who knows better names the table
    shown = case.public("users")
    (done,) = [
        one for one in maintain(case.spark, case.settings, allow_orphans=["users"]) if one.table == case.table("users")
    ]
    assert (done.orphans, done.suspicious) == (would.orphans, "")
    assert case.public("users") == shown


def test_a_catalog_from_an_old_backup_does_not_cost_what_came_after_it(case: LakeCase) -> None:
    case.stage_and_gate("users", 5, JANUARY, "a")
    case.publish(["users"], JANUARY, "a")
    folder = Path(case.settings.warehouse) / case.settings.database / "users" / "metadata"
    backup = max(folder.glob("*.metadata.json"))
    for run in ("b", "c"):
        case.stage_and_gate("users", 4, FEBRUARY, run)
        case.publish(["users"], FEBRUARY, run)
    _point_at(case, "users", backup)
    before = _age(case, "users")
    with pytest.raises(DataRejected, match="the catalog is older than its table"):
        maintain(case.spark, case.settings)
    assert _age(case, "users") == before


def test_many_orphans_are_refused_and_a_killed_writes_few_are_not(case: LakeCase) -> None:
    case.stage_and_gate("users", 5)
    case.publish(["users"])
    folder = Path(case.settings.warehouse) / case.settings.database / "users" / "data"
    for number in range(6):
        (folder / f"stray-{number}.parquet").write_bytes(b"left by a killed writer")
    before = _age(case, "users")
    with pytest.raises(DataRejected, match=r"expected at most 5 of the \d+ files .* found 6"):
        maintain(case.spark, case.settings)
    assert _age(case, "users") == before
    (folder / "stray-0.parquet").unlink()
    (done,) = [one for one in maintain(case.spark, case.settings) if one.table == case.table("users")]
    assert done.orphans == 5
    assert case.public("users")["2020-02-01"][0] == 5


def test_an_empty_branch_is_as_old_as_its_first_metadata_file(case: LakeCase) -> None:
    """Main may be a year old when a run begins its branch there: the branch is young, and its run needs it."""
    case.stage_and_gate("users", 5)
    case.publish(["users"])
    time.sleep(1)
    before = datetime.now(UTC)
    reset_branch(case.spark, case.table("users"), branch("running", FEBRUARY))
    drop = partial(_drop_branches, case.spark, case.table("users"), dry_run=True)
    assert drop(before) == ()
    assert drop(datetime.now(UTC)) == (branch("running", FEBRUARY),)
    assert not had_branch(case.spark, load_table(case.spark, case.table("users")), branch("running", FEBRUARY), before)
