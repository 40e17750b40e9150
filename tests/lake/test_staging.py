"""Staging: one partition, whole, on the run's own branch, any number of times, and main does not move."""

from __future__ import annotations

import pytest
from lake_cases import FEBRUARY, JANUARY, LakeCase
from pyspark.sql import functions as f

from deftunes_contract.errors import RetryableError, StageError
from deftunes_contract.layout import branch
from deftunes_contract.load_metrics import LoadMetrics
from deftunes_contract.registry import load
from deftunes_lake.iceberg_java import NoTable, load_table
from deftunes_lake.refs import update_refs
from deftunes_lake.snapshot_reader import read_branch, read_main, read_snapshot
from deftunes_lake.snapshots import branch_head, main_head, refs_of
from deftunes_lake.staging import overwrite_where, reset_branch, write_to_branch


def test_rows_are_on_the_branch_and_nowhere_else(case: LakeCase) -> None:
    snapshot = case.stage("sessions", 7)
    head = branch_head(case.spark, case.table("sessions"), branch("one", JANUARY))
    assert head is not None
    assert head.id == snapshot
    assert head.staged is not None
    assert (head.staged.rows, head.staged.run_id, head.staged.ingest_on) == (7, "one", JANUARY)
    assert case.at("sessions", snapshot).keys() == {"2020-02-01"}
    assert case.public("sessions") == {}


def test_staging_twice_is_staging_once(case: LakeCase) -> None:
    once = case.at("users", case.stage("users", 5))
    twice = case.at("users", case.stage("users", 5))
    assert twice == once
    assert once["2020-02-01"][0] == 5


def test_an_empty_frame_empties_the_partition_and_no_other(case: LakeCase) -> None:
    case.stage_and_gate("users", 5)
    case.publish(["users"])
    case.stage_and_gate("users", 3, FEBRUARY)
    case.publish(["users"], FEBRUARY)
    content = case.at("users", case.stage("users", 0, JANUARY, "two"))
    assert content.keys() == {"2020-03-01"}
    assert case.public("users").keys() == {"2020-02-01", "2020-03-01"}


def test_a_branch_begins_anew_at_main(case: LakeCase) -> None:
    case.stage("users", 5)
    case.stage_and_gate("users", 3, FEBRUARY, "other")
    case.publish(["users"], FEBRUARY, "other")
    assert case.at("users", case.stage("users", 4)).keys() == {"2020-02-01", "2020-03-01"}


def test_a_stage_killed_after_beginning_its_branch_is_done_by_the_next(case: LakeCase) -> None:
    reset_branch(case.spark, case.table("users"), branch("one", JANUARY))
    assert case.at("users", case.stage("users", 5))["2020-02-01"][0] == 5


def test_a_branch_that_vanishes_while_staging_is_begun_again_by_the_next(
    case: LakeCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Maintenance may take an empty branch for an old one."""
    case.table("users")
    with monkeypatch.context() as patch:
        patch.setattr("deftunes_lake.staging.reset_branch", lambda *_: 0)
        with pytest.raises(RetryableError, match="vanished before it was written to; run the same again"):
            case.stage("users", 5)
    assert case.at("users", case.stage("users", 5))["2020-02-01"][0] == 5


def test_a_summary_that_does_not_count_the_rows_is_refused(case: LakeCase) -> None:
    summary = LoadMetrics(
        entity="users", ingest_on=JANUARY, run_id="one", contract_version="1", receipt="0", landed_records=5,
        landed_units=5, landed_amount=None, rows=5, amount=None, quarantined_units=0, quarantined_amount=None,
    )  # fmt: skip
    frame = case.frame("users", 4, JANUARY, "x")
    with pytest.raises(StageError, match="expected 5 rows .* but 4 were written"):
        write_to_branch(case.spark, case.table("users"), branch("one", JANUARY), frame, JANUARY, summary)
    assert branch_head(case.spark, case.table("users"), branch("one", JANUARY)) is None


def test_a_row_of_another_interval_cannot_be_staged(case: LakeCase) -> None:
    frame = case.frame("users", 4, FEBRUARY, "x")
    summary = LoadMetrics(
        entity="users", ingest_on=JANUARY, run_id="one", contract_version="1", receipt="0", landed_records=4,
        landed_units=4, landed_amount=None, rows=4, amount=None, quarantined_units=0, quarantined_amount=None,
    )  # fmt: skip
    with pytest.raises(StageError, match="4 were written, 0 of them with this ingest_on"):
        write_to_branch(case.spark, case.table("users"), branch("one", JANUARY), frame, JANUARY, summary)
    assert branch_head(case.spark, case.table("users"), branch("one", JANUARY)) is None
    assert case.public("users") == {}


def test_a_null_in_a_required_column_is_refused(case: LakeCase) -> None:
    frame = case.frame("users", 4, JANUARY, "x").withColumn("user_id", f.when(f.col("latitude") > 1, f.col("user_id")))
    with pytest.raises(Exception, match=r"(?i)null"):
        overwrite_where(case.spark, case.table("users"), frame, f.col("ingest_on") == f.lit(JANUARY))
    assert case.public("users") == {}


def test_the_quarantine_keeps_the_rows_of_other_runs(case: LakeCase) -> None:
    table = case.table("quarantine")

    def put(run_id: str, rows: int) -> None:
        frame = (
            case.frame("quarantine", rows, JANUARY, "x")
            .withColumn("entity", f.lit("users"))
            .withColumn("run_id", f.lit(run_id))
        )
        mine = (f.col("entity") == "users") & (f.col("ingest_on") == f.lit(JANUARY)) & (f.col("run_id") == run_id)
        overwrite_where(case.spark, table, frame, mine)

    # longer than the 16 letters that column statistics keep: run_id must be a partition to be told apart
    put("scheduled--2020-02-01t00-00-00-a", 3)
    put("scheduled--2020-02-01t00-00-00-b", 2)
    put("scheduled--2020-02-01t00-00-00-a", 1)
    counts = {r["run_id"][-1]: r["count"] for r in case.spark.table(table).groupBy("run_id").count().collect()}
    assert counts == {"a": 1, "b": 2}


def test_a_reader_keeps_its_snapshot_while_main_moves(case: LakeCase) -> None:
    case.stage_and_gate("users", 5)
    case.publish(["users"])
    frame = read_main(case.spark, case.table("users"))
    case.stage_and_gate("users", 9, JANUARY, "two")
    case.publish(["users"], JANUARY, "two")
    assert frame.count() == 5
    assert read_main(case.spark, case.table("users")).count() == 9


def test_reading_what_is_not_there(case: LakeCase) -> None:
    with pytest.raises(RetryableError, match="run deftunes-transform first"):
        read_branch(case.spark, case.table("users"), "run_nobody_20200201")
    with pytest.raises(NoTable, match="run deftunes-lake create"):
        main_head(case.spark, "lake.nowhere.nothing")


def test_a_branch_reads_like_its_snapshot(case: LakeCase) -> None:
    snapshot = case.stage("songs", 5)
    there = read_branch(case.spark, case.table("songs"), branch("one", JANUARY))
    assert case.content(there, load("songs")) == case.at("songs", snapshot)
    assert read_snapshot(case.spark, case.table("songs"), snapshot).columns == [c.name for c in load("songs").columns]


def test_several_refs_move_in_one_commit_or_none(case: LakeCase) -> None:
    table = load_table(case.spark, case.table("users"))
    main = refs_of(table).branches["main"]
    with pytest.raises(Exception, match="nknown snapshot"):
        update_refs(table, tags={"good": main, "bad": 12345})
    assert refs_of(load_table(case.spark, case.table("users"))).tags == {}
