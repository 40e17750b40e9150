"""A published month that is run again: nothing that readers have goes away unless somebody names it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from deftunes_contract.allowances import Allowances, Guard
from deftunes_contract.errors import DataRejected
from deftunes_contract.gate import GateResult, find_gate_result
from deftunes_contract.interval import Interval
from deftunes_quality.gate import run_gates

Rows = list[dict[str, Any]]


def month(number: int) -> Interval:
    """A month of 2021; each test has its own, so none sees another's rows."""
    return Interval(date(2021, number, 1), date(2021, number + 1, 1))


def public_and_staged(ground: Any, entity: str, number: int, before: Rows, after: Rows, **figures: Any) -> Any:
    """Publish some rows of a month, then stage others."""
    ground.publish(entity, before, month(number), **figures)
    return ground.stage(entity, after, month(number), f"again-{number}")


def gate(ground: Any, entity: str, number: int, *allowed: str) -> str:
    """The gate's sentence. Raises DataRejected when it closes."""
    allowances = Allowances.parse([(Guard.SHRINK, allowed)])
    return run_gates(replace(ground.gate, allowances=allowances), [entity], month(number), f"again-{number}")


def result(ground: Any, entity: str, number: int) -> GateResult:
    found = find_gate_result(ground.gate.store, entity, month(number).ingest_on, f"again-{number}")
    assert found is not None
    return found


def only(judged: GateResult) -> Any:
    (rule,) = judged.rules
    return rule


def test_a_month_that_shrinks_closes_the_gate_with_both_figures_until_its_name_is_given(lone_ground: Any) -> None:
    ground = lone_ground.create()
    rows = ground.clean("sessions", month(1), 240)
    staged = public_and_staged(ground, "sessions", 1, rows, rows[-11:])
    with pytest.raises(DataRejected) as refused:
        gate(ground, "sessions", 1)
    sentence = str(refused.value)
    assert "sessions_restatement: 2021-01 would shrink: 240 → 11 rows (229 public ones are gone)" in sentence
    assert "price 237.60 → 10.89 USD" in sentence
    assert sentence.endswith("run them with --allow-shrink sessions:2021-01")
    closed = result(ground, "sessions", 1)
    assert [rule.id for rule in closed.failed_rules] == ["sessions_restatement"]
    assert closed.failed_rules[0].failing_count == 229
    assert closed.failed_rules[0].examples
    assert closed.replaces == staged.public.snapshot_id != 0
    for others in ("users", "sessions:2021-02"):
        with pytest.raises(DataRejected):
            gate(ground, "sessions", 1, others)
    assert "sessions_restatement (240 → 11 rows" in (opened := gate(ground, "sessions", 1, "sessions:2021-01"))
    assert "allowed by --allow-shrink sessions:2021-01" in opened
    (rule,) = [rule for rule in result(ground, "sessions", 1).rules if rule.allowed]
    assert (rule.id, rule.passed, rule.allowed) == (
        "sessions_restatement", True, "--allow-shrink sessions:2021-01",
    )  # fmt: skip


def others_instead(rows: Rows) -> Rows:
    return [row | {"session_id": row["session_id"].replace("-4000-", "-4fff-")} for row in rows]


def half_price(rows: Rows) -> Rows:
    return [row | {"price": Decimal("0.50")} for row in rows]


def moved_items(rows: Rows) -> Rows:
    return [row | {"item_no": row["item_no"] + 2} for row in rows]


@pytest.mark.parametrize(
    ("number", "change", "lost"), [(1, others_instead, 40), (2, half_price, 0), (3, moved_items, 40)]
)
def test_as_many_rows_are_no_excuse(ground: Any, number: int, change: Any, lost: int) -> None:
    rows = ground.clean("sessions", month(number))
    staged = public_and_staged(ground, "sessions", number, rows, change(rows))
    judged = ground.validate_rule(staged, "sessions_restatement")
    assert not judged.passed
    assert only(judged).failing_count == lost


@pytest.mark.parametrize(("entity", "number"), [("users", 1), ("sessions", 4), ("songs", 1)])
def test_five_percent_may_go_and_not_a_row_more(ground: Any, entity: str, number: int) -> None:
    rows = ground.clean(entity, month(number))
    staged = public_and_staged(ground, entity, number, rows, rows[2:])
    judged = ground.validate_rule(staged, f"{entity}_restatement")
    assert judged.passed
    assert only(judged).allowed is None
    assert str(only(judged).observed).startswith("40 → 38 rows (2 public ones are gone)")
    staged = ground.stage(entity, rows[3:], month(number), "third")
    assert not ground.validate_rule(staged, f"{entity}_restatement").passed


def test_more_rows_corrections_and_the_same_again_pass(ground: Any) -> None:
    rows = ground.clean("sessions", month(5), 60)
    staged = public_and_staged(ground, "sessions", 5, rows[:40], rows)
    observed = only(ground.validate_rule(staged, "sessions_restatement")).observed
    assert observed == "40 → 60 rows, price 39.60 → 59.40"
    staged = ground.stage("sessions", rows[:40], month(5), "same")
    assert ground.validate_rule(staged, "sessions_restatement").passed
    staged = ground.stage("sessions", [row | {"song_name": "B-side"} for row in rows[:40]], month(5), receipt="1" * 64)
    assert ground.validate_rule(staged, "sessions_restatement").passed


def test_a_first_and_a_provisional_publication_have_nothing_to_lose(ground: Any) -> None:
    rows = ground.clean("users", month(2))
    staged = ground.stage("users", rows[:1], month(2), "first")
    assert "nothing to lose" in only(ground.validate_rule(staged, "users_restatement")).skipped
    staged = public_and_staged(ground, "users", 2, rows, rows[:1], partial=True)
    assert "before it was over" in only(ground.validate_rule(staged, "users_restatement")).skipped
    staged = public_and_staged(ground, "users", 3, [], ground.clean("users", month(3)))
    assert "nothing to lose" in only(ground.validate_rule(staged, "users_restatement")).skipped


def test_rows_that_main_shows_count_also_without_their_tag(ground: Any) -> None:
    """A tag may be gone with a rollback; what readers see decides."""
    rows = ground.clean("users", month(4))
    ground.append("users", rows)
    staged = ground.stage("users", rows[:20], month(4), "again")
    judged = ground.validate_rule(staged, "users_restatement")
    assert not judged.passed
    assert judged.replaces == 0


@pytest.mark.parametrize(
    ("lost", "landed", "passed"),
    [
        ([0], datetime(2021, 7, 8, tzinfo=UTC), False),  # 1 June is more than 30 days before
        ([39], datetime(2021, 7, 8, tzinfo=UTC), True),  # 30 June is not, and one of forty may go
        ([0], datetime(2021, 6, 20, tzinfo=UTC), True),
        ([38, 39, 37], datetime(2021, 7, 8, tzinfo=UTC), False),
    ],
)
def test_what_the_source_no_longer_delivers_may_not_go_at_all(
    ground: Any, lost: Sequence[int], landed: datetime, passed: bool
) -> None:
    interval, rows = month(6), ground.clean("sessions", month(6))
    if not ground.find_public("sessions", interval).rows:
        ground.publish("sessions", rows, interval)
    kept = [row for number, row in enumerate(rows) if number not in lost]
    staged = ground.stage("sessions", kept, interval, "late", landed_at=landed)
    rule = staged.entity.rule("sessions_restatement")
    entity = replace(staged.entity, rules=(replace(rule, parameters=rule.parameters | {"retentionDays": 30}),))
    judged = ground.validate(replace(staged, entity=entity))
    assert judged.passed == passed
    if lost == [0] and not passed:
        assert only(judged).failing_count == 1
        assert "1 rows lost that the source no longer delivers" in str(only(judged).observed)
