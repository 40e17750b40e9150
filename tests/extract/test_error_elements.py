"""An error in the place of a record refuses the whole delivery; a bad record is landed for the quarantine."""

from __future__ import annotations

import json
from typing import Any

import pytest

WORDS = "the report server is being moved to another building until Monday, " * 9
STRANGERS = [
    {"error": "statement timeout", "code": "57014"},
    {"error": {"code": 500, "message": "statement timeout"}},
    {"message": "statement timeout", "user_agent": None, "trace": ["a", "b"]},
    {"detail": "statement timeout"},
    {"_meta": {"total": 60, "words": "statement timeout"}},
    {},
    [{"words": "statement timeout"}],
]


WHERE = [(entity, place) for entity in ("users", "sessions") for place in ("first", "middle", "last", "only")]


@pytest.mark.parametrize(
    ("entity", "place", "stranger"),
    [(*where, STRANGERS[0]) for where in WHERE]
    + [("sessions", "last", stranger) for stranger in STRANGERS[1:]]
    + [("users", "middle", stranger) for stranger in STRANGERS[1:]],
)
def test_an_error_in_the_place_of_a_record_refuses_the_whole(
    api: Any, extract: Any, lake: Any, make: Any, entity: str, stranger: Any, place: str
) -> None:
    records: list[Any] = [(make.user if entity == "users" else make.session)(n) for n in range(1, 500)]
    records.insert({"first": 0, "middle": 300}.get(place, 499), stranger)
    api.say(api.records([stranger] if place == "only" else records))
    outcome = extract(entity, DEFTUNES_API_URL=api.url, DEFTUNES_EXTRACT_ATTEMPTS=2, DEFTUNES_PART_BYTES=50_000)
    assert (outcome.code, len(api.asked)) == (65, 2)
    assert json.dumps(stranger, separators=(",", ":")) in outcome.said
    assert lake.content() == {}


def test_a_long_error_is_shown_to_200_characters(api: Any, extract: Any, make: Any) -> None:
    api.say(api.records([make.user(1), {"error": WORDS, "sql": "\x1b[31m" * 90}]))
    outcome = extract("users", DEFTUNES_API_URL=api.url)
    assert WORDS[:180] in outcome.said
    assert len(outcome.said) < 600
    assert outcome.said.isprintable()


@pytest.mark.parametrize("last", ["ERROR: statement timeout", None, 57014, True, [], ["x"]])
def test_what_stands_in_the_last_place_must_be_a_record(
    api: Any, extract: Any, lake: Any, make: Any, last: Any
) -> None:
    api.say(api.records([make.session(1), make.session(2), last]))
    outcome = extract("sessions", DEFTUNES_API_URL=api.url)
    assert outcome.code == 65
    assert "as the last element" in outcome.said
    assert lake.content() == {}


def test_bad_records_are_landed_for_the_quarantine(api: Any, extract: Any, lake: Any, make: Any) -> None:
    bad = [
        make.session(1, session_id=None),
        make.session(2, session_id="", user_id=""),
        make.session(3, session_id=...),
        make.session(4, user_id=..., error="not one"),
        {"session_id": None, "error": "this session cannot be read"},
        "a text",
        None,
        7,
        [1],
        make.session(5),
    ]
    api.say(api.records(bad), api.records([make.user(1, user_id=...), make.user(2, user_id=None)]))
    assert extract("sessions", "users", DEFTUNES_API_URL=api.url).code == 0
    assert (lake.receipt("sessions").records, lake.receipt("users").records) == (10, 2)
