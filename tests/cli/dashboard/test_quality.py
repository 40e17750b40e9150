"""The grid of rules by months shows the last word of the gates, and says which are closed."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from deftunes_cli.dashboard.quality import MONTHS_SHOWN, gates, latest_results
from deftunes_contract.entity import Severity
from deftunes_contract.gate import GateResult, RuleResult, write_gate_result
from deftunes_contract.interval import Interval
from deftunes_contract.object_store import LocalStore


def rule(**more: Any) -> RuleResult:
    given = {
        "id": "price_max",
        "kind": "range",
        "severity": "quarantine",
        "passed": True,
        "observed": 0,
        "expected": "≤ 2",
    }
    return RuleResult.model_validate(given | more)


def result(month: date, *rules: RuleResult, run_id: str = "r", hour: int = 1, entity: str = "sessions") -> GateResult:
    passed = all(rule.passed or rule.severity is Severity.WARN for rule in rules)
    return GateResult(
        entity=entity, ingest_on=month, run_id=run_id, table="t", snapshot_id=1, passed=passed,
        judged_at=datetime(2020, 6, 1, hour, tzinfo=UTC), rules=rules,
    )  # fmt: skip


def grid(*results: GateResult) -> Any:
    (gate,) = gates({(r.entity, r.ingest_on): r for r in results}, Path("/home"))
    return gate


FEBRUARY, MARCH = date(2020, 2, 1), date(2020, 3, 1)


def test_the_last_decision_counts(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    for run_id, hour in (("early", 1), ("late", 3), ("middle", 2)):
        write_gate_result(store, result(FEBRUARY, rule(), run_id=run_id, hour=hour))
    store.write("quality/sessions/ingest_on=2020-02-01/run=late/index.html", b"data docs")
    assert latest_results(store)["sessions", FEBRUARY].run_id == "late"


def test_no_gates_yet(tmp_path: Path) -> None:
    assert latest_results(LocalStore(tmp_path)) == {}
    assert gates({}, tmp_path) == ()


@pytest.mark.parametrize(
    ("found", "status", "observed", "note"),
    [
        (rule(), "passed", "0", "expected ≤ 2; observed 0"),
        (rule(observed=0.98765), "passed", "0.9877", "expected ≤ 2; observed 0.9877"),
        (rule(observed=12345.0), "passed", "12,345", "expected ≤ 2; observed 12,345"),
        (rule(observed="2020-01-31 23:59:59"), "passed", "2020-01-31 23:59:59",
         "expected ≤ 2; observed 2020-01-31 23:59:59"),
        (rule(observed="x" * 20), "passed", "as expected", f"expected ≤ 2; observed {'x' * 20}"),
        (rule(passed=False, severity="warn", failing_count=3), "warned", "0",
         "expected ≤ 2; observed 0; 3 rows broke it"),
        (
            rule(passed=False, failing_count=1, examples=("9.99",)),
            "failed", "0", "expected ≤ 2; observed 0; 1 row broke it, e.g. 9.99",
        ),
        (rule(observed=None, skipped="no catalogue yet"), "skipped", "–", "not judged: no catalogue yet"),
    ],
)  # fmt: skip
def test_a_cell_says_how_a_rule_went(found: RuleResult, status: str, observed: str, note: str) -> None:
    (cell,) = grid(result(FEBRUARY, found)).rules[0].cells
    assert (cell.status, cell.observed, cell.note) == (status, observed, note)


def test_a_rule_that_an_older_contract_did_not_have() -> None:
    found = grid(result(FEBRUARY, rule()), result(MARCH, rule(), rule(id="new")))
    assert [(line.id, [cell.status for cell in line.cells]) for line in found.rules] == [
        ("price_max", ["passed", "passed"]), ("new", ["absent", "passed"]),
    ]  # fmt: skip


def test_closed_gates_are_named_with_their_reason() -> None:
    found = grid(result(FEBRUARY, rule(passed=False, observed=4)), result(MARCH, rule(passed=False, severity="warn")))
    assert found.closed == ("sessions 2020-01, run r: price_max (observed 4, expected ≤ 2)",)
    assert found.warned == 1


def test_old_months_are_counted_not_shown() -> None:
    months = [interval.ingest_on for interval in Interval.months(date(2020, 1, 1), date(2021, 6, 1))]
    found = grid(*(result(month, rule()) for month in months))
    assert len(found.months) == MONTHS_SHOWN
    assert found.months[-1].name == "2021-05"
    assert found.older == len(months) - MONTHS_SHOWN


@pytest.mark.parametrize(
    ("address", "link"),
    [
        ("/home/lake/quality/a b/index.html", "lake/quality/a%20b/index.html"),
        ("/elsewhere/index.html", "../elsewhere/index.html"),
        ("s3://lake/quality/index.html", None),
        ("javascript:alert(1)", None),
        (None, None),
    ],
)
def test_a_month_links_to_its_report_when_a_browser_can_open_it(address: str | None, link: str | None) -> None:
    (month,) = grid(result(FEBRUARY, rule()).model_copy(update={"data_docs": address})).months
    assert month.report == link
