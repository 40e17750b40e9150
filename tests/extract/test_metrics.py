"""RecordMetrics of a delivery, on the short way and on the long way."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deftunes_contract.registry import load
from deftunes_extract.metrics import RecordMetrics
from deftunes_extract.source import LoadTotals

wrong = st.sampled_from([..., None, True, 1, 1.5, "1.00", [], {}, [None], "2020-01-05T01:00:00"])
prices = (
    st.integers(-(10**10), 10**10)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(10**10) - 5, 10**10 + 5).map(lambda cents: cents / 100)
    | st.integers(0, 300).map(lambda cents: cents / 100 + 0.001)
    | wrong
)


def totals(entity: str, *records: Any) -> LoadTotals:
    metrics = RecordMetrics(load(entity))
    metrics.add([json.dumps(record).encode() for record in records])
    return metrics.totals


def expected_units_and_amount(records: list[Any]) -> tuple[int, Decimal]:
    """The rules of docs/architecture.md, written down once more."""
    units, amount = 0, Decimal(0)
    for record in records:
        items = record.get("session_items") if isinstance(record, dict) else None
        units += max(1, len(items)) if isinstance(items, list) else 1
        for one in items if isinstance(items, list) else ():
            price = one.get("price") if isinstance(one, dict) else None
            number = isinstance(price, int | float) and not isinstance(price, bool)
            if number and abs(price) < 10**8 and round(price, 2) == price:
                amount += Decimal(f"{price:.2f}")
    return units, amount


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_session_counts_by_the_written_rules(data: st.DataObject, make: Any) -> None:
    def spoil(record: dict[str, Any]) -> Any:
        name = data.draw(st.sampled_from([None, *record, "new"]))
        changed = record if name is None else record | {name: data.draw(wrong)}
        return {key: value for key, value in changed.items() if value is not ...}

    records: list[Any] = []
    for number in range(data.draw(st.integers(0, 4))):
        items = [spoil(make.item(price)) for price in data.draw(st.lists(prices, max_size=4))]
        records.append(spoil(make.session(number, items)))
    records += data.draw(st.lists(st.sampled_from([None, 7, "text", [], {}, [{"price": 1}]]), max_size=2))
    found = totals("sessions", *records)
    assert (found.units, found.amount) == expected_units_and_amount(records)
    assert found.records == len(records)


def test_sums_are_exact(make: Any) -> None:
    found = totals("sessions", *(make.session(n, [make.item(0.1), make.item(0.2), make.item(1)]) for n in range(1000)))
    assert found.amount == Decimal("1300.00")
    assert found.units == 3000


@pytest.mark.parametrize("price", [True, "1.00", None, 0.999, 10**8, -(10**8), 1e300, 1e-3, [1], {"a": 1}])
def test_an_unreadable_price_is_not_summed(make: Any, price: Any) -> None:
    assert totals("sessions", make.session(1, [make.item(price), make.item(0.5)])).amount == Decimal("0.50")


def test_users_have_no_money_and_one_unit_each(make: Any) -> None:
    found = totals("users", make.user(1), make.user(2, user_location=...), "odd")
    assert (found.records, found.units, found.amount) == (3, 3, None)


def test_the_span_of_times_ignores_what_is_no_zoneless_time(make: Any) -> None:
    times = ["2020-01-02T03:04:05.000006", "2020-01-31T23:59:59.999999", "soon", "2019-01-01T00:00:00Z", 7, None, ...]
    found = totals("users", *(make.user(n, user_since=time) for n, time in enumerate(times)))
    assert found.min_time == datetime(2020, 1, 2, 3, 4, 5, 6)
    assert found.max_time == datetime(2020, 1, 31, 23, 59, 59, 999999)
    assert totals("users").min_time is None


def test_unknown_and_missing_fields_are_named_with_their_number(make: Any) -> None:
    found = totals(
        "sessions",
        make.session(1, [make.item(1, discount=0.1), make.item(1, discount=0.1)], channel="web"),
        make.session(2, [make.item(1, currency=...)], user_agent=...),
        make.session(3),
        [1],
    )
    assert set(found.warnings) == {
        "unknown field channel in 1 records",
        "unknown field session_items[].discount in 2 items",
        "missing field session_items[].currency in 1 items",
        "missing field user_agent in 1 records",
        "no JSON object in 1 records",
    }
    assert found.warnings[0] == "unknown field session_items[].discount in 2 items"


def test_a_source_gone_wild_does_not_fill_the_receipt(make: Any) -> None:
    found = totals("users", *(make.user(n, **{f"field {n}\n": 1}) for n in range(3000)))
    assert len(found.warnings) == 21
    assert not any("\n" in warning for warning in found.warnings)
    assert sum(map(len, found.warnings)) < 3000


def test_a_record_nested_to_the_edge_counts_as_one(make: Any) -> None:
    metrics = RecordMetrics(load("sessions"))
    metrics.add([b'{"session_items":' + b"[" * 100_000 + b"]" * 100_000 + b"}"])
    assert (metrics.totals.records, metrics.totals.units) == (1, 1)
