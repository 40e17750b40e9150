"""A product that nobody planned for: payments and refunds, from an API and a table to views with reconciled money."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from deftunes_simulator import WorldConfig, start_world

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "second-product"
FEBRUARY = ("run", "--pipeline", "payments", "--start", "2020-02-01", "--end", "2020-03-01")


@pytest.fixture(scope="module")
def product(platforms: Callable[[str], Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Two months of all feeds, loaded with the example's contracts."""
    token = tmp_path_factory.mktemp("secret") / "token"
    token.write_text("t0ken-of-the-ledger\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEFTUNES_LEDGER_TOKEN_FILE", str(token))  # the simulator's process reads it too
        config = WorldConfig(seed=7, scale=400, months=3, plugins=(EXAMPLE / "shop.py",))
        with start_world(config, tmp_path_factory.mktemp("shop-with-ledger")) as shop:
            platform = platforms("second-product")
            platform.shop = shop
            platform.more = {
                "DEFTUNES_CONTRACTS": str(EXAMPLE / "contracts"),
                "DEFTUNES_LEDGER_URL": shop.api_url,
                "DEFTUNES_BOOKS_DSN": shop.songs_dsn,
            }
            assert platform.run("2020-01-01", "2020-03-01") == 0, platform.sentences()
            yield platform


def _served(platform: Any, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(platform.home.serving), read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_money_is_the_same_from_the_source_to_the_view(product: Any) -> None:
    found = product.verify()
    assert found["reconciled"], found["faults"]
    # every session is paid once, so payments are the sales; refunds come from PostgreSQL itself
    sales = dict(_served(product, "select ingest_on, sum(price) from deftunes_serving.fact_session group by ingest_on"))
    rows = _served(
        product, "select month_end, paid, refunded, income, refunds from deftunes_serving.income_per_month_vw"
    )
    assert {month: paid for month, paid, *_ in rows} == sales
    assert all(income == paid - refunded for _, paid, refunded, income, _ in rows)
    with product.shop_database() as source:
        expected = source.execute(
            "select sum(amount), count(*) from deftunes.refunds where refunded_at < '2020-03-01'"
        ).fetchone()
    assert (sum((row[2] for row in rows), Decimal()), sum(row[4] for row in rows)) == expected
    assert expected is not None
    assert expected[1] > 0


def test_a_restated_month_changes_only_itself(product: Any) -> None:
    before = product.state()
    assert product.call(*FEBRUARY)[0] == 0, product.sentences()
    assert product.state() == before


def test_the_dashboard_and_the_record_have_the_new_facts(product: Any) -> None:
    page = product.home.dashboard.read_text()
    assert "payments" in page
    assert "refunds" in page
    assert "t0ken-of-the-ledger" not in page + product.sentences()


def test_a_wrong_token_ends_without_a_delivery(product: Any, tmp_path: Path) -> None:
    wrong = tmp_path / "token"
    wrong.write_text("wr0ng-token-of-nobody")
    argv = ("run", "--pipeline", "payments", "--start", "2020-03-01", "--end", "2020-04-01")
    product.more["DEFTUNES_LEDGER_TOKEN_FILE"] = str(wrong)
    try:
        code, out, err = product.call(*argv)
    finally:
        del product.more["DEFTUNES_LEDGER_TOKEN_FILE"]
    assert code == 2, out + err
    assert "correct the secret in DEFTUNES_LEDGER_TOKEN_FILE" in product.sentences()
    assert not list((product.home.lake / "landing_zone").rglob("payments/ingest_on=2020-04-01/_receipt.json"))


def test_nothing_outside_of_the_example_knows_its_entities() -> None:
    """Adding the feeds touched one folder: their tables, servers and views are named nowhere in the product."""
    names = ("payments", "refunds", "fact_payment", "fact_refund", "income_per_month_vw", "ledger", "books")
    folders = ("jobs", "cli/src", "charts", "airflow", "infra_pulumi", "simulator/src", "docker-bake.hcl")
    pattern = [word for name in names for word in ("-e", name)]
    found = subprocess.run(
        ["git", "grep", "-nwiE", *pattern, "--", *folders], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert found.returncode in (0, 1), found.stderr
    assert json.dumps(found.stdout.splitlines(), indent=1) == "[]"
