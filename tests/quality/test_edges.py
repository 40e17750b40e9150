"""The edges at which a gate is usually wrong: nulls, empty months, cents, half-open days, the machine's time zone."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from deftunes_contract.interval import Interval

MONTH = Interval(date(2020, 3, 1), date(2020, 4, 1))


def said(result: Any, rule_id: str) -> Any:
    """What one rule said."""
    return next(rule for rule in result.rules if rule.id == rule_id)


def staged_with(ground: Any, entity: str, column: str, *values: Any, **figures: Any) -> Any:
    """A clean interval whose first rows hold these values."""
    rows = ground.clean(entity)
    for row, value in zip(rows, values, strict=False):
        row[column] = value
    return ground.stage(entity, rows, **figures)


@pytest.mark.parametrize(
    ("moment", "inside"),
    [
        ("2020-02-29 23:59:59.999999", False),
        ("2020-03-01 00:00:00", True),
        ("2020-03-31 23:59:59.999999", True),
        ("2020-04-01 00:00:00", False),
    ],
)
def test_the_interval_is_half_open_to_the_microsecond(ground: Any, moment: str, inside: bool) -> None:
    staged = staged_with(ground, "sessions", "session_start_time", datetime.fromisoformat(moment))
    assert ground.validate_rule(staged, "session_in_interval").passed == inside


@pytest.fixture
def far_zone() -> Iterator[None]:
    """A machine that is eleven hours ahead of UTC."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Pacific/Noumea"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.usefixtures("far_zone")
def test_the_machines_time_zone_changes_nothing(ground: Any) -> None:
    first, last = datetime(2020, 3, 1), datetime(2020, 3, 31, 23, 59, 59, 999999)
    inside = staged_with(ground, "users", "user_since", first, last)
    assert ground.validate_rule(inside, "user_since_in_interval").passed
    outside = staged_with(ground, "users", "user_since", datetime(2020, 4, 1))
    assert said(ground.validate_rule(outside, "user_since_in_interval"), "user_since_in_interval").failing_count == 1
    # the last moment that is still fresh: seven days before the end
    rows = [row | {"user_since": datetime(2020, 3, 25)} for row in ground.clean("users")]
    fresh = ground.validate_rule(ground.stage("users", rows), "users_freshness")
    assert said(fresh, "users_freshness").passed
    assert said(fresh, "users_freshness").observed == "2020-03-25 00:00:00"


def test_uniqueness_of_exactly_the_bound_fails_and_one_more_passes(ground: Any) -> None:
    rows = ground.clean("users")
    rows[-1]["user_id"] = rows[0]["user_id"]
    result = ground.validate_rule(ground.stage("users", rows), "user_id_uniqueness")
    assert said(result, "user_id_uniqueness").observed == 0.975
    assert result.passed
    rows[-2]["user_id"] = rows[1]["user_id"]
    result = ground.validate_rule(ground.stage("users", rows), "user_id_uniqueness")
    assert said(result, "user_id_uniqueness").observed == 0.95
    assert not result.passed


def test_a_column_of_nulls_only_closes_the_gate(ground: Any) -> None:
    rows = [row | {"price": None, "user_id": None} for row in ground.clean("sessions")]
    result = ground.validate(ground.stage("sessions", rows))
    closing = {rule.id for rule in result.failed_rules}
    assert closing >= {"price_complete", "user_id_complete"}
    assert said(result, "price_complete").failing_count == 40
    assert said(result, "user_id_uuid").passed, "a null has no form; completeness is another rule"


def test_an_all_null_optional_column_is_fine(ground: Any) -> None:
    rows = [row | {"liked_since": None, "song_name": None} for row in ground.clean("sessions")]
    assert ground.validate(ground.stage("sessions", rows)).passed


def test_nulls_from_pandas_are_nulls_and_the_text_nan_is_no_id(ground: Any) -> None:
    """Without Arrow, pandas' missing text arrives in Spark as the text 'nan', which is not null."""
    frame = pd.DataFrame({"user_id": [None, "nan"]})
    arrived = [row[0] for row in ground.spark.createDataFrame(frame, "user_id string").collect()]
    assert arrived == [None, "nan"]
    result = ground.validate(staged_with(ground, "sessions", "user_id", *arrived))
    assert said(result, "user_id_complete").failing_count == 1
    assert said(result, "user_id_length").failing_count == 1
    assert said(result, "user_id_uuid").failing_count == 1


@pytest.mark.parametrize(("entity", "rule_id"), [("users", "user_id_uuid"), ("songs", "artist_id_shape")])
def test_a_trailing_line_break_breaks_the_form(ground: Any, entity: str, rule_id: str) -> None:
    column = "user_id" if entity == "users" else "artist_id"
    value = ground.clean(entity)[0][column] + "\n"
    result = ground.validate_rule(staged_with(ground, entity, column, value), rule_id)
    assert said(result, rule_id).failing_count == 1


@pytest.mark.parametrize(("landed", "passed"), [("39.60", True), ("39.61", False)])
def test_money_reconciles_to_the_cent(ground: Any, landed: str, passed: bool) -> None:
    staged = ground.stage("sessions", ground.clean("sessions"), landed_amount=Decimal(landed))
    result = ground.validate_rule(staged, "sessions_reconcile")
    assert result.passed == passed
    if not passed:
        assert landed in said(result, "sessions_reconcile").expected
        assert said(result, "sessions_reconcile").observed == 39.6


def test_large_sums_reconcile_to_the_cent(ground: Any) -> None:
    """Prices whose sum as floats would come out a little off: 0.1 forty times, and large ones among them."""
    rows = ground.clean("sessions")
    for position, row in enumerate(rows):
        row["price"] = Decimal("99999999.99") if position % 2 else Decimal("0.10")
    staged = ground.stage("sessions", rows)
    assert ground.validate_rule(staged, "sessions_reconcile").passed
    off = ground.stage("sessions", rows, landed_amount=staged.summary.landed_amount + Decimal("0.01"))
    assert not ground.validate_rule(off, "sessions_reconcile").passed


@pytest.mark.parametrize("landed", [39, 41])
def test_a_row_too_many_or_too_few_does_not_reconcile(ground: Any, landed: int) -> None:
    staged = ground.stage("users", ground.clean("users"), landed_units=landed)
    result = ground.validate_rule(staged, "users_reconcile")
    assert not result.passed
    assert said(result, "users_reconcile").observed == 40


def test_more_quarantined_than_landed_does_not_reconcile(ground: Any) -> None:
    ground.quarantine("users", 3, "more")
    staged = ground.stage("users", ground.clean("users"), run_id="more", landed_units=2, quarantined_units=3)
    assert not ground.validate_rule(staged, "users_reconcile").passed


@pytest.mark.parametrize(
    ("held", "units", "amount", "passed"),
    [
        (2, 2, "7.00", True),
        (1, 2, "7.00", False),
        (3, 2, "7.00", False),
        (2, 2, "7.01", False),
    ],
)
def test_the_quarantine_must_hold_what_the_transform_says(
    ground: Any, held: int, units: int, amount: str, passed: bool
) -> None:
    run_id = f"q-{held}-{amount.replace('.', '-')}"
    ground.quarantine("sessions", held, run_id)
    # another run's refused rows are not this run's
    ground.quarantine("sessions", 5, "another")
    staged = ground.stage(
        "sessions",
        ground.clean("sessions"),
        run_id=run_id,
        landed_units=40 + units,
        landed_amount=Decimal("39.60") + Decimal(amount),
        quarantined_units=units,
        quarantined_amount=Decimal(amount),
    )
    assert ground.validate_rule(staged, "sessions_reconcile").passed == passed


@pytest.mark.parametrize(("landed", "passed"), [(50, True), (49, False)])
def test_the_quarantine_share_may_be_reached_and_not_passed(ground: Any, landed: int, passed: bool) -> None:
    staged = ground.stage("users", ground.clean("users"), landed_units=landed, quarantined_units=1)
    assert ground.validate_rule(staged, "users_quarantine_share").passed == passed


def test_volume_compares_with_the_published_month_before(ground: Any) -> None:
    april = Interval(date(2020, 4, 1), date(2020, 5, 1))
    without = ground.validate_rule(ground.stage("songs", ground.clean("songs", april), april), "songs_volume")
    assert "2020-03 is not published" in said(without, "songs_volume").skipped
    assert without.passed
    ground.publish("songs", ground.clean("songs", MONTH, 50), MONTH)
    compared = ground.validate_rule(ground.stage("songs", ground.clean("songs", april), april), "songs_volume")
    assert said(compared, "songs_volume").expected == "rows from 45 to 500, after 50 the month before"
    assert not compared.passed


@pytest.mark.parametrize("entity", ["users", "sessions"])
def test_an_empty_month_passes_with_notes(ground: Any, entity: str) -> None:
    staged = ground.previous(ground.stage(entity, []))
    result = ground.validate(staged)
    assert result.passed
    skipped = {rule.id: rule.skipped for rule in result.rules if rule.skipped}
    assert "whoever called extract said that it may be" in skipped[f"{entity}_arrived"]
    assert {rule.kind for rule in result.rules if rule.skipped} >= {"volume", "freshness", "arrived"}
    assert said(result, f"{entity}_reconcile").skipped is None, "an empty month reconciles too"


def test_an_empty_month_of_which_everything_was_refused_closes_the_gate(ground: Any) -> None:
    ground.quarantine("users", 3, "refused", "user_id_uuid")
    staged = ground.stage("users", [], run_id="refused", landed_units=3, quarantined_units=3)
    result = ground.validate(staged)
    assert [rule.id for rule in result.failed_rules] == ["users_quarantine_share"]


def test_an_empty_catalogue_closes_the_gate(ground: Any) -> None:
    result = ground.validate(ground.stage("songs", []))
    # the same month may show rows here, of which all would be lost
    assert {"songs_arrived"} <= {rule.id for rule in result.failed_rules} <= {"songs_arrived", "songs_restatement"}


def test_a_month_after_an_empty_one_has_nothing_to_compare_with(ground: Any) -> None:
    staged = ground.previous(ground.stage("users", ground.clean("users")), rows=0)
    assert "published empty" in said(ground.validate_rule(staged, "users_volume"), "users_volume").skipped
