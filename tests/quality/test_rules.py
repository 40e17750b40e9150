"""Every rule of every contract: its own fault on a staged branch closes the gate (or warns), and the result names it.

The cases are looked up by rule id, so a rule that is added to a contract without a case here fails.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from deftunes_contract.entity import Severity
from deftunes_contract.gate import GateResult
from deftunes_contract.interval import Interval
from deftunes_contract.registry import load, registry

ORIGINAL = {
    "songs": [
        "track_id_complete",
        "track_id_length",
        "song_id_complete",
        "song_id_length",
        "artist_id_complete",
    ],
    "sessions": [
        "user_id_complete",
        "user_id_length",
        "session_id_complete",
        "session_id_length",
        "song_id_complete",
        "price_max",
    ],
    "users": [
        "user_id_complete",
        "user_id_uniqueness",
        "user_lastname_complete",
        "user_name_complete",
        "user_since_complete",
    ],
}
"""The sixteen that the shop always asked for."""

Rows = list[dict[str, Any]]


def put(column: str, value: Any, *positions: int) -> Callable[[Rows], None]:
    """Put a value into some rows, the first one by default."""

    def spoil(rows: Rows) -> None:
        for position in positions or (0,):
            rows[position][column] = value

    return spoil


def put_all(column: str, value: Any) -> Callable[[Rows], None]:
    def spoil(rows: Rows) -> None:
        put(column, value, *range(len(rows)))(rows)

    return spoil


def repeat(*positions: int) -> Callable[[Rows], None]:
    """Let the last rows repeat the keys of these."""

    def spoil(rows: Rows) -> None:
        for offset, position in enumerate(positions, start=1):
            for key in ("user_id", "session_id", "item_no", "track_id"):
                if key in rows[position]:
                    rows[-offset][key] = rows[position][key]

    return spoil


def nothing(rows: Rows) -> None:
    """The rows are clean; the fault is in the figures."""


@dataclass(frozen=True)
class Case:
    """A fault. failing: rows that the result counts. example: a text that one of its examples holds.

    public: rows of the same month that are public already. neighbour: of these rows, how many the next month shows too.
    """

    spoil: Callable[[Rows], None]
    failing: int = 1
    example: str | None = None
    figures: Mapping[str, Any] = field(default_factory=dict)
    previous: Mapping[str, int] = field(default_factory=dict)
    quarantined: int = 0
    public: int = 0
    neighbour: int = 0


MONTH, ROWS = Interval(date(2020, 3, 1), date(2020, 4, 1)), 40
NULL_USER = "user_id=null"
CASES: Mapping[str, Mapping[str, Case]] = {
    "users": {
        "user_id_complete": Case(put("user_id", None), example=NULL_USER),
        "user_lastname_complete": Case(put("user_lastname", None, 0, 1), 2, "user_lastname=null"),
        "user_name_complete": Case(put("user_name", None)),
        "user_since_complete": Case(put("user_since", None)),
        "user_id_uniqueness": Case(repeat(0, 1), 2),
        "user_id_uuid": Case(put("user_id", "ABCDEF00-0000-4000-8000-00000000000A"), example="ABCD…"),
        "user_key_unique": Case(repeat(0), 2, "0000…"),
        "user_since_in_interval": Case(put("user_since", datetime(2020, 4, 1)), example="2020-04-01 00:00:00"),
        "latitude_range": Case(put("latitude", 90.5), example="9…"),
        "longitude_range": Case(put("longitude", -180.25), example="-1…"),
        "country_code_complete": Case(put("country_code", None)),
        "country_code_iso": Case(put("country_code", "UK"), example="UK"),
        "users_conform": Case(put("processing_timestamp", None), example="processing_timestamp=null"),
        "users_arrived": Case(nothing, 0, figures={"landed_units": 0}),
        "users_reconcile": Case(nothing, 0, figures={"landed_units": 41}),
        "users_quarantine_share": Case(
            nothing, 1, "user_id_uuid 1 (e.g.", {"landed_units": 41, "quarantined_units": 1}, quarantined=1
        ),
        "users_volume_warn": Case(nothing, 0, previous={"rows": 81}),
        "users_volume": Case(nothing, 0, previous={"rows": 801}),
        "users_same_source": Case(nothing, 0, figures={"source": "http://127.0.0.1:8002/users"}, neighbour=4),
        "users_restatement": Case(nothing, 3, public=43),
        "users_freshness": Case(put_all("user_since", datetime(2020, 3, 24, 23, 59, 59, 999999)), 0),
    },
    "sessions": {
        "user_id_complete": Case(put("user_id", None), example="item_no=0"),
        "user_id_length": Case(put("user_id", "0" * 35), example="0000…"),
        "session_id_complete": Case(put("session_id", None)),
        "session_id_length": Case(put("session_id", "0" * 37), example="0" * 37),
        "song_id_complete": Case(put("song_id", None)),
        "price_max": Case(put("price", Decimal("2.01")), example="2.01"),
        "price_complete": Case(put("price", None)),
        "price_min": Case(put("price", Decimal("-0.01")), example="-0.01"),
        "currency_complete": Case(put("currency", None)),
        "currency_known": Case(put("currency", "EUR"), example="EUR"),
        "user_id_uuid": Case(put("user_id", "g" * 36)),
        "session_id_uuid": Case(put("session_id", "g" * 36)),
        "song_id_track": Case(put("song_id", "SO0000000000000001"), example="SO0000000000000001"),
        "session_start_time_complete": Case(put("session_start_time", None)),
        "session_in_interval": Case(
            put("session_start_time", datetime(2020, 2, 29, 23, 59, 59, 999999)), example="2020-02-29 23:59:59.999999"
        ),
        "session_item_unique": Case(repeat(0), 2, "item_no=0"),
        "liked_complete": Case(put("liked", None)),
        "artist_id_complete": Case(put("artist_id", None)),
        "sessions_conform": Case(put("item_no", None), example="item_no=null"),
        "sessions_arrived": Case(nothing, 0, figures={"landed_units": 0}),
        "sessions_reconcile": Case(nothing, 0, figures={"landed_units": 39}),
        "sessions_quarantine_share": Case(
            nothing, 1, "price_max 1 (e.g.", {"landed_units": 41, "quarantined_units": 1}, quarantined=1
        ),
        "song_reference": Case(put("song_id", "TR9999999999999999", 0, 1, 2), 3, "TR9999999999999999"),
        "artist_reference": Case(put("artist_id", "AR9999999999999999", 0, 1, 2), 3, "AR9999999999999999"),
        "user_reference": Case(put("user_id", "f" * 36, 0, 1, 2), 3, "ffff…"),
        "sessions_volume_warn": Case(nothing, 0, previous={"rows": 19}),
        "sessions_volume": Case(nothing, 0, previous={"rows": 801}),
        "sessions_freshness": Case(put_all("session_start_time", datetime(2020, 3, 28, 23, 59, 59, 999999)), 0),
        "session_id_in_one_month": Case(nothing, 2, "session_id=", neighbour=4),
        "sessions_same_source": Case(nothing, 0, figures={"source": "http://127.0.0.1:8002/sessions"}, neighbour=4),
        "sessions_restatement": Case(nothing, 3, public=43),
        "sessions_stale": Case(put_all("session_start_time", datetime(2020, 3, 11, 23, 59, 59, 999999)), 0),
    },
    "songs": {
        "track_id_complete": Case(put("track_id", None)),
        "track_id_length": Case(put("track_id", "TR"), example="TR"),
        "song_id_complete": Case(put("song_id", None), example="track_id=TR0000000000000000"),
        "song_id_length": Case(put("song_id", "SO" + "0" * 17)),
        "artist_id_complete": Case(put("artist_id", None)),
        "track_id_shape": Case(put("track_id", "tr0000000000000000"), example="tr0000000000000000"),
        "song_id_shape": Case(put("song_id", "SO000000000000000\n")),
        "artist_id_shape": Case(put("artist_id", "AR000000000000000é")),
        "track_key_unique": Case(repeat(0), 2, "TR0000000000000000"),
        "title_complete": Case(put("title", None)),
        "duration_range": Case(put("duration", -0.5), example="-0.5"),
        "year_range": Case(put("year", 2101), example="2101"),
        "songs_conform": Case(put("source_from", None), example="track_id=TR0000000000000000"),
        "songs_arrived": Case(nothing, 0, previous={"landed_units": 45}),
        "songs_reconcile": Case(nothing, 0, figures={"quarantined_units": 1}, quarantined=1),
        "songs_quarantine_share": Case(
            nothing, 1, "track_id_length 1 (e.g.", {"landed_units": 41, "quarantined_units": 1}, quarantined=1
        ),
        "songs_volume_warn": Case(nothing, 0, previous={"rows": 41}),
        "songs_same_source": Case(nothing, 0, figures={"source": "http://127.0.0.1:8002/songs"}, neighbour=4),
        "songs_restatement": Case(nothing, 3, public=43),
        "songs_volume": Case(nothing, 0, previous={"rows": 45}),
    },
}
QUARANTINE_RULE = {"users": "user_id_uuid", "sessions": "price_max", "songs": "track_id_length"}
ALL_RULES = [(name, rule.id) for name in registry().names for rule in load(name).rules]


@pytest.fixture(scope="module")
def referred(ground: Any) -> Any:
    """A lake with published users and songs."""
    return ground.refer()


@pytest.mark.parametrize(("entity", "rule_id"), ALL_RULES)
def test_a_fault_of_its_own_trips_the_rule(referred: Any, entity: str, rule_id: str) -> None:
    case = CASES[entity][rule_id]
    rows = referred.clean(entity)
    case.spoil(rows)
    run_id = rule_id.replace("_", "-")
    if case.quarantined:
        referred.quarantine(entity, case.quarantined, run_id, QUARANTINE_RULE[entity])
    staged = referred.previous(referred.stage(entity, rows, run_id=run_id, **case.figures), **case.previous)
    if case.public:
        staged = referred.republished(staged, case.public)
    if case.neighbour:
        staged = referred.beside(staged, rows[: case.neighbour])
    rule = load(entity).rule(rule_id)

    result = referred.validate_rule(staged, rule_id)

    (said,) = result.rules
    assert said.skipped is None
    assert not said.passed, said
    assert result.passed == (rule.severity is Severity.WARN), "only a warning leaves the gate open"
    assert result.failed_rules == (() if rule.severity is Severity.WARN else (said,))
    assert said.failing_count == case.failing
    assert said.observed is not None
    assert said.expected
    if case.example is not None:
        assert any(case.example in text for text in said.examples), said.examples
    assert result.snapshot_id == staged.snapshot_id


def on_a_full_lake(ground: Any, staged: Any) -> Any:
    """The same, as if its own month, the one before and the one after were public, so that no rule is skipped."""
    full = ground.previous(ground.republished(staged, ROWS))
    beside = ground.beside(full, ground.clean(staged.entity.name, MONTH.following))
    return replace(full, public=replace(full.public, others=beside.public.others))


@pytest.fixture(scope="module")
def clean(referred: Any) -> Mapping[str, GateResult]:
    """What the gate says of clean intervals."""
    return {
        name: referred.validate(on_a_full_lake(referred, referred.stage(name, referred.clean(name), run_id="clean")))
        for name in registry().names
    }


@pytest.mark.parametrize("entity", registry().names)
def test_a_clean_interval_breaks_no_rule_and_skips_none(clean: Mapping[str, GateResult], entity: str) -> None:
    rules = clean[entity].rules
    assert [(rule.id, rule.observed, rule.skipped) for rule in rules if not rule.passed or rule.skipped] == []
    assert [rule.id for rule in rules] == [rule.id for rule in load(entity).rules]
    assert clean[entity].passed


def test_the_sixteen_original_rules_are_all_there(clean: Mapping[str, GateResult]) -> None:
    assert sum(map(len, ORIGINAL.values())) == 16
    for entity, names in ORIGINAL.items():
        assert sorted(rule.id for rule in load(entity).rules if rule.baseline) == sorted(names)
        judged = {rule.id: rule for rule in clean[entity].rules}
        assert all(judged[name].skipped is None and judged[name].passed for name in names)


BLANK = "\u00a0\u200b"


@pytest.mark.parametrize("entity", registry().names)
def test_a_text_that_shows_nothing_is_missing(referred: Any, entity: str) -> None:
    """Null and blank count alike and together, in every `complete` rule whose column is a text."""
    rules = [rule for rule in load(entity).rules_of("complete") if load(entity).refuses_blank(rule)]
    rows = referred.clean(entity)
    for rule in rules:
        rows[0][rule.column], rows[1][rule.column], rows[2][rule.column] = None, BLANK, ""
    result = referred.validate(referred.stage(entity, rows, run_id="blank"))
    found = {rule.id: (rule.passed, rule.failing_count, rule.observed) for rule in result.rules}
    assert rules
    assert {rule.id: found[rule.id] for rule in rules} == {rule.id: (False, 3, 3.0) for rule in rules}
    assert not result.passed


@pytest.mark.parametrize("entity", registry().names)
def test_several_faults_are_all_named(referred: Any, entity: str) -> None:
    """The whole suite on all faults of single rows at once: no fault hides another."""
    rows = referred.clean(entity)
    spoilt = [rule.id for rule in load(entity).rules if CASES[entity][rule.id].failing == 1]
    spoilt = [rule_id for rule_id in spoilt if not rule_id.endswith(("_quarantine_share", "_reference"))]
    for position, rule_id in enumerate(spoilt):
        # each fault in a row of its own
        CASES[entity][rule_id].spoil(rows[position : position + 1])
    result = referred.validate(referred.stage(entity, rows, run_id="all"))
    broken = {rule.id for rule in result.rules if not rule.passed}
    assert set(spoilt) <= broken
    assert not result.passed
