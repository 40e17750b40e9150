"""What a change of a contract asks for, kind by kind, and how an effective contract shows its overlay."""

from __future__ import annotations

import json

import pytest
import yaml
from contract_texts import PAYMENTS, changed

from deftunes_contract.contract_diff import ContractState, Impact, as_json, as_text, diff_contracts, worst
from deftunes_contract.contract_set import read_documents
from deftunes_contract.registry import build_registry, packaged_contracts

PACKAGED = packaged_contracts()
METHOD = "      - {name: method, logicalType: string, physicalType: string}\n"
SEEN = "- {name: seen_at, logicalType: timestamp, physicalType: timestamp}"
OVERLAY = """\
kind: ContractOverlay
entity: payments
rules:
  currency_known: {validValues: {add: [GBP]}}
  amount_range:
    max: 900
    severity: warn
"""


def state(*texts: str) -> ContractState:
    """The packaged contracts with these."""
    added = {f"{'ab'[at]}.yaml": text for at, text in enumerate(texts)}
    found, problems = build_registry(PACKAGED, added)
    assert found is not None, problems
    return ContractState(found, read_documents(PACKAGED, added)[0])


def added_column(more: str = "") -> str:
    """A text with the column `channel` in the middle and in the record."""
    column = METHOD.replace("method", "channel").replace("}", f"{more}}}")
    return changed(METHOD, column + METHOD).replace(
        "properties:\n      - {name: payment_id, logicalType: string, physicalType: string}\n",
        "properties:\n      - {name: payment_id, logicalType: string, physicalType: string}\n"
        "      - {name: channel, logicalType: string, physicalType: string}\n",
    )


OTHER_TIME = changed(
    "value: paid_at}",
    "value: seen_at}",
    changed("- {name: channel, logicalType: string, physicalType: string}", SEEN, added_column()).replace(
        "channel", "seen_at"
    ),
)
MOVED = changed("  - {property: role", "  - {property: landingFolder, value: landing_zone/p}\n  - {property: role")
OTHER_TYPE = changed(METHOD, METHOD.replace("physicalType: string", "physicalType: int"))
REMOVED = PAYMENTS.replace(METHOD, "", 1)


def with_property(fact: str) -> str:
    """A text whose column `method` has one custom property."""
    return changed(METHOD, METHOD.replace("}", f", customProperties: [{{property: {fact}}}]}}"))


RULE = """\
      - id: method_known
        type: library
        metric: invalidValues
        arguments: {column: method, validValues: [card]}
        mustBe: 0
        severity: SEVERITY
      - id: payments_arrived
"""


def with_rule(severity: str) -> str:
    """A text with one more rule."""
    return changed("      - id: payments_arrived\n", RULE.replace("SEVERITY", severity))


@pytest.mark.parametrize(
    ("text", "impact", "what"),
    [
        (changed("max: 500", "max: 900"), Impact.COMPATIBLE, "rule amount_range: max loosened: 500 → 900"),
        (changed("max: 500", "max: 90"), Impact.RESTATING, "rule amount_range: max tightened: 500 → 90"),
        (changed("min: 0, ", ""), Impact.COMPATIBLE, "rule amount_range: min loosened: 0 → none"),
        (changed("[USD, EUR]", "[USD, EUR, GBP]"), Impact.COMPATIBLE, "values loosened"),
        (changed("[USD, EUR]", "[USD]"), Impact.RESTATING, "values tightened"),
        (changed("[USD, EUR]", "[USD, GBP]"), Impact.RESTATING, "values changed"),
        (changed("minRows: 1", "minRows: 5"), Impact.RESTATING, "minRows tightened"),
        (with_rule("warn"), Impact.COMPATIBLE, "rule method_known added (warn)"),
        (with_rule("quarantine"), Impact.RESTATING, "rule method_known added (quarantine)"),
        (added_column(), Impact.COMPATIBLE, "column channel added"),
        (REMOVED, Impact.BREAKING, "column method removed"),
        (OTHER_TYPE, Impact.BREAKING, "column method: type string → int"),
        (OTHER_TIME, Impact.RESTATING, "eventTime: paid_at → seen_at"),
        (changed("value: {path: payments,", "value: {path: payments/v2,"), Impact.RESTATING, "endpoint: other data"),
        (changed("pipeline, value: payments", "pipeline, value: money"), Impact.BREAKING, "pipeline: payments → money"),
        (MOVED, Impact.BREAKING, "landingFolder"),
        (with_property("normalise, value: [trim]"), Impact.RESTATING, "column method: normalise none → "),
        (with_property("path, value: currency"), Impact.RESTATING, "column method: path method → currency"),
        (changed(METHOD, METHOD.replace("}", ", description: How}")), Impact.COMPATIBLE, "column method: description"),
        (changed("version: 1.0.0", "version: 1.1.0"), Impact.COMPATIBLE, "version: 1.0.0 → 1.1.0"),
    ],
)  # fmt: skip
def test_each_kind_of_change_has_its_impact(text: str, impact: Impact, what: str) -> None:
    found = diff_contracts(state(PAYMENTS), state(text))
    fitting = [one for one in found if what in one.what]
    assert [one.impact for one in fitting] == [impact], [str(one) for one in found]
    assert fitting[0].where.startswith("a.yaml:")
    assert worst(found) == max((one.impact for one in found), key=list(Impact).index)


@pytest.mark.parametrize(
    ("was", "now", "impact"),
    [
        ("int", "long", Impact.COMPATIBLE),
        ("long", "int", Impact.BREAKING),
        ('"decimal(10,2)"', '"decimal(12,2)"', Impact.COMPATIBLE),
        ('"decimal(12,2)"', '"decimal(10,2)"', Impact.BREAKING),
        ('"decimal(10,2)"', '"decimal(12,3)"', Impact.BREAKING),
    ],
)
def test_a_type_that_widens_is_compatible(was: str, now: str, impact: Impact) -> None:
    old, new = (
        state(changed(METHOD, METHOD.replace("physicalType: string", f"physicalType: {kind}"))) for kind in (was, now)
    )
    (found,) = diff_contracts(old, new)
    assert found.impact is impact


def test_a_key_that_changes_breaks() -> None:
    text = changed(", required: true, primaryKey: true}", ", required: true}").replace(
        METHOD, METHOD.replace("}", ", primaryKey: true}"), 1
    )
    found = diff_contracts(state(PAYMENTS), state(text.replace("columns: [payment_id]", "columns: [method]")))
    assert [one.impact for one in found if one.what == "key: payment_id → method"] == [Impact.BREAKING]


def test_a_required_column_breaks_and_an_optional_one_does_not() -> None:
    rule = "      - {id: channel_complete, metric: nullValues, arguments: {column: channel}, severity: quarantine}\n"
    required = changed(
        "      - id: payments_arrived\n", rule + "      - id: payments_arrived\n", added_column(", required: true")
    )
    found = diff_contracts(state(PAYMENTS), state(required))
    assert Impact.BREAKING in [one.impact for one in found if "channel added as required" in one.what]


def test_entities_come_and_go() -> None:
    (come,) = diff_contracts(state(), state(PAYMENTS))
    (gone,) = diff_contracts(state(PAYMENTS), state())
    assert (come.impact, gone.impact) == (Impact.COMPATIBLE, Impact.BREAKING)
    assert diff_contracts(state(PAYMENTS), state(PAYMENTS)) == ()
    assert as_text(()) == "no change"
    assert worst(()) is None


def test_an_overlay_is_a_change_with_its_own_lines() -> None:
    found = diff_contracts(state(PAYMENTS), state(PAYMENTS, OVERLAY))
    assert [(one.what, one.where, one.impact) for one in found] == [
        ("rule currency_known: values loosened: USD, EUR → USD, EUR, GBP", "b.yaml:4", Impact.COMPATIBLE),
        ("rule amount_range: severity quarantine → warn", "b.yaml:7", Impact.COMPATIBLE),
        ("rule amount_range: max loosened: 500 → 900", "b.yaml:6", Impact.COMPATIBLE),
    ]
    as_data = json.loads(as_json(found))
    assert as_data["impact"] == "compatible"
    assert as_data["changes"][2]["where"] == "b.yaml:6"
    assert as_text(found).splitlines()[0].startswith("compatible payments: rule currency_known")


def test_an_effective_contract_names_the_line_of_each_overlaid_value() -> None:
    document = state(PAYMENTS, OVERLAY).documents["payments"]
    shown = document.to_yaml()
    assert yaml.safe_load(shown) == document.value
    assert "max: 900  # b.yaml:6, was 500" in shown
    assert "severity: warn  # b.yaml:7, was quarantine" in shown
    assert "validValues:  # b.yaml:4, was ['USD', 'EUR']" in shown
    assert shown.count("#") == 3
