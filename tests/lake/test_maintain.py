"""Maintenance leaves every public row as it was, and what it may not take."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
from lake_cases import FEBRUARY, JANUARY, LakeCase

from deftunes_contract.exits import Temporary
from deftunes_contract.zones import branch
from deftunes_lake import maintain as maintain_module
from deftunes_lake.maintain import maintain
from deftunes_lake.native import load_table
from deftunes_lake.snapshots import branch_head, main_head, refs_of


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let maintenance believe that ten days have passed."""
    real = maintain_module.datetime

    class Later(real):  # type: ignore[misc, valid-type]
        @classmethod
        def now(cls, *given: object) -> object:
            return real.now(*given) + timedelta(days=10)  # type: ignore[arg-type]

    monkeypatch.setattr(maintain_module, "datetime", Later)
    # for strays ten days from now would mean that files of this moment are old: Iceberg refuses that
    monkeypatch.setattr(maintain_module, "_remove_orphans", lambda *_, **__: 0)


def _many_small_files(case: LakeCase) -> None:
    """A partition of nine files, made by a run that wrote with nine tasks."""
    frame = case.frame("users", 90, JANUARY, "small").repartition(9)
    frame.writeTo(case.table("users")).append()


@pytest.mark.usefixtures("later")
def test_public_content_is_the_same_and_files_are_fewer(case: LakeCase) -> None:
    _many_small_files(case)
    case.stage_and_judge("users", 5, FEBRUARY)
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
        case.stage_and_judge("users", 5, JANUARY, run)
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


def test_strays_go_when_they_are_old_and_a_dry_run_touches_nothing(case: LakeCase) -> None:
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
    case.stage_and_judge("users", 5, FEBRUARY)
    maintain(case.spark, case.settings)
    assert branch_head(case.spark, case.table("users"), branch("one", FEBRUARY)) is not None
    case.publish(["users"], FEBRUARY)
    assert {month: rows for month, (rows, *_) in case.public("users").items()} == {"2020-02-01": 90, "2020-03-01": 5}


def test_when_quiet_waits_for_open_branches_and_touches_nothing(case: LakeCase) -> None:
    _many_small_files(case)
    case.stage_and_judge("users", 5, FEBRUARY, "open")
    before = refs_of(load_table(case.spark, case.table("users")))
    with pytest.raises(
        Temporary, match=rf"found {branch('open', FEBRUARY)} on \S+users: wait until its run has published"
    ):
        maintain(case.spark, case.settings, when_quiet=True)
    assert refs_of(load_table(case.spark, case.table("users"))) == before
    case.publish(["users"], FEBRUARY, "open")
    assert next(one.table for one in maintain(case.spark, case.settings, when_quiet=True)) == case.table("users")


@pytest.mark.usefixtures("later")
def test_when_quiet_does_not_wait_for_forgotten_branches(case: LakeCase) -> None:
    case.stage("users", 7, JANUARY, "forgotten")
    done = [one for one in maintain(case.spark, case.settings, when_quiet=True) if one.table == case.table("users")]
    assert done[0].branches == (branch("forgotten", JANUARY),)
