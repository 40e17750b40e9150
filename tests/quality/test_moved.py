"""A session whose start was corrected into another month: it must not be sold twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from deftunes_contract.allowances import Allowance, Allowances, Guard
from deftunes_contract.errors import DataRejected
from deftunes_contract.interval import Interval
from deftunes_quality.gate import run_gates
from deftunes_quality.published_keys import near

MONTH = Interval(date(2020, 3, 1), date(2020, 4, 1))
RULE = "session_id_in_one_month"


def moved(rows: list[dict[str, Any]], start: str) -> list[dict[str, Any]]:
    """The rows as another month has them."""
    interval = Interval.of_month(start)
    return [row | {"ingest_on": interval.ingest_on} for row in rows]


@pytest.mark.parametrize("other", ["2020-02", "2020-04", "2019-12", "2020-06"])
def test_a_session_of_another_month_closes_the_gate_and_names_both(lone_ground: Any, other: str) -> None:
    ground, rows = lone_ground.create(), lone_ground.clean("sessions")
    interval = Interval.of_month(other)
    ground.publish("sessions", [*ground.clean("sessions", interval), *moved(rows[:2], other)], interval)
    ground.stage("sessions", rows)
    with pytest.raises(DataRejected) as refused:
        run_gates(ground.gate, ["sessions"], MONTH, "r1")
    sentence = str(refused.value)
    assert f"{RULE}: expected no session_id that is public in another month, found 1 in {other}" in sentence
    assert f"session_id={rows[0]['session_id']}" in sentence
    assert (
        f"first run {other} again (deftunes-extract sessions --start {interval.start} --end {interval.end}" in sentence
    )
    assert f"with --allow-shrink sessions:{other}), then run 2020-03 again" in sentence
    assert "run 2020-03 with --allow-overlap sessions:2020-03 first" in sentence
    assert [rule.id for rule in ground.result("sessions").failed_rules] == [RULE]


def test_sessions_of_several_months_are_counted_by_month(lone_ground: Any) -> None:
    ground, rows = lone_ground.create(), lone_ground.clean("sessions")
    ground.publish("sessions", moved(rows[:6], "2020-01"), Interval.of_month("2020-01"))
    ground.publish("sessions", moved(rows[6:8], "2020-02"), Interval.of_month("2020-02"))
    (rule,) = ground.validate_rule(ground.stage("sessions", rows), RULE).rules
    assert (rule.observed, rule.failing_count) == ("3 in 2020-01, 1 in 2020-02", 4)


def test_once_the_month_that_it_left_is_run_again_the_gate_opens(lone_ground: Any) -> None:
    ground, rows = lone_ground.create(), lone_ground.clean("sessions")
    ground.publish("sessions", moved(rows[:2], "2020-02"), MONTH.previous)
    ground.spark.sql(f"DELETE FROM {ground.table('sessions')} WHERE ingest_on = DATE '{MONTH.previous.ingest_on}'")
    assert ground.validate_rule(ground.stage("sessions", rows), RULE).passed


def test_its_own_month_is_no_other_month_and_without_neighbours_nothing_is_read(lone_ground: Any) -> None:
    ground, rows = lone_ground.create(), lone_ground.clean("sessions")
    ground.publish("sessions", rows, MONTH)
    (rule,) = ground.validate_rule(ground.stage("sessions", rows), RULE).rules
    assert "no other month within 3 is published" in str(rule.skipped)


def test_the_cost_is_bounded_whatever_the_history() -> None:
    history = [date(year, month, 1) for year in range(2010, 2030) for month in range(1, 13)]
    assert near(MONTH, 3, history) == tuple(date(2020, month, 1) for month in (1, 2, 3, 5, 6, 7))
    assert near(MONTH, 3, []) == ()


def test_months_whose_sessions_changed_places_have_a_way_through(lone_ground: Any) -> None:
    ground, rows = lone_ground.create(), lone_ground.clean("sessions")
    ground.publish("sessions", moved(rows[:2], "2020-02"), MONTH.previous)
    ground.stage("sessions", rows)
    flag = Allowance(Guard.OVERLAP, "sessions", "2020-03")
    allowing = replace(ground.gate, allowances=Allowances([flag]))
    assert f"allowed by {flag}" in run_gates(allowing, ["sessions"], MONTH, "r1")
    (rule,) = [rule for rule in ground.result("sessions").rules if rule.id == RULE]
    assert (rule.allowed, rule.observed) == (str(flag), "1 in 2020-02")
