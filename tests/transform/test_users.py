"""Users: places out of five strings, type flips set aside."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from deftunes_contract.registry import load
from deftunes_lake.tables import spark_schema

CONFORM = ["users_conform"]
SET_BY_THE_RUN = {"ingest_on", "processing_timestamp"}


def test_types_are_those_of_the_contract(validator, samples) -> None:
    frame = validator.frame("users", [samples.user()])
    declared = {field.name: field.dataType for field in spark_schema(load("users").columns)}
    validated = {field.name: field.dataType for field in frame.schema if field.name in declared}
    assert validated == {name: kind for name, kind in declared.items() if name not in SET_BY_THE_RUN}
    assert validator.frame("users", []).schema == frame.schema


def test_every_value_arrives(validator, samples) -> None:
    (row,) = validator.validate("users", samples.user())
    assert (row.latitude, row.longitude) == (46.32313, -0.45877)
    assert (row.place_name, row.country_code, row.timezone) == ("Niort", "FR", "Europe/Paris")
    assert row.user_since == datetime(2020, 1, 22, 14, 15, 35, 936090)
    assert row.user_lastname == 'O\'Brien "Ob"'


@pytest.mark.parametrize(
    ("location", "found"),
    [
        (None, (None, None, None, None, None)),
        (..., (None, None, None, None, None)),
        ([], (None, None, None, None, None)),
        (["1.5"], (1.5, None, None, None, None)),
        ([None, None, "P", None, None], (None, None, "P", None, None)),
        ([1.5, -2, "P", "FR", 7], (1.5, -2.0, "P", "FR", "7")),
        (["-1e1", "+.5", "[ P ]", "FR", "Z"], (-10.0, 0.5, "[ P ]", "FR", "Z")),
    ],
)
def test_a_short_or_missing_location_is_allowed(validator, samples, location, found) -> None:
    (row,) = validator.validate("users", samples.user(user_location=location))
    assert (row.latitude, row.longitude, row.place_name, row.country_code, row.timezone) == found
    assert row.failed_rules == 0


BAD = {
    "text location": {"user_location": "1,2,P,FR,Z"},
    "object location": {"user_location": {"0": "1"}},
    "six places": {"user_location": ["1", "2", "P", "FR", "Z", "more"]},
    "north": {"user_location": ["north", "2", "P", "FR", "Z"]},
    "empty latitude": {"user_location": ["", "2", "P", "FR", "Z"]},
    "letter after a number": {"user_location": ["12d", "2", "P", "FR", "Z"]},
    "hexadecimal": {"user_location": ["0x1", "2", "P", "FR", "Z"]},
    "space": {"user_location": [" 1", "2", "P", "FR", "Z"]},
    "NaN": {"user_location": ["1", "NaN", "P", "FR", "Z"]},
    "infinite": {"user_location": ["1", "1e999", "P", "FR", "Z"]},
    "object for a town": {"user_location": ["1", "2", {"name": "P"}, "FR", "Z"]},
    "object for a name": {"user_name": {"first": "Z"}},
    "array for a name": {"user_lastname": ["O"]},
    "NUL": {"user_name": "a\0"},
    "number since": {"user_since": 5},
    "day since": {"user_since": "2020-01-22"},
    "single digits since": {"user_since": "2020-1-2T1:2:3"},
    "zone since": {"user_since": "2020-01-22T14:15:35+00:00"},
    "seven digits since": {"user_since": "2020-01-22T14:15:35.1234567"},
    "line end since": {"user_since": "2020-01-22T14:15:35\n"},
    "year zero": {"user_since": "0000-01-22T14:15:35"},
    "month 13": {"user_since": "2020-13-22T14:15:35"},
    "hour 24": {"user_since": "2020-01-22T24:00:00"},
    "arabic digits": {"user_since": "٢٠٢٠-01-22T14:15:35"},
}


def test_what_is_not_of_the_declared_type_is_set_aside(validator, samples) -> None:
    rows = validator.validate("users", *(samples.user(**change) for change in BAD.values()))
    assert {name: row.rules for name, row in zip(BAD, rows, strict=True)} == dict.fromkeys(BAD, CONFORM)


def test_a_record_of_another_kind_is_one_row(validator) -> None:
    lines = ["", "null", "[]", '"x"', "{", "{}x", '{"user_location": [1}']
    rows = validator.validate("users", *lines)
    assert [(row.rules, row.line) for row in rows] == [(CONFORM, line) for line in lines]


def test_an_object_without_fields_misses_all_of_them(validator) -> None:
    (row,) = validator.validate("users", "{}")
    assert row.rules == ["user_id_complete", "user_lastname_complete", "user_name_complete", "user_since_complete"]


def test_a_half_surrogate_pair_is_set_aside_and_a_whole_one_is_not(validator, samples) -> None:
    line = json.dumps(samples.user(user_name="@"))
    rows = validator.validate("users", *(line.replace("@", text) for text in ("\\uD83D", "x\\ude00", "\\uD83D\\uDE00")))
    assert [row.rules for row in rows] == [CONFORM, CONFORM, [""]]
    assert rows[2].user_name == "😀"
