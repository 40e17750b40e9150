"""What the contract normalises and what it calls blank, on Spark: as Python and Unicode have it."""

from __future__ import annotations

import unicodedata

import pytest

from deftunes_contract.normalise import BLANKS, LOWER_LETTERS, UPPER_LETTERS, Step
from deftunes_contract.registry import load, registry

INVISIBLE = ["", " ", "\u00a0 \u3000", "\u200b\ufeff", "\u2060", "\t"]
COUNTRIES = {
    "US": "US",
    "us": "US",
    "US ": "US",
    "\u00a0uS\u200b": "US",
    "\ufeffus\t": "US",
    "": None,
    " \u3000": None,
    "usa": "USA",  # no code: kept here, unknown in serving
    "u s": "U S",
    "\ufb01": "\ufb01",  # a ligature, which Unicode's upper case makes FI
    "\u00df": "\u00df",  # and this one SS
    "\uff35\uff33": "\uff35\uff33",
}
TEXTS = [
    "Beyonc\u00e9",
    "Beyonce\u0301",
    " Beyonce\u0301\u00a0",
    "\ud55c",
    "\u1112\u1161\u11ab",
    "A  b",
    "\u2764\ufe0f",
    "AC/DC",
]


def python(text: str, steps: tuple[Step, ...]) -> str | None:
    """The contract's steps as this language has them."""
    for step in steps:
        match step:
            case Step.NFC:
                text = unicodedata.normalize("NFC", text)
            case Step.TRIM:
                text = text.strip(BLANKS)
                if not text:
                    return None
            case Step.UPPER:
                text = text.translate(str.maketrans(LOWER_LETTERS, UPPER_LETTERS))
    return text


def test_a_country_has_one_spelling(validator, samples) -> None:
    users = [samples.user(number, user_location=["1", "2", "P", code, "Z"]) for number, code in enumerate(COUNTRIES)]
    rows = validator.validate("users", *users)
    assert [row.country_code for row in rows] == list(COUNTRIES.values())
    assert all(row.failed_rules == 0 for row in rows)


def test_every_normalised_column_is_what_its_steps_make_of_it(validator, samples) -> None:
    users = [
        samples.user(number, user_location=["1", "2", text, text, text]) for number, text in enumerate(TEXTS, start=1)
    ]
    songs = [
        samples.song(number, title=text, release=text, artist_name=text) for number, text in enumerate(TEXTS, start=1)
    ]
    for entity, records in (("users", users), ("songs", songs)):
        rows = validator.validate(entity, *records)
        for column in load(entity).columns:
            if column.normalise:
                found = [row[column.name] for row in rows]
                assert found == [python(text, column.normalise) for text in TEXTS], column.name


def test_texts_without_steps_stay_as_they_came(validator, samples) -> None:
    odd = " Beyonce\u0301\u00a0"
    (user,) = validator.validate("users", samples.user(user_name=odd, user_lastname=odd))
    (item,) = validator.validate("sessions", samples.session(items=[samples.item(artist_name=odd, song_name=odd)]))
    assert [user.user_name, user.user_lastname, item.artist_name, item.song_name] == [odd] * 4


@pytest.mark.parametrize(
    ("currency", "rules"),
    [
        ("usd", [""]),
        ("USD\u00a0", [""]),
        (" \u200b", ["currency_complete"]),
        ("", ["currency_complete"]),
        ("EUR", ["currency_known"]),
        ("USD\0", ["currency_known"]),
        ("U SD", ["currency_known"]),
    ],
)
def test_a_currency_has_one_spelling_and_keeps_its_money(validator, samples, currency, rules) -> None:
    (row,) = validator.validate("sessions", samples.session(items=[samples.item(currency=currency)]))
    assert (row.rules, str(row.price)) == (rules, "1.03")
    assert row.currency == "USD" or rules != [""]


@pytest.mark.parametrize("number", range(len(INVISIBLE)))
def test_a_name_that_shows_nothing_is_no_name(validator, samples, number) -> None:
    blank = INVISIBLE[number]
    (user,) = validator.validate("users", samples.user(user_name=blank, user_lastname=blank))
    assert user.rules == ["user_lastname_complete", "user_name_complete"]
    assert user.line is not None


@pytest.mark.parametrize("entity", registry().names)
def test_every_complete_text_may_not_be_blank_in_the_transform(validator, samples, entity) -> None:
    """Every rule of severity quarantine, whatever else a blank id breaks."""
    quarantined = {
        rule.column: rule.id
        for rule in load(entity).rules_of("complete")
        if rule.severity == "quarantine" and load(entity).refuses_blank(rule)
    }
    blank = dict.fromkeys(quarantined, "\u00a0")
    if entity == "sessions":
        item = {name: value for name, value in blank.items() if name in samples.item()}
        envelope = {name: value for name, value in blank.items() if name not in item}
        record = samples.session(items=[samples.item(**item)], **envelope)
    else:
        record = {"users": samples.user, "songs": samples.song}[entity](**blank)
    (row,) = validator.validate(entity, record)
    assert quarantined
    assert set(quarantined.values()) <= set(row.rules)


def test_ids_in_another_case_are_still_refused(validator, samples) -> None:
    (user,) = validator.validate("users", samples.user(user_id="ABCDEF00-0000-4000-8000-00000000000A"))
    (song,) = validator.validate("songs", samples.song(track_id=" R0000000000000001"))
    assert user.rules == ["user_id_uuid"]
    assert song.rules == ["track_id_shape"]
