"""Every way in which an added contract or an overlay can be wrong, with the file and the line where it is."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from contract_texts import PAYMENTS, changed, parsed, refund_contract

from deftunes_contract.registry import build_registry, packaged_contracts

PACKAGED = packaged_contracts()
OVERLAY = """\
kind: ContractOverlay
entity: sessions
description: The small shop.
rules:
  currency_known: {validValues: {add: [EUR]}}
  sessions_volume_warn:
    minRatio: 0.2
    severity: warn
"""


def problems_of(**texts: str) -> list[str]:
    """What is wrong with these files (name → text) beside the packaged ones."""
    return [str(one) for one in build_registry(PACKAGED, {f"{name}.yaml": text for name, text in texts.items()})[1]]


def line_with(text: str, snippet: str) -> int:
    """The one line on which a snippet stands."""
    (line,) = (at for at, line in enumerate(text.splitlines(), 1) if snippet in line)
    return line


CASES = yaml.safe_load((Path(__file__).parent / "faults.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES["contracts"])
def test_a_broken_contract_is_named_by_file_and_line(case: str) -> None:
    old, new, snippet, message = CASES["contracts"][case]
    text = changed(old, new)
    found = problems_of(payments=text)
    fitting = [one for one in found if message in one]
    assert fitting, found
    assert all(one.startswith("payments.yaml:") for one in found)
    if snippet:
        line = text[: text.index(snippet)].count("\n") + 1
        assert fitting[0].startswith(f"payments.yaml:{line}:"), fitting


def test_all_faults_of_all_files_are_found_at_once() -> None:
    broken = changed("max: 500", "max: x", changed("kind: arrived", "kind: arrivd"))
    found = problems_of(payments=broken, refunds=changed("column: method", "column: methd", refund_contract()))
    assert {one.partition(":")[0] for one in found} == {"payments.yaml", "refunds.yaml"}
    assert len(found) == 3


def test_references_are_known_and_have_no_cycle() -> None:
    assert "entity: expected one of" in problems_of(refunds=refund_contract())[0]
    wrong = changed("references: payment_id", "references: payment", refund_contract())
    (found,) = problems_of(payments=PAYMENTS, refunds=wrong)
    assert found.startswith(
        f"refunds.yaml:{line_with(wrong, 'references: payment,')}: rule payment_reference: references"
    )
    back = """\
      - id: refund_reference
        type: custom
        implementation: {kind: reference, column: method, entity: refunds, references: refund_id, maxUnmatched: 0.1}
        severity: warn
      - id: payments_arrived
"""
    (found,) = problems_of(payments=changed("      - id: payments_arrived\n", back), refunds=refund_contract())
    assert "expected references without a cycle" in found


@pytest.mark.parametrize("case", CASES["overlays"])
def test_a_broken_overlay_is_named_by_file_and_line(case: str) -> None:
    old, new, snippet, message = CASES["overlays"][case]
    text = changed(old, new, OVERLAY)
    if case == "a key that must stay unique":
        text = changed("    minRatio: 0.2\n", "", text)
    found = problems_of(small=text)
    assert [one for one in found if message in one], found
    line = text[: text.index(snippet)].count("\n") + 1
    assert found[0].startswith(f"small.yaml:{line}:"), found


def test_an_overlay_changes_what_it_names_and_nothing_else() -> None:
    plain, _ = build_registry(PACKAGED)
    found, problems = build_registry(PACKAGED, {"small.yaml": OVERLAY})
    assert plain is not None
    assert found is not None, problems
    changed_rules = [
        (was.id, now.parameters)
        for was, now in zip(plain.entity("sessions").rules, found.entity("sessions").rules, strict=True)
        if was != now
    ]
    assert changed_rules == [
        ("currency_known", {"values": ["USD", "EUR"]}),
        ("sessions_volume_warn", {"minRatio": 0.2, "maxRatio": 2.0}),
    ]
    assert (found.entity("sessions").overlay, found.entity("users").overlay) == ("small.yaml", None)
    assert found.entity("users").digest == plain.entity("users").digest
    assert found.entity("sessions").digest != plain.entity("sessions").digest


def test_two_overlays_of_one_entity_are_refused() -> None:
    (found,) = problems_of(one=OVERLAY, two=OVERLAY)
    assert found.startswith("two.yaml:2: ")
    assert "one.yaml" in found


def test_an_added_entity_may_be_overlaid_too() -> None:
    overlay = "kind: ContractOverlay\nentity: payments\nrules:\n  amount_range: {max: 900}\n"
    found, problems = build_registry(PACKAGED, {"payments.yaml": PAYMENTS, "a.yaml": overlay})
    assert found is not None, problems
    assert found.entity("payments").rule("amount_range").parameters == {"min": 0, "max": 900}


def _paths(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(below for key, item in inner for below in _paths(item, (*path, key)))]


@pytest.mark.parametrize("odd", [None, 5, ["odd"], {"odd": 1}], ids=repr)
def test_no_odd_value_anywhere_is_an_error_of_the_parser(odd: object) -> None:
    """Every value of a contract is put in the place of another kind: a problem with a line or nothing."""
    for path in _paths(yaml.safe_load(PAYMENTS))[1:]:
        value = holder = yaml.safe_load(PAYMENTS)
        for step in path[:-1]:
            holder = holder[step]
        holder[path[-1]] = odd
        found = parsed(yaml.safe_dump(value, sort_keys=False))[1]
        assert all(one.startswith("payments.yaml:") for one in found), path
