"""References: what counts as known, and that what cannot be checked is said to be unchecked."""

from __future__ import annotations

from datetime import date
from typing import Any

from deftunes_contract.interval import Interval

MONTH = Interval(date(2020, 3, 1), date(2020, 4, 1))


def said(result: Any, rule_id: str) -> Any:
    return next(rule for rule in result.rules if rule.id == rule_id)


def test_nothing_published_yet_is_skipped_with_the_reason(lone_ground: Any) -> None:
    ground = lone_ground.create()
    result = ground.validate(ground.stage("sessions", ground.clean("sessions")))
    assert result.passed
    assert said(result, "song_reference").skipped == "no songs are published yet"
    assert said(result, "user_reference").skipped == "no users are published yet"


def test_only_the_latest_catalogue_counts(lone_ground: Any) -> None:
    ground = lone_ground.create()
    old, new = MONTH.previous, MONTH
    ground.append("songs", ground.clean("songs", new))
    # an older month, restated later: 45 to 49 are only there
    ground.append("songs", ground.clean("songs", old, 50))
    rows = ground.clean("sessions", MONTH, 50)
    result = ground.validate_rule(ground.stage("sessions", rows), "song_reference")
    answer = said(result, "song_reference")
    assert (answer.observed, answer.failing_count) == (0.2, 10)
    assert answer.examples == tuple(f"TR{number:016d}" for number in range(40, 45))
    assert not result.passed


def test_users_of_all_months_and_of_this_run_are_known(lone_ground: Any) -> None:
    ground = lone_ground.create()
    ancient = Interval(date(2019, 12, 1), date(2020, 1, 1))
    people = ground.clean("users")
    ground.append("users", [row | {"ingest_on": ancient.ingest_on} for row in people[:10]])
    rows = ground.clean("sessions")

    # 20 buyers, two items each; ten of them joined long ago
    result = ground.validate_rule(ground.stage("sessions", rows), "user_reference")
    assert said(result, "user_reference").observed == 0.5
    assert result.passed, "a warning"

    ground.stage("users", people[10:])
    result = ground.validate_rule(ground.find("sessions"), "user_reference")
    assert said(result, "user_reference").passed
    assert said(result, "user_reference").observed == 0

    ground.stage("users", people[10:], run_id="another")
    result = ground.validate_rule(ground.stage("sessions", rows, run_id="third"), "user_reference")
    assert said(result, "user_reference").observed == 0.5, "what another run staged is not known"


def test_a_restated_month_replaces_its_published_users(lone_ground: Any) -> None:
    """A user whom the restatement no longer has is no longer known, as it will be once both are public."""
    ground = lone_ground.create()
    ground.append("users", ground.clean("users"))
    ground.stage("users", ground.clean("users")[1:])
    result = ground.validate_rule(ground.stage("sessions", ground.clean("sessions")), "user_reference")
    assert said(result, "user_reference").observed == 2 / 40


def test_nulls_do_not_count(lone_ground: Any) -> None:
    ground = lone_ground.create().refer()
    rows = ground.clean("sessions")
    for row in rows[:20]:
        row["artist_id"] = None
    rows[20]["artist_id"] = "AR9999999999999999"
    result = ground.validate_rule(ground.stage("sessions", rows), "artist_reference")
    assert said(result, "artist_reference").observed == 1 / 20
    assert said(result, "artist_reference").passed, "exactly 5 % is allowed"
    for row in rows:
        row["artist_id"] = None
    result = ground.validate_rule(ground.stage("sessions", rows), "artist_reference")
    assert said(result, "artist_reference").skipped == "artist_id is null in every row"


def test_a_catalogue_with_one_track_twice_counts_a_row_once(lone_ground: Any) -> None:
    ground = lone_ground.create().refer()
    ground.append("songs", ground.clean("songs", MONTH.previous))
    rows = ground.clean("sessions")
    rows[0]["song_id"] = "TR9999999999999999"
    result = ground.validate_rule(ground.stage("sessions", rows), "song_reference")
    assert said(result, "song_reference").observed == 1 / 40
