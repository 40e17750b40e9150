"""A fact that contracts add has its section on the page, with rows and money of each month."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from contract_texts import PAYMENTS

from deftunes_cli.dashboard import write_dashboard
from deftunes_cli.dashboard.facts import added_facts
from deftunes_serving.verify import Verification, verify
from deftunes_serving.verify.model import Figures, IntervalCheck, State

MONEY = Figures(units=31, amount=Decimal("1234.50"))


def _check(month: str, ingest_on: date, fact: Figures | None) -> IntervalCheck:
    return IntervalCheck(
        entity="payments", month=month, ingest_on=ingest_on, state=State.PUBLISHED, provisional=False, source=MONEY,
        landed=MONEY, published=MONEY, quarantined=Figures(units=0, amount=Decimal("0.00")), fact=fact,
    )  # fmt: skip


@pytest.fixture
def with_payments(platform: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Verification:
    found = verify(platform.settings, platform.serving)
    contracts = tmp_path / "contracts"
    contracts.mkdir()
    text = PAYMENTS + "  - {property: servingTable, value: fact_payment}\n"
    (contracts / "payments.yaml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("DEFTUNES_CONTRACTS", str(contracts))
    added = (_check("2020-01", date(2020, 2, 1), MONEY), _check("2020-02", date(2020, 3, 1), None))
    return found.model_copy(update={"intervals": (*found.intervals, *added)})


def test_only_added_facts_have_a_section_of_this_kind(with_payments: Verification) -> None:
    (fact,) = added_facts(with_payments)
    assert (fact.entity, fact.relation, fact.rows, fact.amount) == ("payments", "fact_payment", 31, Decimal("1234.50"))
    assert [(month.month, month.rows) for month in fact.months] == [("2020-01", 31), ("2020-02", None)]
    assert added_facts(None) == ()


def test_the_page_shows_them_and_keeps_the_star_as_it_was(platform: Any, with_payments: Verification) -> None:
    before = write_dashboard(platform.home, platform.settings, platform.serving, None).read_text("utf-8")
    page = write_dashboard(platform.home, platform.settings, platform.serving, None, with_payments).read_text("utf-8")
    assert 'id="fact-payments"' not in before
    section = page[page.index('id="fact-payments"') : page.index('id="artists"')]
    assert "1,234.50" in section
    assert "fact_payment" in section
    assert "–" in section, "a month that is published and not served has no figures"
    assert 'id="sales-by-country"' in page
