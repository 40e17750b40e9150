"""Examples of quarantined records help to see what is wrong and name nobody."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deftunes_cli.dashboard.quarantine import LONGEST, masked
from deftunes_contract.registry import load

SECRET = "Q7secret"
keys = st.sampled_from([SECRET, "price", "x"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(SECRET) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=5,
)


@given(value=values, other=values, entity=st.sampled_from(["users", "sessions"]), item_no=st.none() | st.integers(0, 2))
@example(value=None, other={"price": SECRET}, entity="sessions", item_no=1)
@example(value=None, other={"liked": SECRET, "liked_since": SECRET}, entity="sessions", item_no=1)
def test_no_personal_and_no_unknown_value_is_shown(value: Any, other: Any, entity: str, item_no: int | None) -> None:
    personal = {column.name for column in load(entity).columns if column.pii}
    record = dict.fromkeys(personal, value) | {"email": value, "user_location": value}
    record["session_items"] = [{"price": 9, "buyer_email": value}, other]
    assert SECRET not in masked(load(entity), json.dumps(record), item_no, "price_max")


@given(raw=st.text().map(lambda text: text + SECRET))
def test_what_cannot_be_read_is_only_measured(raw: str) -> None:
    shown = masked(load("users"), raw, None, "users_conform")
    assert SECRET not in shown
    assert "no JSON object" in shown


def test_what_the_rule_is_on_comes_first() -> None:
    item = {"song_id": "TR" + "0" * 16, "song_name": "A title", "artist_name": "x" * 300, "price": 9.99}
    record = {"user_id": "u", "session_id": "s", "session_items": [{"price": 1}, item]}
    shown = masked(load("sessions"), json.dumps(record), 1, "price_max")
    assert shown.startswith("session_items: item 1 of 2 (price: 9.99, song_id: ")
    assert len(shown) <= LONGEST


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "null"), ("", '""'), ("Ann", "••• (3 characters)"), (7, "•••"), ([1, 2], "••• (2 values)")],
)
def test_a_masked_value_still_says_what_kind_it_is(value: Any, shown: str) -> None:
    assert f"user_name: {shown}" in masked(load("users"), json.dumps({"user_name": value}), None, "user_name_complete")


def test_unknown_fields_are_counted() -> None:
    assert masked(load("users"), '{"user_id": null, "a": 1, "b": 2}', None, "x").endswith(
        "…: 2 fields the contract does not know"
    )


@pytest.mark.parametrize("raw", ["[]", "7", "null", "{"])
def test_json_that_is_no_record(raw: str) -> None:
    assert "no JSON object" in masked(load("sessions"), raw, None, "sessions_conform")


def test_an_item_that_is_no_object() -> None:
    assert "item 0 of 1 is ••• (8 characters)" in masked(
        load("sessions"), json.dumps({"session_items": [SECRET]}), 0, "sessions_conform"
    )


def test_songs_are_rows() -> None:
    names = [field.name for field in load("songs").record]
    row = "\t".join("TRX" if name == "track_id" else r"\N" for name in names)
    shown = masked(load("songs"), row, None, "track_id_length")
    assert shown.startswith('track_id: "TRX", title: null')
    assert masked(load("songs"), "a\tb", None, "songs_conform") == "3 characters, no row"
