"""Rollback: an interval shows again what it showed before, exactly, and only once."""

from __future__ import annotations

import pytest
from lake_cases import FEBRUARY, JANUARY, LakeCase

from deftunes_contract.errors import NothingToDo
from deftunes_contract.layout import interval_tag, previous_tag
from deftunes_lake import rollback as rollback_module
from deftunes_lake.iceberg_java import load_table
from deftunes_lake.snapshots import published, refs_of


def test_the_first_publication_is_taken_back_to_nothing(case: LakeCase) -> None:
    case.stage_and_gate("users", 5)
    case.publish(["users"])
    (done,) = case.rollback(["users"])
    assert case.public("users") == {}
    assert refs_of(load_table(case.spark, case.table("users"))).tags == {}
    assert (done.before.rows, done.after.rows, done.after.run_id) == (5, 0, None)


def test_a_restatement_is_taken_back_and_its_summary_comes_back_too(case: LakeCase) -> None:
    case.stage_and_gate("sessions", 5, JANUARY, "a")
    case.publish(["sessions"], JANUARY, "a")
    first = case.public("sessions")
    case.stage_and_gate("sessions", 8, JANUARY, "b")
    case.publish(["sessions"], JANUARY, "b")
    # something else happened in between, and stays
    february = case.at("sessions", case.stage_and_gate("sessions", 4, FEBRUARY, "c"))["2020-03-01"]
    case.publish(["sessions"], FEBRUARY, "c")
    (done,) = case.rollback(["sessions"])
    assert case.public("sessions") == first | {"2020-03-01": february}
    shown = published(case.spark, case.table("sessions"), JANUARY)
    assert shown is not None
    assert shown.staged is not None
    assert (shown.staged.run_id, shown.staged.rows) == ("a", 5)
    assert case.tag_is_true("sessions", JANUARY)
    assert case.tag_is_true("sessions", FEBRUARY)
    assert (str(done.before.amount), done.before.run_id) == ("2.92", "b")
    assert (str(done.after.amount), done.after.run_id) == ("1.75", "a")


def test_a_second_rollback_has_nothing_to_do(case: LakeCase) -> None:
    for run in ("a", "b"):
        case.stage_and_gate("users", 5, JANUARY, run)
        case.publish(["users"], JANUARY, run)
    case.rollback(["users"])
    shown = case.public("users")
    with pytest.raises(NothingToDo, match="rolled back already"):
        case.rollback(["users"])
    assert case.public("users") == shown


def test_an_interval_published_after_a_rollback_can_be_rolled_back_again(case: LakeCase) -> None:
    case.stage_and_gate("users", 5, JANUARY, "a")
    case.publish(["users"], JANUARY, "a")
    case.rollback(["users"])
    case.stage_and_gate("users", 6, JANUARY, "b")
    case.publish(["users"], JANUARY, "b")
    (done,) = case.rollback(["users"])
    # what was taken back before does not rise again
    assert (done.after.rows, done.after.run_id) == (0, None)
    assert case.public("users") == {}


def test_a_rollback_killed_between_tables_is_finished_by_the_next(
    case: LakeCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    for entity in ("users", "sessions"):
        case.stage_and_gate(entity, 5)
    case.publish(["users", "sessions"])
    original = rollback_module._rollback

    def fails(spark: object, entity: str, *rest: object) -> object:
        assert entity == "sessions", "facts first"
        monkeypatch.setattr(rollback_module, "_rollback", killed)
        return original(spark, entity, *rest)  # type: ignore[arg-type]

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(rollback_module, "_rollback", fails)
    with pytest.raises(KeyboardInterrupt):
        case.rollback(["users", "sessions"])
    assert case.public("sessions") == {}
    assert case.public("users") != {}
    monkeypatch.setattr(rollback_module, "_rollback", original)
    (done,) = case.rollback(["users", "sessions"])
    assert done.entity == "users"
    assert case.public("users") == {}


def test_rollback_works_after_expiry_and_compaction(case: LakeCase) -> None:
    case.stage_and_gate("users", 5, JANUARY, "a")
    case.publish(["users"], JANUARY, "a")
    first = case.public("users")
    case.stage_and_gate("users", 8, JANUARY, "b")
    case.publish(["users"], JANUARY, "b")
    name = case.table("users")
    case.spark.sql(
        f"CALL lake.system.rewrite_data_files(table => '{name}', options => map('rewrite-all', 'true'))"
    ).collect()
    case.spark.sql(
        f"CALL lake.system.expire_snapshots(table => '{name}', older_than => TIMESTAMP '2999-01-01', retain_last => 1)"
    ).collect()
    case.rollback(["users"])
    assert case.public("users") == first


def test_tags_of_an_interval_move_together(case: LakeCase) -> None:
    case.stage_and_gate("users", 5, JANUARY, "a")
    case.publish(["users"], JANUARY, "a")
    tags = refs_of(load_table(case.spark, case.table("users"))).tags
    assert tags.keys() == {interval_tag(JANUARY), previous_tag(JANUARY)}
    case.stage_and_gate("users", 6, JANUARY, "b")
    case.publish(["users"], JANUARY, "b")
    case.rollback(["users"])
    assert refs_of(load_table(case.spark, case.table("users"))).tags.keys() == {interval_tag(JANUARY)}
