"""The contracts hold what the mission asks for, and a contract that breaks its form is refused."""

import re

import pytest
from open_data_contract_standard.model import OpenDataContractStandard

from deftunes_contract.entity import INTERVAL_KINDS, ROW_KINDS, Field, Rule, Severity
from deftunes_contract.errors import UsageError
from deftunes_contract.registry import load, packaged_contracts, registry
from deftunes_contract.rule_parser import parse_rules
from deftunes_contract.yaml_document import Problem, YamlDocument

# The mission's tables, column by column: written out here so that a contract cannot drift unseen.
TABLES = {
    "users": "user_id user_lastname user_name user_since ingest_on latitude longitude place_name country_code timezone"
    " processing_timestamp",
    "sessions": "user_id session_id song_id song_name artist_id artist_name price currency liked liked_since user_agent"
    " session_start_time ingest_on item_no processing_timestamp",
    "songs": "track_id title song_id release artist_id artist_mbid artist_name duration artist_familiarity"
    " artist_hotttnesss year track_7digitalid shs_perf shs_work ingest_on source_from processing_timestamp",
}
# entity, kind, column, parameters of the sixteen rules the shop always asked for
ORIGINAL = {
    ("songs", "complete", "track_id", ()),
    ("songs", "length", "track_id", (("length", 18),)),
    ("songs", "complete", "song_id", ()),
    ("songs", "length", "song_id", (("length", 18),)),
    ("songs", "complete", "artist_id", ()),
    ("sessions", "complete", "user_id", ()),
    ("sessions", "length", "user_id", (("length", 36),)),
    ("sessions", "complete", "session_id", ()),
    ("sessions", "length", "session_id", (("length", 36),)),
    ("sessions", "complete", "song_id", ()),
    ("sessions", "range", "price", (("max", 2),)),
    ("users", "complete", "user_id", ()),
    ("users", "uniqueness", "user_id", (("moreThan", 0.95),)),
    ("users", "complete", "user_lastname", ()),
    ("users", "complete", "user_name", ()),
    ("users", "complete", "user_since", ()),
}


@pytest.mark.parametrize("name", registry().names)
def test_tables_have_the_columns_of_the_mission_in_order(name: str) -> None:
    assert [c.name for c in load(name).columns] == TABLES[name].split()


def test_the_sixteen_original_rules() -> None:
    found = {
        (name, rule.kind, rule.column, tuple(sorted(rule.parameters.items())))
        for name in registry().names
        for rule in load(name).rules
        if rule.baseline
    }
    assert found == ORIGINAL


def test_keys_are_the_true_grains() -> None:
    assert load("sessions").key == ("session_id", "item_no")
    assert load("users").key == ("user_id",)
    assert load("songs").key == ("track_id",)


def test_money_is_decimal_and_times_are_timestamps() -> None:
    types = {c.name: c.type for c in load("sessions").columns}
    assert types["price"] == "decimal(10,2)"
    assert types["liked"] == "boolean"
    assert types["session_start_time"] == types["liked_since"] == "timestamp"
    assert {c.type for c in load("users").columns if c.name in ("latitude", "longitude")} == {"double"}


@pytest.mark.parametrize("name", registry().names)
def test_every_required_source_column_has_a_rule_that_quarantines_its_absence(name: str) -> None:
    contract = load(name)
    made_by_the_transform = {"ingest_on", "item_no", "source_from", "processing_timestamp"}
    required = {c.name for c in contract.columns if c.required} - made_by_the_transform
    guarded = {r.column for r in contract.rules_of("complete") if r.severity is Severity.QUARANTINE}
    assert required == guarded


@pytest.mark.parametrize("name", registry().names)
def test_every_entity_is_guarded_as_a_whole(name: str) -> None:
    kinds = {rule.kind for rule in load(name).rules}
    assert {"conform", "unique", "arrived", "reconcile", "quarantine_share", "volume"} <= kinds
    assert kinds <= ROW_KINDS | INTERVAL_KINDS


def test_sessions_reference_tracks_not_songs() -> None:
    rule = load("sessions").rule("song_reference")
    assert (rule.column, rule.parameters["entity"], rule.parameters["references"]) == ("song_id", "songs", "track_id")
    meaning = next(c.description for c in load("sessions").columns if c.name == "song_id")
    assert "track" in meaning.lower()


def test_personal_data_is_tagged() -> None:
    assert {c.name for c in load("users").columns if c.pii} >= {"user_id", "user_name", "user_lastname", "latitude"}
    assert "raw_record" in {c.name for c in load("quarantine").columns if c.pii}


@pytest.mark.parametrize("name", registry().tables)
def test_contracts_are_open_data_contract_standard_3(name: str) -> None:
    document = OpenDataContractStandard.from_string(packaged_contracts()[f"{name}.yaml"])
    assert re.fullmatch(r"v3\.\d+\.\d+", document.apiVersion or "")
    assert document.kind == "DataContract"
    assert all(c.description for c in load(name).columns)


def test_unknown_entity_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="songs, users, sessions"):
        load("albums")


def _rules(*qualities: dict[str, object]) -> tuple[tuple[Rule, ...], list[Problem]]:
    table = {"name": "x", "quality": list(qualities)}
    column = Field("a", "string", required=False, key=False, pii=False, audit=False, description="")
    return parse_rules(YamlDocument("x.yaml", {"schema": [table]}, {(): "x.yaml:1"}), [column])


@pytest.mark.parametrize(
    ("quality", "message"),
    [
        ({"id": "x", "metric": "nullValues", "arguments": {"column": "a"}}, "severity: expected"),
        ({"id": "x", "metric": "nullValues", "arguments": {"column": "a"}, "severity": "error"}, "severity: expected"),
        ({"id": "x", "metric": "nullValues", "arguments": {"column": "b"}, "severity": "fail"}, "expected columns"),
        ({"id": "x", "metric": "rowCount", "severity": "fail"}, "unknown metric"),
        ({"metric": "nullValues", "severity": "fail"}, "expected an id"),
        (
            {"id": "x", "type": "custom", "implementation": {"kind": "volume"}, "severity": "quarantine"},
            "cannot quarantine a row",
        ),
        ({"id": "x", "type": "custom", "implementation": {"kind": "vibes"}, "severity": "warn"}, "unknown kind"),
    ],
)
def test_a_rule_that_breaks_the_form_is_refused(quality: dict[str, object], message: str) -> None:
    rules, problems = _rules(quality)
    assert not rules
    assert message in str(problems[0])


def test_two_rules_of_one_id_are_refused() -> None:
    rule: dict[str, object] = {"id": "x", "metric": "nullValues", "arguments": {"column": "a"}, "severity": "warn"}
    assert "id of its own" in str(_rules(rule, rule)[1][0])
