"""Which texts show nothing, which columns may hold them, and what is done to texts before anybody groups by them."""

import re
import sys
from importlib.resources import files

import pytest
from contract_texts import changed, parsed

from deftunes_contract.normalise import BLANKS, VISIBLE, Step
from deftunes_contract.registry import load, registry

INVISIBLE = ["", " ", "\t\r\n\v\f", "\u00a0", "\u202f\u3000", "\u200b", "\ufeff", "\u2060\u200d", "\u3164", "\u2800"]
GROUPED = {
    "users": {"country_code": ("trim", "upper"), "place_name": ("nfc", "trim"), "timezone": ("trim",)},
    "sessions": {"currency": ("trim", "upper")},
    "songs": {"title": ("nfc",), "artist_name": ("nfc", "trim")},
}


def test_every_character_that_python_calls_a_space_is_a_blank() -> None:
    assert {chr(code) for code in range(1, sys.maxunicode) if chr(code).isspace()} <= set(BLANKS)


@pytest.mark.parametrize("text", INVISIBLE)
def test_a_text_of_blanks_shows_nothing(text: str) -> None:
    assert not re.search(VISIBLE, text)
    assert text.strip(BLANKS) == ""


@pytest.mark.parametrize("text", [".", " a", "0", "\u00e9", "\u2764\ufe0f", "\u0301", "\U0001f3b5", "\0"])
def test_what_can_be_seen_is_no_blank(text: str) -> None:
    assert re.search(VISIBLE, text)


@pytest.mark.parametrize("name", registry().names)
def test_every_complete_column_says_whether_it_may_be_blank(name: str) -> None:
    """A text: `missingValues` (may not) or `nullValues` (may); the shop has none that may. Other types cannot be."""
    contract = load(name)
    for rule in contract.rules_of("complete"):
        assert contract.refuses_blank(rule) == (contract.column(rule.column).type == "string"), rule.id


_RULE = "- id: payments_arrived"


def test_a_text_whose_rule_counts_nulls_only_may_be_blank() -> None:
    more = """- {id: "null", metric: nullValues, arguments: {column: method}, severity: warn}
      - {id: number, metric: nullValues, arguments: {column: amount}, severity: warn}
      """
    entity, problems = parsed(changed(_RULE, more + _RULE))
    assert entity is not None, problems
    found = {rule.id: rule.parameters for rule in entity.rules_of("complete")}
    assert found["null"] == {"blank": "allowed"}
    assert found["payment_id_complete"] == found["number"] == {}


@pytest.mark.parametrize("values", ["null", "[]", "[null]", '["", "N/A"]'])
def test_other_missing_values_are_refused(values: str) -> None:
    _, problems = parsed(changed('[null, ""]', values))
    assert "missingValues must be" in problems[0]


@pytest.mark.parametrize("name", registry().names)
def test_texts_that_views_group_by_are_normalised(name: str) -> None:
    found = {column.name: tuple(map(str, column.normalise)) for column in load(name).columns if column.normalise}
    assert found == GROUPED[name]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "{name: method, logicalType: string, physicalType: string}",
            "{name: method, physicalType: string, @lower}",
            "lower",
        ),
        ("{name: paid_at, logicalType: timestamp", "{name: paid_at, @trim, logicalType: timestamp", "only a string"),
    ],
)
def test_a_normalisation_that_nobody_can_do_is_refused(old: str, new: str, message: str) -> None:
    step = new.partition("@")[2].strip("}").partition(",")[0]
    added = f"customProperties: [{{property: normalise, value: [{step}]}}]"
    _, problems = parsed(changed(old, new.replace(f"@{step}", added)))
    assert len(problems) == 1
    assert message in problems[0]


def test_steps_have_one_order_whatever_the_contract_says() -> None:
    column = "{name: method, logicalType: string, physicalType: string"
    text = changed(column, column + ", customProperties: [{property: normalise, value: [upper, trim, nfc]}]")
    entity, problems = parsed(text)
    assert entity is not None, problems
    assert entity.column("method").normalise == (Step.NFC, Step.TRIM, Step.UPPER)


def test_countries_are_the_assigned_codes_of_the_time_zone_database() -> None:
    """The pinned list against the one that an installed tzdata brings: a country that is new shows here first."""
    table = (files("tzdata") / "zoneinfo" / "iso3166.tab").read_text(encoding="utf-8")
    assigned = [line.split("\t")[0] for line in table.splitlines() if not line.startswith("#")]
    assert load("users").rule("country_code_iso").parameters["values"] == assigned
