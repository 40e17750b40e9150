"""Publish: what passed the gate, all of it, once; whatever happened meanwhile."""

from __future__ import annotations

import pytest
from lake_cases import FEBRUARY, JANUARY, LakeCase

from deftunes_contract.errors import DataRejected, RetryableError
from deftunes_contract.layout import branch, interval_tag, previous_tag
from deftunes_lake import publish as publish_module
from deftunes_lake import refs as refs_module
from deftunes_lake.iceberg_java import load_table
from deftunes_lake.refs import update_refs
from deftunes_lake.snapshots import branch_head, main_head, refs_of, tagged
from deftunes_lake.staging import reset_branch


def test_the_judged_rows_become_public_and_the_branch_goes(case: LakeCase) -> None:
    staged = case.at("sessions", case.stage_and_gate("sessions", 7))
    (done,) = case.publish(["sessions"])
    assert case.public("sessions") == staged
    assert done.changed
    head = main_head(case.spark, case.table("sessions"))
    assert head is not None
    assert head.id == done.snapshot.id
    refs = refs_of(load_table(case.spark, case.table("sessions")))
    assert refs.branches.keys() == {"main"}
    assert refs.tags == {interval_tag(JANUARY): head.id, previous_tag(JANUARY): head.parent_id}


def test_publishing_again_changes_nothing(case: LakeCase) -> None:
    case.stage_and_gate("users", 5)
    case.publish(["users"])
    before = main_head(case.spark, case.table("users"))
    (again,) = case.publish(["users"])
    assert not again.changed
    assert again.summary.rows == 5
    assert main_head(case.spark, case.table("users")) == before


def test_another_interval_published_meanwhile_stays_whole_in_either_order(case: LakeCase) -> None:
    january = case.at("sessions", case.stage_and_gate("sessions", 5, JANUARY, "a"))
    february = case.at("sessions", case.stage_and_gate("sessions", 4, FEBRUARY, "b"))
    case.publish(["sessions"], FEBRUARY, "b")
    case.publish(["sessions"], JANUARY, "a")
    assert case.public("sessions") == january | february
    # and the other way round, over what is there now
    february = case.at("sessions", case.stage_and_gate("sessions", 6, FEBRUARY, "c"))
    january = case.at("sessions", case.stage_and_gate("sessions", 3, JANUARY, "d"))
    case.publish(["sessions"], JANUARY, "d")
    (done,) = case.publish(["sessions"], FEBRUARY, "c")
    assert case.public("sessions") == {
        "2020-02-01": january["2020-02-01"],
        "2020-03-01": february["2020-03-01"],
    }
    # the summary travels with the rows to the new snapshot
    assert done.snapshot.staged == done.summary
    assert case.tag_is_true("sessions", JANUARY)
    assert case.tag_is_true("sessions", FEBRUARY)
    assert refs_of(load_table(case.spark, case.table("sessions"))).branches.keys() == {"main"}


def test_of_two_runs_of_one_interval_the_last_wins_whole(case: LakeCase) -> None:
    case.stage_and_gate("users", 5, JANUARY, "a")
    second = case.at("users", case.stage_and_gate("users", 4, JANUARY, "b"))
    case.publish(["users"], JANUARY, "a")
    case.publish(["users"], JANUARY, "b")
    assert case.public("users") == second
    with pytest.raises(RetryableError, match="the public rows are those of run b"):
        case.publish(["users"], JANUARY, "a")
    assert case.public("users") == second


def test_nothing_moves_when_one_gate_is_missing(case: LakeCase) -> None:
    case.stage_and_gate("users", 5, JANUARY, "ungated")
    case.stage("sessions", 5, JANUARY, "ungated")
    with pytest.raises(RetryableError, match="run deftunes-quality sessions --start 2020-01-01 --end 2020-02-01 first"):
        case.publish(["sessions", "users"], JANUARY, "ungated")
    assert case.public("users") == case.public("sessions") == {}


def test_nothing_moves_when_one_gate_is_closed(case: LakeCase) -> None:
    case.stage_and_gate("users", 5)
    case.stage("sessions", 5)
    case.gate("sessions", passed=False)
    with pytest.raises(DataRejected, match="sessions_arrived .expected at least 1 row, found 0.0."):
        case.publish(["sessions", "users"])
    assert case.public("users") == case.public("sessions") == {}


def test_a_gate_for_rows_that_were_staged_again_does_not_count(case: LakeCase) -> None:
    case.stage_and_gate("users", 5)
    case.stage("users", 4)
    with pytest.raises(RetryableError, match="rerun deftunes-quality users"):
        case.publish(["users"])
    assert case.public("users") == {}


def test_rows_staged_while_publishing_are_not_published(case: LakeCase, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the last look at the branch and the commit, another process stages rows that nobody gated."""
    gated = case.at("users", case.stage_and_gate("users", 5))
    original = refs_module.update_refs

    def late(*args: object, **given: object) -> None:
        monkeypatch.setattr(refs_module, "update_refs", original)
        case.stage("users", 9, tag="ungated")
        original(*args, **given)  # type: ignore[arg-type]

    monkeypatch.setattr(refs_module, "update_refs", late)
    case.publish(["users"])
    assert case.public("users") == gated


def test_the_same_publish_twice_at_once_is_one(case: LakeCase, monkeypatch: pytest.MonkeyPatch) -> None:
    case.stage_and_gate("users", 5, JANUARY, "a")
    case.publish(["users"], JANUARY, "a")
    first = case.public("users")
    case.stage_and_gate("users", 6, JANUARY, "b")
    original = refs_module.update_refs

    def late(*args: object, **given: object) -> None:
        monkeypatch.setattr(refs_module, "update_refs", original)
        case.publish(["users"], JANUARY, "b")
        original(*args, **given)  # type: ignore[arg-type]

    monkeypatch.setattr(refs_module, "update_refs", late)
    case.publish(["users"], JANUARY, "b")
    case.rollback(["users"])
    assert case.public("users") == first


def test_an_interval_published_since_the_gate_compared_with_it_is_judged_again(case: LakeCase) -> None:
    """Forty rows came meanwhile: publishing five would take them away behind the gate's back."""
    case.stage("users", 5, JANUARY, "few")
    case.gate("users", JANUARY, "few", replaces=0)
    case.stage_and_gate("users", 40, JANUARY, "many")
    case.publish(["users"], JANUARY, "many")
    many = case.public("users")
    with pytest.raises(
        RetryableError, match="compared with snapshot none .* run many published .* run deftunes-quality users"
    ):
        case.publish(["users"], JANUARY, "few")
    assert case.public("users") == many

    shown = tagged(case.spark, case.table("users"), interval_tag(JANUARY))
    assert shown is not None
    case.gate("users", JANUARY, "few", replaces=shown.id)
    case.rollback(["users"])
    with pytest.raises(RetryableError, match="it was rolled back meanwhile"):
        case.publish(["users"], JANUARY, "few")

    case.gate("users", JANUARY, "few", replaces=0)
    case.publish(["users"], JANUARY, "few")
    assert case.public("users")[str(JANUARY)][0] == 5


def test_a_rival_between_the_check_and_the_commit_does_not_slip_through(
    case: LakeCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    case.stage("users", 5, JANUARY, "few")
    case.gate("users", JANUARY, "few", replaces=0)
    case.stage_and_gate("users", 40, JANUARY, "many")
    original = refs_module.update_refs

    def late(*args: object, **given: object) -> None:
        monkeypatch.setattr(refs_module, "update_refs", original)
        case.publish(["users"], JANUARY, "many")
        original(*args, **given)  # type: ignore[arg-type]

    monkeypatch.setattr(refs_module, "update_refs", late)
    with pytest.raises(RetryableError, match="run many published"):
        case.publish(["users"], JANUARY, "few")
    assert case.public("users")[str(JANUARY)][0] == 40


def test_a_rival_with_the_same_delivery_is_no_loss(case: LakeCase) -> None:
    for run in ("a", "b"):
        case.stage("users", 5, JANUARY, run, tag="same")
        case.gate("users", JANUARY, run, replaces=0)
    case.publish(["users"], JANUARY, "a")
    before = case.public("users")
    case.publish(["users"], JANUARY, "b")
    assert case.public("users") == before


def test_main_moving_at_the_last_moment_is_a_lost_race_not_a_lost_commit(
    case: LakeCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    january = case.at("users", case.stage_and_gate("users", 5, JANUARY, "a"))
    february = case.at("users", case.stage_and_gate("users", 4, FEBRUARY, "b"))
    original = refs_module.update_refs

    def late(*args: object, **given: object) -> None:
        monkeypatch.setattr(refs_module, "update_refs", original)
        case.publish(["users"], FEBRUARY, "b")
        original(*args, **given)  # type: ignore[arg-type]

    monkeypatch.setattr(refs_module, "update_refs", late)
    case.publish(["users"], JANUARY, "a")
    assert case.public("users") == january | february


def test_rows_that_change_on_the_way_to_a_new_main_are_refused(case: LakeCase, monkeypatch: pytest.MonkeyPatch) -> None:
    case.stage_and_gate("sessions", 5, JANUARY, "a")
    case.stage_and_gate("sessions", 4, FEBRUARY, "b")
    case.publish(["sessions"], FEBRUARY, "b")
    before = case.public("sessions")
    original = publish_module.replace_partition

    def torn(spark: object, table: object, branch: str, _: int, *rest: object) -> object:
        return original(spark, table, branch, refs_of(table).branches["main"], *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(publish_module, "replace_partition", torn)
    with pytest.raises(Exception, match="expected 5 rows, .* found 0, .* main was not touched"):
        case.publish(["sessions"], JANUARY, "a")
    assert case.public("sessions") == before


def test_nothing_staged_says_what_to_run(case: LakeCase) -> None:
    case.table("users")
    with pytest.raises(
        RetryableError, match="it is not public either; run deftunes-transform and deftunes-quality first"
    ):
        case.publish(["users"])


def test_a_branch_that_was_only_begun_is_not_published(case: LakeCase) -> None:
    reset_branch(case.spark, case.table("users"), branch("one", JANUARY))
    case.gate("users")
    with pytest.raises(RetryableError, match="was begun but holds no staged rows"):
        case.publish(["users"])


def test_a_restage_killed_before_it_wrote_does_not_spoil_the_rollback(case: LakeCase) -> None:
    case.stage_and_gate("users", 5)
    case.publish(["users"])
    before = tagged(case.spark, case.table("users"), previous_tag(JANUARY))
    reset_branch(case.spark, case.table("users"), branch("one", JANUARY))
    (done,) = case.publish(["users"])
    assert not done.changed
    assert tagged(case.spark, case.table("users"), previous_tag(JANUARY)) == before
    assert branch_head(case.spark, case.table("users"), branch("one", JANUARY)) is None


def test_publish_works_after_compaction_moved_main(case: LakeCase) -> None:
    first = case.at("users", case.stage_and_gate("users", 5, JANUARY, "a"))
    case.publish(["users"], JANUARY, "a")
    second = case.at("users", case.stage_and_gate("users", 4, FEBRUARY, "b"))
    case.spark.sql(
        f"CALL lake.system.rewrite_data_files(table => '{case.table('users')}', options => map('rewrite-all', 'true'))"
    ).collect()
    case.publish(["users"], FEBRUARY, "b")
    assert case.public("users") == first | second


def test_facts_are_published_last() -> None:
    assert publish_module.publish_order(["sessions", "songs", "users"])[-1] == "sessions"


def test_a_tag_moved_by_hand_is_a_conflict_not_an_overwrite(case: LakeCase) -> None:
    stale = load_table(case.spark, case.table("users"))
    main = refs_of(stale).branches["main"]
    update_refs(load_table(case.spark, case.table("users")), tags={"interval_20200201": main})
    with pytest.raises(Exception, match="already exists"):
        update_refs(stale, tags={"interval_20200201": main})
