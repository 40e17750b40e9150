"""Sessions: one row an item, exactly the bad items set aside, every type what the contract says."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal

import pytest

from deftunes_contract.registry import load
from deftunes_lake.tables import spark_schema

CONFORM = ["sessions_conform"]


def deep(depth: int) -> str:
    return "[" * depth + "]" * depth


def spliced(record: dict, field: str, text: str) -> str:
    """A record with one more field, whose value is given as JSON text."""
    return f'{{"{field}":{text},' + json.dumps(record)[1:]


def outcome(rows) -> list:
    return [(row.item_no, row.rules) for row in rows]


def test_types_are_those_of_the_contract(validator, samples) -> None:
    contract = load("sessions")
    frame = validator.frame("sessions", [samples.session()])
    declared = {field.name: field.dataType for field in spark_schema(contract.columns)}
    validated = {field.name: field.dataType for field in frame.schema if field.name in declared}
    assert validated == {
        name: kind for name, kind in declared.items() if name not in ("ingest_on", "processing_timestamp")
    }


def test_every_value_arrives(validator, samples) -> None:
    first, second = validator.validate("sessions", samples.session())
    assert (first.item_no, second.item_no) == (0, 1)
    assert first.price == Decimal("1.03")
    assert second.price == Decimal("0.99")
    assert first.session_start_time == datetime(2020, 1, 10, 10, 0, 0, 1)
    assert first.liked_since == datetime(2020, 1, 27, 8, 29, 54, 970697)
    assert (second.liked, second.liked_since) == (False, None)
    assert (first.song_name, first.artist_name, first.user_agent) == ("[untitled]", "Björk", "Mozilla/5.0")


def test_a_month_without_any_like_and_an_empty_month_keep_their_types(validator, samples) -> None:
    full = validator.frame("sessions", [samples.session()])
    unliked = validator.frame("sessions", [samples.session(items=[samples.item(liked=None, liked_since=None)])])
    empty = validator.frame("sessions", [])
    assert unliked.schema == full.schema == empty.schema
    assert empty.collect() == []
    assert unliked.collect()[0].liked_since is None


TEXTS = [
    'quote " back\\slash',
    "line\nfeed\ttab\r",
    "Ünïcödé 東京 😀",
    "\x01\x1f\x7f\u2028",
    "{not json",
    "[1]",
    "",
    " x ",
]


def test_texts_arrive_unchanged(validator, samples) -> None:
    records = [samples.session(n, items=[samples.item(song_name=text)]) for n, text in enumerate(TEXTS)]
    escaped = [json.dumps(record) for record in records]
    for lines in (records, escaped):
        assert [row.song_name for row in validator.validate("sessions", *lines)] == TEXTS
        assert {row.failed_rules for row in validator.validate("sessions", *lines)} == {0}


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(json.dumps(bad), id=name)
        for name, bad in {
            "text price": {"price": "1.03"},
            "bool price": {"price": True},
            "object price": {"price": {}},
            "three decimals": {"price": 1.005},
            "sum of doubles": {"price": 0.1 + 0.2},
            "too large": {"price": 1e8},
            "text like": {"liked": "true"},
            "number like": {"liked": 1},
            "number since": {"liked_since": 5},
            "zone since": {"liked_since": "2020-01-01T00:00:00Z"},
            "object name": {"song_name": {"a": 1}},
            "array name": {"artist_name": ["a"]},
            "nul name": {"song_name": "a\0b"},
        }.items()
    ]
    + [
        pytest.param('{"price": 1e400}', id="infinite price"),
        pytest.param('{"price": 1' + "0" * 5000 + "}", id="huge price"),
        pytest.param('{"song_name": "\\ud800"}', id="half a pair"),
        pytest.param('{"song_name": "\\udc00x"}', id="other half"),
        pytest.param('{"price": 1.0, "price": "1.0"}', id="last of two prices is text"),
    ],
)
def test_one_bad_item_is_set_aside_and_its_neighbours_are_published(validator, samples, bad: str) -> None:
    good = json.dumps(samples.item())
    spoilt = json.dumps(samples.item(price=..., song_name="n") if '"price"' in bad else samples.item(song_name=...))
    item = spoilt[:-1] + "," + bad[1:]
    line = json.dumps(samples.session(items=["@"])).replace('"@"', f"{good},{item},{good}")
    rows = validator.validate("sessions", line)
    assert outcome(rows) == [(0, [""]), (1, CONFORM), (2, [""])]
    assert [row.line for row in rows] == [None, line, None]
    assert rows[0].price == rows[2].price == Decimal("1.03")


@pytest.mark.parametrize("element", ["null", "5", '"text"', "[1]", "[]", "true", json.dumps('{"price": 1.03}')])
def test_an_element_that_is_no_object_is_set_aside(validator, samples, element: str) -> None:
    good = json.dumps(samples.item())
    line = json.dumps(samples.session(items=["@"])).replace('"@"', f"{good},{element},{good}")
    assert outcome(validator.validate("sessions", line)) == [(0, [""]), (1, CONFORM), (2, [""])]


def test_the_money_of_a_bad_item_is_still_read(validator, samples) -> None:
    items = [samples.item(liked="x"), samples.item(price="1.03"), samples.item(price=2.5), samples.item(price=-0.0)]
    rows = validator.validate("sessions", samples.session(items=items))
    assert [row.price for row in rows] == [Decimal("1.03"), None, Decimal("2.50"), Decimal("0.00")]
    assert [row.rules for row in rows] == [CONFORM, CONFORM, ["price_max"], [""]]


@pytest.mark.parametrize(
    "change",
    [
        {"session_start_time": 5},
        {"session_start_time": "2020-02-30T10:00:00"},
        {"session_start_time": "2020-01-10T10:00:00Z"},
        {"user_agent": {"a": 1}},
        {"user_agent": "a\0b"},
    ],
)
def test_a_fault_of_the_envelope_condemns_all_items(validator, samples, change: dict) -> None:
    assert outcome(validator.validate("sessions", samples.session(**change))) == [(0, CONFORM), (1, CONFORM)]


def test_an_object_for_an_id_condemns_all_items(validator, samples) -> None:
    rows = validator.validate("sessions", samples.session(user_id={"id": 1}))
    assert [row.rules[0] for row in rows] == ["user_id_length", "user_id_length"]


@pytest.mark.parametrize("items", [None, [], {}, {"0": {}}, "[]", 5, True, ...], ids=repr)
def test_a_record_without_items_is_one_row(validator, samples, items: object) -> None:
    (row,) = validator.validate("sessions", samples.session(session_items=items))
    assert (row.item_no, row.rules, row.price) == (None, CONFORM, None)


@pytest.mark.parametrize(
    "line",
    ["", "  ", "null", "5", '"x"', "[]", "[{}]", "hello", "{", "{'user_id': 'u'}", '{"a":NaN}', '{"a":01}', "{}x"],
)
def test_what_is_no_json_object_is_one_row(validator, line: str) -> None:
    (row,) = validator.validate("sessions", line)
    assert (row.item_no, row.rules, row.line) == (None, CONFORM, line)


def test_what_is_cut_short_or_followed_by_something_is_one_row(validator, samples) -> None:
    line = json.dumps(samples.session())
    texts = (
        line[:-1],
        line[:-3],
        line + "x",
        line + line,
        line + ',{"a":1}',
        f"[{line}]",
        line.replace("1.03", "NaN"),
    )
    rows = validator.validate("sessions", *texts)
    assert [(row.item_no, row.rules, row.price) for row in rows] == [(None, CONFORM, None)] * len(texts)
    assert len(validator.validate("sessions", f" \t{line} ")) == 2


def test_of_a_field_given_twice_the_last_counts(validator, samples) -> None:
    item = json.dumps(samples.item())
    line = json.dumps(samples.session(items=["@"]))
    (row,) = validator.validate("sessions", line.replace('"@"', f'{{"price":"x",{item[1:]}'))
    assert (row.rules, row.price) == ([""], Decimal("1.03"))
    (row,) = validator.validate("sessions", line.replace('"@"', f'{item[:-1]},"price":0.5}}'))
    assert (row.rules, row.price) == ([""], Decimal("0.50"))
    (row,) = validator.validate("sessions", line.replace('"@"', item)[:-1] + ',"session_items":5}')
    assert (row.item_no, row.rules) == (None, CONFORM)
    (row,) = validator.validate("sessions", '{"session_items":5,' + line.replace('"@"', item)[1:])
    assert (row.item_no, row.rules) == (0, [""])


def test_unknown_fields_are_ignored_whatever_they_hold(validator, samples) -> None:
    item = spliced(samples.item(), "more", '{"price": [], "a": 1, "a": 2}')
    line = json.dumps(samples.session(items=["@"])).replace('"@"', item)
    more = f'{{"more": {deep(5000)}, "large": 1{"0" * 5000},' + line[1:]
    rows = validator.validate("sessions", line, more)
    assert [row.rules for row in rows] == [[""], [""]]


def test_items_of_deep_records_are_told_apart(validator, samples) -> None:
    items = [spliced(samples.item(), "more", deep(900)), json.dumps(samples.item(price="x"))]
    line = json.dumps(samples.session(items=["@"])).replace('"@"', ",".join(items))
    assert outcome(validator.validate("sessions", line)) == [(0, [""]), (1, CONFORM)]


def test_scalars_in_text_fields_are_their_text(validator, samples) -> None:
    (row,) = validator.validate("sessions", samples.session(items=[samples.item(song_name=5, artist_name=True)]))
    assert (row.rules, row.song_name, row.artist_name) == ([""], "5", "true")


def test_names_are_told_apart_by_case(validator, samples) -> None:
    (row,) = validator.validate("sessions", samples.session(items=[samples.item(currency=..., Currency="USD")]))
    assert row.rules == ["currency_complete"]


def test_whole_pairs_and_escaped_backslashes_are_no_half_pairs(validator, samples) -> None:
    line = json.dumps(samples.session(items=[samples.item(song_name="@")]))
    texts = {
        "\\ud83d\\ude00": "😀",
        "\\\\ud800": "\\ud800",
        "\\\\\\ud83d\\uDE00": "\\😀",
        "\\u00e9\\\\u0000": "é\\u0000",
    }
    rows = validator.validate("sessions", *(line.replace("@", text) for text in texts))
    assert [row.song_name for row in rows] == list(texts.values())
    assert {row.failed_rules for row in rows} == {0}


@pytest.mark.parametrize(
    ("moment", "inside"),
    [
        ("2020-01-01T00:00:00.000000", True),
        ("2020-01-01T00:00:00", True),
        ("2019-12-31T23:59:59.999999", False),
        ("2020-01-31T23:59:59.999999", True),
        ("2020-02-01T00:00:00.000000", False),
    ],
)
def test_the_interval_is_half_open(validator, samples, moment: str, inside: bool) -> None:
    rows = validator.validate("sessions", samples.session(session_start_time=moment))
    assert {row.failed_rules == 0 for row in rows} == {inside}
    assert rows[0].session_start_time == datetime.fromisoformat(moment)


def test_sessions_stay_at_the_grain_of_items(validator, samples) -> None:
    items = [samples.item(1)] * 5
    rows = validator.validate("sessions", samples.session(items=items))
    assert [row.item_no for row in rows] == [0, 1, 2, 3, 4]
    assert {row.failed_rules for row in rows} == {0}
