"""The bill: adds up, follows the settings, and says where each price was read."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mocked import Built

from deftunes_cloud import cost_estimate, costs
from deftunes_cloud.cost_estimate import HOURS, KEYS, Line, Price, at_limits, lines, read_prices
from deftunes_cloud.settings import Settings

PRICES = read_prices(costs.PRICES)
ALL = sorted(costs.ASSUMED)
USE = costs.ASSUMED["dev"]


def settings(**given: Any) -> Settings:
    return Settings.model_validate(
        {
            "environment": "dev",
            "shop": {"api_url": "https://shop.example/api"},
            "alarms": {"emails": ["data@shop.example"], "monthly_usd": 500},
            **given,
        }
    )


def total(bill_lines: list[Line], *words: str) -> float:
    return sum(line.total for line in bill_lines if not words or any(word in line.what for word in words))


def test_the_page_is_current() -> None:
    assert costs.main(["--check"]) == 0, "python -m deftunes_cloud.costs, in infra_pulumi"


def test_check_sees_another_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(costs, "PAGE", tmp_path / "aws-costs.md")
    assert costs.main(["--check"]) == 1
    assert costs.main([]) == 0
    assert costs.main(["--check"]) == 0


def test_every_committed_stack_is_on_the_page() -> None:
    committed = {path.name.split(".")[1] for path in costs.PROGRAM.glob("Pulumi.*.yaml")}
    assert committed == set(costs.STACKS) == set(costs.ASSUMED)


@pytest.mark.parametrize("stack", costs.STACKS)
def test_a_budget_covers_what_is_expected(stack: str) -> None:
    found = costs.read_stack(costs.PROGRAM / f"Pulumi.{stack}.yaml")
    expected = total(lines(found, costs.ASSUMED[stack], PRICES))
    assert expected < 0.8 * found.alarms.monthly_usd, "the budget's first alarm would ring every month"


def test_the_bill_of_a_small_stack_by_hand() -> None:
    found = lines(settings(cluster={"drivers": {"min": 1}}, network={"endpoints": ["glue"]}), USE, PRICES)
    by_name = {line.what: line for line in found}
    assert by_name["EKS control plane"].total == pytest.approx(73.0)
    assert by_name["drivers and Airflow, m7i.large on demand"].total == pytest.approx((HOURS + 40) * 0.1008)
    assert by_name["executors, m7i.xlarge spot"].total == pytest.approx(40 * 0.2016 * 0.45)
    assert by_name["interface endpoint in a zone"].total == pytest.approx(3 * HOURS * 0.01)
    assert by_name["Redshift Serverless"].total == pytest.approx(20 * 0.375)


def test_nat_costs_by_the_gateway() -> None:
    single, many = (lines(settings(network={"nat": nat}), USE, PRICES) for nat in ("single", "per-zone"))
    assert total(many, "NAT gateway", "IPv4") == pytest.approx(3 * total(single, "NAT gateway", "IPv4"))


def test_two_zones_cost_twice() -> None:
    one, two = (lines(settings(database={"multi_az": both}), USE, PRICES) for both in (False, True))
    assert total(two, "database", "its storage") == pytest.approx(2 * total(one, "database", "its storage"))


def test_auto_mode_costs_an_eighth_more() -> None:
    found = lines(settings(cluster={"nodes": "auto"}), USE, PRICES)
    assert total(found, "Auto Mode, drivers") == pytest.approx(0.12 * total(found, "drivers and Airflow"))


def test_a_warehouse_of_machines_has_no_rpu() -> None:
    found = lines(settings(warehouse={"kind": "cluster", "nodes": 2}), USE, PRICES)
    assert total(found, "Redshift ra3.large") == pytest.approx(2 * HOURS * 0.543)
    assert not total(found, "Redshift Serverless")


def test_the_warehouse_never_costs_more_than_its_limit() -> None:
    found = lines(settings(warehouse={"limit_rpu_hours": 5}), USE, PRICES)
    assert total(found, "Redshift Serverless") == pytest.approx(5 * 0.375)


def test_limits_are_all_machines_all_month() -> None:
    found = settings(cluster={"drivers": {"min": 1, "max": 3}, "executors": {"min": 1, "max": 4}})
    most = lines(found, at_limits(found, USE), PRICES)
    hours = {line.what.split(",")[0]: line.quantity for line in most if line.unit == "hour"}
    assert (hours["drivers and Airflow"], hours["executors"]) == (3 * HOURS, 4 * HOURS)


def test_a_missing_price_is_named() -> None:
    found = settings(cluster={"drivers": {"instance_types": ["x9z.huge"]}})
    with pytest.raises(LookupError, match=r"prices.csv has no ec2.x9z.huge: add its row"):
        lines(found, USE, PRICES)


def test_a_price_stands_there_once(tmp_path: Path) -> None:
    head, row = costs.PRICES.read_text(encoding="utf-8").splitlines()[:2]
    twice = tmp_path / "prices.csv"
    twice.write_text(f"{head}\n{row}\n{row}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"eks.cluster stands there twice"):
        read_prices(twice)


@pytest.mark.parametrize("price", PRICES.values(), ids=lambda price: price.key)
def test_a_price_says_where_it_is_from(price: Price) -> None:
    assert price.usd > 0
    assert price.source.startswith("https://")
    assert (price.read_on is not None) == price.confidence.startswith("checked"), "who has not looked has no date"


def test_keys_are_those_of_the_program() -> None:
    sources = {
        source.name: source.read_text(encoding="utf-8") for source in Path(cost_estimate.__file__).parent.glob("*.py")
    }
    assert [name for name, text in sources.items() if re.search(r"aws\.kms\.Key\(", text)] == ["keys.py"]
    assert sum(len(re.findall(r"= make_key\(", text)) for text in sources.values()) == KEYS


def test_alarms_are_those_of_the_program(build: Callable[..., Built]) -> None:
    from test_alarms import make  # the same stand-ins: two gateways

    made = build(make()).all("aws.cloudwatch.MetricAlarm")
    counted = next(line for line in lines(settings(), USE, PRICES) if line.what == "CloudWatch alarm")
    assert len(made) - 2 == counted.quantity - 1
