"""Entities that DEFTUNES_CONTRACTS adds are gated by the same rules, and an overlaid threshold is named."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from deftunes_contract.errors import DataRejected
from deftunes_contract.interval import Interval
from deftunes_quality.gate import run_gates

EXAMPLE = Path(__file__).parents[2] / "examples" / "second-product" / "contracts"
MONTH = Interval(date(2020, 3, 1), date(2020, 4, 1))
OVERLAYS = {
    "payments": "  payments_restatement: {maxLoss: 0.5}\n  payment_currency_known: {validValues: {add: [EUR]}}\n",
    "sessions": "  sessions_volume: {minRatio: 0.5}\n",
}


@pytest.fixture
def feeds(lone_ground: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """A lake with payments and refunds too; sessions of the month are public."""
    for file in EXAMPLE.glob("*.yaml"):
        (tmp_path / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setenv("DEFTUNES_CONTRACTS", str(tmp_path))
    ground = lone_ground.create()
    ground.publish("sessions", ground.clean("sessions"), MONTH)
    return ground


@pytest.fixture
def overlaid(feeds: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (both := tmp_path / "both").mkdir()
    for file in EXAMPLE.glob("*.yaml"):
        (both / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    for entity, rules in OVERLAYS.items():
        (both / f"eu-{entity}.yaml").write_text(
            f"kind: ContractOverlay\nentity: {entity}\nrules:\n{rules}", encoding="utf-8"
        )
    monkeypatch.setenv("DEFTUNES_CONTRACTS", str(both))
    return feeds


def payments(ground: Any, count: int = 20, **changes: Any) -> list[dict[str, Any]]:
    """One for each clean session."""
    sessions = ground.clean("sessions")[::2][:count]
    return [
        {
            "payment_id": f"{number:08d}-0000-4000-8000-000000000000",
            "session_id": row["session_id"],
            "user_id": row["user_id"],
            "method": "card",
            "amount": Decimal("1.98"),
            "currency": "USD",
            "paid_at": row["session_start_time"],
            "ingest_on": MONTH.ingest_on,
            "processing_timestamp": datetime(2020, 5, 1),
        }
        | changes
        for number, row in enumerate(sessions)
    ]


def refunds(paid: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "refund_id": row["payment_id"].replace("4000", "4111"),
            "payment_id": row["payment_id"],
            "amount": row["amount"],
            "currency": "USD",
            "reason": None,
            "refunded_at": row["paid_at"] + timedelta(seconds=1),
            "updated_at": row["paid_at"] + timedelta(seconds=1),
            "ingest_on": MONTH.ingest_on,
            "processing_timestamp": datetime(2020, 5, 1),
        }
        for row in paid
    ]


def rules_of(ground: Any, entity: str, run_id: str) -> dict[str, Any]:
    return {rule.id: rule for rule in ground.result(entity, run_id).rules}


def test_an_added_entity_is_gated_by_its_rules(feeds: Any) -> None:
    """References to a packaged and to another added entity, money, and what readers would lose."""
    paid = payments(feeds)
    feeds.stage("payments", paid, run_id="first")
    feeds.stage("refunds", refunds(paid[:3]), run_id="first")
    sentence = run_gates(feeds.gate, ["payments", "refunds"], MONTH, "first")
    assert sentence.count("gate open") == 2
    found = rules_of(feeds, "payments", "first")
    assert found["payment_session_reference"].skipped is None
    assert found["payment_session_reference"].passed
    assert "rows 20" in str(found["payments_reconcile"].observed)
    assert "money 39.6" in str(found["payments_reconcile"].observed)
    assert rules_of(feeds, "refunds", "first")["refund_payment_reference"].skipped is None

    feeds.publish("payments", paid, MONTH)
    dear = payments(feeds, 19, amount=Decimal("-1.00")) + [paid[-1] | {"session_id": "unknown"}] * 2
    feeds.stage("payments", dear, run_id="second", landed_amount=Decimal("50.00"))
    with pytest.raises(DataRejected, match="payment_amount_min failed on 19 of 21 rows"):
        run_gates(feeds.gate, ["payments"], MONTH, "second")
    found = rules_of(feeds, "payments", "second")
    assert not found["payments_reconcile"].passed
    assert not found["payment_id_unique"].passed
    assert found["payment_session_reference"].failing_count == 2
    assert "amount 39.60 → -15.04 USD" in str(found["payments_restatement"].observed)
    assert not found["payments_restatement"].passed
    assert not any(rule.overlay for rule in found.values())


def test_an_overlaid_threshold_opens_the_gate_and_is_named(overlaid: Any) -> None:
    overlaid.publish("payments", payments(overlaid), MONTH)
    overlaid.stage("payments", payments(overlaid, 12, currency="EUR"), run_id="small")
    sentence = run_gates(overlaid.gate, ["payments"], MONTH, "small")
    assert "payments_restatement as changed by eu-payments.yaml: maxLoss 0.05 → 0.5" in sentence
    assert "payment_currency_known as changed by eu-payments.yaml: validValues + EUR" in sentence
    result = overlaid.result("payments", "small")
    assert result.overlay.endswith("eu-payments.yaml")
    assert result.contract_digest
    assert {rule.id for rule in result.rules if rule.overlay} == {"payments_restatement", "payment_currency_known"}
    assert result.data_docs is not None
    page = Path(result.data_docs).read_text(encoding="utf-8")
    assert "Changed by eu-payments.yaml: maxLoss 0.05 → 0.5" in page

    overlaid.publish("sessions", overlaid.clean("sessions", MONTH.previous, 200), MONTH.previous)
    overlaid.stage("sessions", overlaid.clean("sessions"), run_id="few")
    with pytest.raises(DataRejected, match=r"sessions_volume .*as changed by eu-sessions.yaml: minRatio 0.05 → 0.5"):
        run_gates(overlaid.gate, ["sessions"], MONTH, "few")
