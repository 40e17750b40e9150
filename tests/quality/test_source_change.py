"""Two shops, one table: refused with both names; one shop that moved: let through, and said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from deftunes_contract.allowances import Allowances, Guard
from deftunes_contract.errors import DataRejected
from deftunes_contract.interval import Interval
from deftunes_quality.gate import run_gates

MONTH = Interval(date(2020, 3, 1), date(2020, 4, 1))
HERE, THERE = "http://127.0.0.1:8001", "http://127.0.0.1:8002"


def from_shop(shop: str, entity: str) -> str:
    """A receipt's source."""
    return f"{shop}/{entity}?start_date=2020-03-01&end_date=2020-03-31"


def of_another_shop(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """As many rows with other keys."""
    keys = ("user_id", "session_id", "track_id")
    return [row | {key: f"{row[key][:-4]}9{row[key][-3:]}" for key in keys if key in row} for row in rows]


def judged(ground: Any, entity: str, rows: Sequence[dict[str, Any]], source: str) -> Any:
    staged = ground.stage(entity, rows, source=source)
    (rule,) = ground.validate_rule(staged, f"{entity}_same_source").rules
    return rule


@pytest.mark.parametrize("entity", ["users", "sessions", "songs"])
def test_another_shops_month_is_refused_in_place_of_and_beside_the_public_one(lone_ground: Any, entity: str) -> None:
    ground, rows = lone_ground.create(), lone_ground.clean(entity)
    ground.publish(entity, ground.clean(entity, MONTH.previous), MONTH.previous)
    beside = judged(ground, entity, of_another_shop(rows), from_shop(THERE, entity))
    assert not beside.passed
    assert str(beside.observed).startswith(f"{THERE}/{entity}")
    assert beside.expected == f"rows from {HERE}/{entity} (as in 2020-02)"
    ground.publish(entity, rows, MONTH)
    instead = judged(ground, entity, of_another_shop(rows), from_shop(THERE, entity))
    assert not instead.passed
    assert "0% of whose keys are public" in str(instead.observed)
    assert judged(ground, entity, of_another_shop(rows), from_shop(HERE, entity)).passed


@pytest.mark.parametrize("entity", ["users", "sessions", "songs"])
def test_a_shop_that_moved_delivers_the_month_again_and_it_is_said(lone_ground: Any, entity: str) -> None:
    ground, rows = lone_ground.create(), lone_ground.clean(entity)
    ground.publish(entity, rows, MONTH)
    half = [*rows[:20], *of_another_shop(rows[20:])]
    for staged in (rows, half):
        rule = judged(ground, entity, staged, from_shop(THERE, entity))
        assert rule.passed
        assert f"the source was {HERE}/{entity} (as in 2020-03) and is {THERE}/{entity}" in str(rule.note)
    most = [*rows[:19], *of_another_shop(rows[19:])]
    assert not judged(ground, entity, most, from_shop(THERE, entity)).passed


def test_a_catalogue_that_moved_is_known_by_the_newest_snapshot(lone_ground: Any) -> None:
    ground, rows = lone_ground.create(), lone_ground.clean("songs")
    ground.publish("songs", ground.clean("songs", MONTH.previous), MONTH.previous)
    rule = judged(ground, "songs", rows, from_shop(THERE, "songs"))
    assert rule.passed
    assert "100% of whose keys are public" in str(rule.note)


def test_rows_of_unknown_origin_and_a_first_month_are_not_judged(lone_ground: Any) -> None:
    ground, rows = lone_ground.create(), lone_ground.clean("users")
    assert "no public rows name their source" in str(judged(ground, "users", rows, from_shop(THERE, "users")).skipped)
    assert "does not name its source" in str(judged(ground, "users", rows, "").skipped)
    ground.publish("users", rows, MONTH, source="")
    assert "no public rows name their source" in str(judged(ground, "users", rows, from_shop(THERE, "users")).skipped)


def test_the_sentence_names_both_shops_and_the_flag_opens_the_gate_for_its_entity_only(lone_ground: Any) -> None:
    ground, rows = lone_ground.create(), lone_ground.clean("users")
    ground.publish("users", ground.clean("users", MONTH.previous), MONTH.previous)
    ground.stage("users", of_another_shop(rows), source=from_shop(THERE, "users"))
    with pytest.raises(DataRejected) as refused:
        run_gates(ground.gate, ["users"], MONTH, "r1")
    sentence = str(refused.value)
    assert f"users_same_source: expected rows from {HERE}/users (as in 2020-02), found {THERE}/users" in sentence
    assert "with --allow-source-change users:2020-03, and name the shop in DEFTUNES_SHOP" in sentence
    for given, opens in (("sessions", False), ("users:2020-02", False), ("users:2020-03", True), ("users", True)):
        allowing = replace(ground.gate, allowances=Allowances.parse([(Guard.SOURCE_CHANGE, [given])]))
        if opens:
            assert "allowed by --allow-source-change users:2020-03" in run_gates(allowing, ["users"], MONTH, "r1")
        else:
            with pytest.raises(DataRejected):
                run_gates(allowing, ["users"], MONTH, "r1")
