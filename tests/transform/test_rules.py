"""Every quarantine rule of every contract is tripped by its own bad row; a new rule without one fails here."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from deftunes_contract.entity import Severity
from deftunes_contract.interval import Interval
from deftunes_contract.registry import load, registry
from deftunes_transform.rules import QuarantineRules, anchor_end

UPPER = "ABCDEF00-0000-4000-8000-000000000001"
BAD_USERS = {
    "user_id_complete": {"user_id": None},
    "user_lastname_complete": {"user_lastname": None},
    "user_name_complete": {"user_name": ...},
    "user_since_complete": {"user_since": None},
    "user_id_uuid": {"user_id": UPPER},
    "user_since_in_interval": {"user_since": "2020-02-01T00:00:00.000000"},
    "latitude_range": {"user_location": ["90.1", "0", "P", "FR", "Z"]},
    "longitude_range": {"user_location": ["0", "-180.1", "P", "FR", "Z"]},
    "users_conform": {"user_since": 5},
}
BAD_SESSIONS = {
    "user_id_complete": {"user_id": None},
    "user_id_length": {"user_id": "00000000-0000-4000-8000-0000000000011"},
    "session_id_complete": {"session_id": ...},
    "session_id_length": {"session_id": "short"},
    "user_id_uuid": {"user_id": UPPER},
    "session_id_uuid": {"session_id": UPPER},
    "session_start_time_complete": {"session_start_time": None},
    "session_in_interval": {"session_start_time": "2019-12-31T23:59:59.999999"},
    "sessions_conform": {"session_start_time": "2020-01-10 10:00:00"},
}
BAD_ITEMS = {
    "song_id_complete": {"song_id": None},
    "price_max": {"price": 2.01},
    "price_complete": {"price": None},
    "price_min": {"price": -0.01},
    "currency_complete": {"currency": ...},
    "currency_known": {"currency": "EUR"},
    "song_id_track": {"song_id": "SO0000000000000001"},
}
BAD_SONGS = {
    "track_id_complete": {"track_id": None},
    "track_id_length": {"track_id": "TR00000000000000001"},
    "song_id_complete": {"song_id": None},
    "song_id_length": {"song_id": "SO1"},
    "artist_id_complete": {"artist_id": None},
    "track_id_shape": {"track_id": "TRa000000000000001"},
    "songs_conform": {"duration": "NaN"},
}
ALONE = {"user_id_length", "session_id_length", "track_id_length"}
"""Lengths are implied by patterns, so their bad rows break both."""


def quarantine_rules(entity: str) -> list[str]:
    return [rule.id for rule in load(entity).rules if rule.severity is Severity.QUARANTINE]


@pytest.fixture(scope="module")
def broken(validator, samples):
    """Rule id → the rules that its bad row fails, by entity; two rows of one key make the one of `unique`."""
    cases = {
        "users": {rule: samples.user(9, **change) for rule, change in BAD_USERS.items()},
        "sessions": {rule: samples.session(9, **change) for rule, change in BAD_SESSIONS.items()}
        | {rule: samples.session(9, items=[samples.item(**change)]) for rule, change in BAD_ITEMS.items()},
        "songs": {rule: samples.song(9, **change) for rule, change in BAD_SONGS.items()},
    }
    found = {}
    for entity, bad in cases.items():
        validated = validator.validate(entity, *bad.values())
        texts = {row.line_hash: row.rules for row in validated}
        hashes = [row.line_hash for row in validator.lines(bad.values()).collect()]
        found[entity] = {rule: texts[line_hash] for rule, line_hash in zip(bad, hashes, strict=True)}
    return found


@pytest.mark.parametrize(("entity", "rule"), [(e, r) for e in registry().names for r in quarantine_rules(e)])
def test_every_quarantine_rule_is_tripped_by_its_own_bad_row(broken, entity: str, rule: str) -> None:
    if load(entity).rule(rule).kind == "unique":
        return  # test_duplicates.py
    assert rule in broken[entity], f"no bad row is known for {rule}: add one"
    expected = {rule}
    found = set(broken[entity][rule])
    assert found == expected if rule not in ALONE else rule in found, found


@pytest.mark.parametrize("entity", registry().names)
def test_a_valid_record_breaks_nothing_and_keeps_no_line(validator, samples, entity: str) -> None:
    record = {"users": samples.user, "sessions": samples.session, "songs": samples.song}[entity]()
    rows = validator.validate(entity, record)
    assert rows
    assert all(row.failed_rules == 0 and row.rules == [""] and row.line is None for row in rows)


def test_conform_is_the_first_rule_and_the_others_keep_the_contracts_order() -> None:
    for entity in registry().names:
        ids = [rule.id for rule in QuarantineRules(load(entity), Interval(date(2020, 1, 1), date(2020, 2, 1))).rules]
        assert ids[0] == f"{entity}_conform"
        assert ids[1:] == [rule for rule in quarantine_rules(entity) if rule != f"{entity}_conform"]


def test_a_row_is_filed_under_its_first_rule_and_all_are_named(validator, samples) -> None:
    bad = samples.item(price=2.5, currency="EUR", song_id=None)
    (row,) = validator.validate("sessions", samples.session(items=[bad], user_id=None))
    assert row.rules == ["user_id_complete", "song_id_complete", "price_max", "currency_known"]


def test_rules_of_severity_warn_hold_nothing_back(validator, samples) -> None:
    (user,) = validator.validate("users", samples.user(user_location=["1", "2", "P", "france", "Z"]))
    (item,) = validator.validate("sessions", samples.session(items=[samples.item(liked=None, artist_id=None)]))
    (song,) = validator.validate("songs", samples.song(title=None, year="-5", song_id="so0000000000000001"))
    assert user.failed_rules == item.failed_rules == song.failed_rules == 0


def test_patterns_hold_to_the_end_of_the_text(validator, samples) -> None:
    (row,) = validator.validate("sessions", samples.session(items=[samples.item(song_id="TR0000000000000001\n")]))
    assert row.rules == ["song_id_track"]
    assert anchor_end(r"^a$") == r"^a\z"
    assert anchor_end(r"^a\$") == r"^a\$"


def test_lengths_count_characters_not_bytes(validator, samples) -> None:
    (row,) = validator.validate("songs", samples.song(track_id="TR" + "é" * 16))
    assert row.rules == ["track_id_shape"]


def test_more_rules_than_bits_are_refused() -> None:
    contract = load("users")
    rule = contract.rule("user_id_complete")
    many = replace(contract, rules=tuple(replace(rule, id=f"r{number}") for number in range(64)))
    with pytest.raises(ValueError, match="at most 63"):
        QuarantineRules(many, Interval(date(2020, 1, 1), date(2020, 2, 1)))


def test_bits_name_rules_both_ways() -> None:
    rules = QuarantineRules(load("sessions"), Interval(date(2020, 1, 1), date(2020, 2, 1)))
    chosen = [rules.rules[0], rules.rules[3], rules.rules[-1]]
    failed = sum(rules.bit(rule) for rule in chosen)
    assert rules.names(failed) == [rule.id for rule in chosen]
    assert rules.first(failed) == rules.rules[0].id
    with pytest.raises(ValueError, match="valid row"):
        rules.names(0)
