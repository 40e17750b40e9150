"""Where a column's value is in a record, by the contract, and what the readers find there."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deftunes_contract.copy_text import fields_of, unescape
from deftunes_contract.entity import Entity, Field
from deftunes_contract.landed_record import RecordMeasure, cents_of_text
from deftunes_contract.record_path import amount_path, find_path
from deftunes_contract.registry import load

USERS, SESSIONS, SONGS = load("users"), load("sessions"), load("songs")
ESCAPES = {"\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}


def field(name: str, kind: str, *children: Field, path: str = "") -> Field:
    return Field(name, kind, False, False, False, False, "", children, path=path)


def payments(declared: str = "double", path: str = "amount", **changes: Any) -> Entity:
    """A flat entity with money."""
    amount = field("amount", "decimal(10,2)", path=path)
    record = (field("id", "string"), field("amount", declared), field("total", "struct", field("value", declared)))
    return replace(
        USERS, name="payments", columns=(field("id", "string"), amount), record=record, amount="amount", **changes
    )


def test_a_path_is_resolved_against_the_declared_record() -> None:
    country = find_path(USERS, USERS.column("country_code"))
    assert country is not None
    assert (country.steps, country.type, country.in_item) == (("user_location", 3), "string", False)
    assert country.find({"user_location": ["1", "2", "P", "FR"]}) == "FR"
    assert [country.find(node) for node in ({}, {"user_location": ["1"]}, {"user_location": "x"}, [], None)] == [
        None
    ] * 5
    price, start = (find_path(SESSIONS, SESSIONS.column(name)) for name in ("price", "session_start_time"))
    assert price is not None
    assert start is not None
    assert (price.in_item, price.type, start.in_item) == (True, "double", False)
    assert find_path(SESSIONS, SESSIONS.column("ingest_on")) is None


def test_the_item_is_looked_at_before_the_record() -> None:
    (items,) = (one for one in SESSIONS.record if one.name == SESSIONS.explode)
    both = replace(SESSIONS, record=(field("price", "string"), items))
    found = find_path(both, SESSIONS.column("price"))
    assert found is not None
    assert (found.in_item, found.type) == (True, "double")


def test_a_path_that_leads_nowhere_names_its_column() -> None:
    with pytest.raises(ValueError, match=r"contract users: column timezone: the record has no 'user_location.zone'"):
        find_path(USERS, replace(USERS.column("timezone"), path="user_location.zone"))
    for text in (".", "a..b", "a[", "a[x]", "[0]"):
        with pytest.raises(ValueError, match="expected a path"):
            find_path(USERS, replace(USERS.column("timezone"), path=text))


@pytest.mark.parametrize(
    ("entity", "message"),
    [
        (replace(SESSIONS, amount="user_id"), "expected a field of the items of session_items"),
        (payments(amount_type := "long"), f"expected double or string in the JSON record, found {amount_type}"),
        (
            replace(payments(), columns=(field("amount", "double"),)),
            r"expected physicalType decimal\(10,2\), found double",
        ),
        (replace(payments(), record=(field("id", "string"),)), "expected a field of the record, found none"),
        (replace(SESSIONS, explode="user_id"), "expected an array of objects in the record, 'user_id'"),
    ],
    ids=["envelope", "whole", "double column", "nowhere", "no items"],
)
def test_money_that_no_reader_can_sum_is_refused(entity: Entity, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RecordMeasure(entity)


@pytest.mark.parametrize(
    ("line", "money"),
    [
        ('{"amount":1.03}', 103), ('{"amount":1,"amount":2.5}', 250), ('{"amount":"1.03"}', 0), ('{"amount":1.005}', 0),
        ('{"amount":null}', 0), ("{}", 0), ('[{"amount":1}]', 0), ('{"amount":1', 0), ("", 0), ('{"amount":-0.5}', -50),
        ('{"id":{"amount":7},"amount":1e2}', 10000),
    ],
)  # fmt: skip
def test_a_flat_record_is_one_row_with_its_money(line: str, money: int) -> None:
    measure = RecordMeasure(payments())
    assert measure.of_line(line.encode()) == (1, money)
    assert not measure.is_constant
    assert RecordMeasure(USERS).is_constant


def test_money_below_a_field_and_money_as_text() -> None:
    nested = RecordMeasure(payments(path="total.value"))
    assert nested.of_line(b'{"amount":9,"total":{"value":1.5}}') == (1, 150)
    assert nested.of_line(b'{"amount":9,"total":1.5}') == (1, 0)
    text = RecordMeasure(payments("string"))
    lines = (b'{"amount":"1.50"}', b'{"amount":1.5}', b'{"amount":"1,50"}')
    assert [text.of_line(line)[1] for line in lines] == [
        150,
        150,
        0,
    ]


@pytest.mark.parametrize(
    ("line", "money"),
    [
        ("a\t12.30\tx", 1230), ("a\t12.3000\tx", 1230), ("a\t\\N\tx", 0), ("a\t12.305\tx", 0), ("a\tNaN\tx", 0),
        ("a\t12.30", 0), ("a\t12.30\tx\ty", 0), ("", 0), ("a\t1\\.5\tx", 150), ("a\t100000000\tx", 0),
        ("a\t-1e1\tx\\\\", -1000), ("a\0\t1\tx", 0),
    ],
)  # fmt: skip
def test_a_copied_row_has_money_too(line: str, money: int) -> None:
    measure = RecordMeasure(payments("decimal(10,2)", landing_format="pgcopy"))
    assert measure.of_line(f"{line}\n".encode()) == measure.of_line(line.encode()) == (1, money)
    assert measure.of_line(b"a\t1\t\xff") == (1, 0)


@given(st.lists(st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=1))
def test_fields_survive_postgresqls_escapes(texts: list[str | None]) -> None:
    def copied(text: str | None) -> str:
        return "\\N" if text is None else "".join(ESCAPES.get(letter, letter) for letter in text)

    assert fields_of("\t".join(map(copied, texts)).encode(), len(texts)) == texts


def test_a_backslash_before_any_other_character_stands_for_it() -> None:
    assert [unescape(text) for text in ("\\N", "\\Nx", "a\\", "\\\\", "\\q")] == [None, "Nx", "a", "\\", "q"]


@given(st.decimals(-(10**8) + 1, 10**8 - 1, places=2))
def test_money_as_text_is_read_to_the_cent(price: Any) -> None:
    assert cents_of_text(str(price)) == math.trunc(price * 100)
    path = amount_path(payments("string"))
    assert path is not None
