"""Of several rows with one key the same one is kept, however they arrive."""

from __future__ import annotations

import random
from functools import cache

import pytest

from deftunes_contract.interval import Interval
from deftunes_contract.registry import load
from deftunes_transform.duplicates import deduplicate, find_duplicate_keys, with_lines
from deftunes_transform.rules import QuarantineRules
from deftunes_transform.run import FORMATS

UNIQUE = {"users": "user_key_unique", "sessions": "session_item_unique", "songs": "track_key_unique"}


def records_with_rivals(entity: str, samples) -> list:
    """Three rivals for key 1, an identical pair for key 2, a lone key 3, a bad rival for key 4."""
    make = {
        "users": lambda number, version, bad=False: samples.user(
            number, user_name=f"v{version}", user_lastname=None if bad else "L"
        ),
        "sessions": lambda number, version, bad=False: samples.session(
            number, user_agent=f"v{version}", user_id=None if bad else samples.user()["user_id"]
        ),
        "songs": lambda number, version, bad=False: samples.song(
            number, title=f"v{version}", artist_id=None if bad else "AR0000000000000001"
        ),
    }[entity]
    return [
        *(make(1, version) for version in range(3)),
        make(2, 0),
        make(2, 0),
        make(3, 0),
        make(4, 0, bad=True),
        make(4, 1),
    ]


@pytest.fixture(scope="module", params=list(UNIQUE))
def settled(request, validator, samples):
    """Judges, settles and gives back rows as comparable texts, for records in any order and partitioning."""
    entity = request.param
    contract = load(entity)
    rules = QuarantineRules(contract, Interval.parse("2020-01-01", "2020-02-01"))

    @cache
    def settle_all(order: int, partitions: int):
        records = records_with_rivals(entity, samples)
        random.Random(order).shuffle(records)
        lines = validator.lines(records).repartition(partitions)
        validated = FORMATS[contract.landing_format](lines, contract, rules).localCheckpoint()
        duplicated = find_duplicate_keys(validated, contract)
        rows = with_lines(deduplicate(validated, contract, rules, duplicated, duplicated.count()), lines).collect()
        return entity, rules, sorted(map(str, rows)), rows

    return settle_all


def test_the_same_row_is_kept_whatever_the_order_and_the_partitions(settled) -> None:
    first = settled(1, 1)[2]
    assert settled(2, 5)[2] == first


def test_one_good_row_a_key_is_left_and_the_others_carry_rule_and_line(settled) -> None:
    entity, rules, _, rows = settled(1, 1)
    key = load(entity).key
    items = 2 if entity == "sessions" else 1
    kept = [tuple(row[name] for name in key) for row in rows if row.failed_rules == 0]
    assert len(kept) == len(set(kept)) == 4 * items
    lost = [row for row in rows if row.failed_rules and rules.first(row.failed_rules) == UNIQUE[entity]]
    assert len(lost) == 3 * items
    assert len(rows) == 8 * items
    assert all(row.line for row in rows if row.failed_rules)


def test_a_bad_row_does_not_compete(settled) -> None:
    entity, rules, _, rows = settled(1, 1)
    bad = [row for row in rows if row.failed_rules and rules.first(row.failed_rules) != UNIQUE[entity]]
    assert len(bad) == (2 if entity == "sessions" else 1)
    assert all(UNIQUE[entity] not in rules.names(row.failed_rules) for row in bad)


def test_keys_of_one_record_each_are_not_contested(validator, samples) -> None:
    contract = load("sessions")
    frame = validator.frame(
        "sessions", [samples.session(1), samples.session(2), samples.session(3, items=[]), "x", "y"]
    )
    assert find_duplicate_keys(frame, contract).count() == 0


def test_sessions_that_share_no_item_keep_both(validator, samples) -> None:
    contract = load("sessions")
    bad, good = samples.item(price=None), samples.item()
    frame = validator.frame("sessions", [samples.session(1, items=[bad, good]), samples.session(1, items=[good, bad])])
    rules = QuarantineRules(contract, Interval.parse("2020-01-01", "2020-02-01"))
    duplicated = find_duplicate_keys(frame, contract)
    rows = deduplicate(frame, contract, rules, duplicated, duplicated.count()).collect()
    assert sorted(row.item_no for row in rows if row.failed_rules == 0) == [0, 1]
