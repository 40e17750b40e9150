"""One reader of landed records: its rules, and that every caller has the same room for deep ones."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deftunes_contract.landed_record import RecordMeasure, cents, parse
from deftunes_contract.registry import load

SESSIONS = RecordMeasure(load("sessions"))


@pytest.mark.parametrize(
    ("price", "expected"),
    [
        (1, 100), (1.03, 103), (0.1, 10), (-0.0, 0), (-5.5, -550), (1e2, 10000), (99999999.99, 9999999999),
        (0.1 + 0.2, 0), (0.999, 0), (1e8, 0), (-1e8, 0), (1e400, 0), (10**400, 0), (True, 0), ("1.00", 0), (None, 0),
        ([1], 0), ({"price": 1}, 0), (float("nan"), 0),
    ],
)  # fmt: skip
def test_a_readable_price_has_cents(price: Any, expected: int) -> None:
    assert cents(price) == expected


@given(st.floats() | st.integers(-(10**10), 10**10).map(lambda whole: whole / 100))
def test_the_quick_rule_is_the_written_one(price: float) -> None:
    written = round(price * 100) if abs(price) < 10**8 and round(price, 2) == price else 0
    assert cents(price) == written


@pytest.mark.parametrize(
    ("line", "units", "money"),
    [
        ('{"session_items":[{"price":1},{"price":2}]}', 2, 300),
        ('{"session_items":[{"price":1}],"session_items":[{"price":2},5]}', 2, 200),
        ('{"session_items":[{"price":1,"price":2}]}', 1, 200),
        ('{"session_items":[]}', 1, 0),
        ('{"session_items":{"price":1}}', 1, 0),
        ('{"session_items":[{"price":1e2},{"price":-0.0},{"price":true}]}', 3, 10000),
        ('{"x":"\\ud800","session_items":[{"price":1},{"price":1}]}', 2, 200),
        ('{"x":' + "7" * 5000 + ',"session_items":[{"price":1},{"price":1}]}', 2, 200),
        ('{"x":' + "[" * 900 + "]" * 900 + ',"session_items":[{"price":1},{"price":1}]}', 2, 200),
        ('{"session_items":[{"price":NaN},{"price":1}]}', 2, 100),
        ('[{"session_items":[{"price":1},{"price":1}]}]', 1, 0),
        ("null", 1, 0),
        ("no JSON", 1, 0),
        ('{"x":' + "[" * 100_000 + "]" * 100_000 + "}", 1, 0),
    ],
)
def test_units_and_money_of_a_line(line: str, units: int, money: int) -> None:
    assert SESSIONS.of_line(line.encode()) == (units, money)
    assert RecordMeasure(load("users")).of_line(line.encode()) == (1, 0)


def test_a_deep_record_is_read_alike_however_deep_its_reader_stands() -> None:
    line = ('{"x":' + "[" * 900 + "]" * 900 + ',"session_items":[{"price":1},{"price":1}]}').encode()

    def below(levels: int) -> tuple[int, int]:
        return below(levels - 1) if levels else SESSIONS.of_line(line)

    assert {below(levels) for levels in (0, 100, 500, 800)} == {(2, 200)}


def test_numbers_and_texts_keep_their_value() -> None:
    text = '{"a":12345678901234567890,"b":0.1,"c":"\\u00e9","d":"\\ud83c\\udfb5"}'
    assert parse(text.encode()) == json.loads(text)
