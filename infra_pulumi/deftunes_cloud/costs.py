"""Writes docs/aws-costs.md: what each committed stack costs a month, by list prices and stated assumptions.

cd infra_pulumi
python -m deftunes_cloud.costs            write it
python -m deftunes_cloud.costs --check    exit 1 when it is not what settings, prices and assumptions say
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from deftunes_cloud.cost_estimate import HOURS, Line, Price, Use, at_limits, lines, read_prices
from deftunes_cloud.settings import Settings

PROGRAM = Path(__file__).resolve().parents[1]
PAGE = PROGRAM.parent / "docs" / "aws-costs.md"
PRICES = Path(__file__).with_name("prices.csv")

STACKS = ("dev", "staging", "prod")

ASSUMED: Mapping[str, Use] = {
    # some runs a week by developers, over a few months
    "dev": Use(
        executor_hours=40,
        driver_hours=40,
        rpu_hours=20,
        lake_gb=50,
        warehouse_gb=10,
        logs_gb=15,
        nat_gb=50,
        cross_zone_gb=50,
        writes_thousand=200,
        reads_thousand=1000,
    ),
    # every release, over a copy of some months
    "staging": Use(
        executor_hours=80,
        driver_hours=80,
        rpu_hours=40,
        lake_gb=200,
        warehouse_gb=50,
        logs_gb=25,
        nat_gb=100,
        cross_zone_gb=100,
        writes_thousand=500,
        reads_thousand=2000,
    ),
    # two pipelines a month with restatements, weekly maintenance, dashboards on working days
    "prod": Use(
        executor_hours=300,
        driver_hours=200,
        rpu_hours=240,
        lake_gb=1000,
        warehouse_gb=200,
        logs_gb=60,
        nat_gb=200,
        cross_zone_gb=400,
        writes_thousand=2000,
        reads_thousand=10000,
    ),
}

HEAD = "<!-- written by `python -m deftunes_cloud.costs`; change settings, prices.csv or costs.py, not this page -->\n"


def configured(path: Path) -> dict[str, Any]:
    """What a stack's file says, section by section."""
    config: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))["config"]
    return {name.partition(":")[2]: value for name, value in config.items() if name.startswith("deftunes:")}


def read_stack(path: Path) -> Settings:
    """Settings of a stack's file, as the program would read them. Raises ValidationError."""
    return Settings.model_validate(configured(path))


def page(stacks: Mapping[str, Settings], prices: Mapping[str, Price]) -> str:
    """The whole page."""
    return HEAD + "\n" + "\n".join(_page(stacks, prices)) + "\n"


def _page(stacks: Mapping[str, Settings], prices: Mapping[str, Price]) -> Iterator[str]:
    bills = {name: lines(settings, ASSUMED[name], prices) for name, settings in stacks.items()}
    regions = ", ".join(sorted({price.region for price in prices.values()}))
    yield "# What a stack costs on AWS"
    yield ""
    yield f"US dollars a month of {HOURS} hours, by list prices of {regions}, without tax, discounts and free tiers."
    yield "What always runs follows from `infra_pulumi/Pulumi.<stack>.yaml`, the rest from the assumptions below."
    yield ""
    yield "| stack | expected | with every machine and RPU-hour its limits allow | budget |"
    yield "| --- | ---: | ---: | ---: |"
    for name, settings in stacks.items():
        limits = lines(settings, at_limits(settings, ASSUMED[name]), prices)
        yield f"| {name} | {_sum(bills[name]):,.0f} | {_sum(limits):,.0f} | {settings.alarms.monthly_usd:,.0f} |"
    for name, bill in bills.items():
        yield ""
        yield f"## {name}"
        yield ""
        yield "| what | quantity | unit | price | a month |"
        yield "| --- | ---: | --- | ---: | ---: |"
        for line in sorted(bill, key=lambda each: -each.total):
            yield f"| {line.what} | {line.quantity:,.0f} | {line.unit} | {line.price:.4g} | {line.total:,.2f} |"
        yield f"| **all** | | | | **{_sum(bill):,.2f}** |"
    yield from _assumptions()
    yield from _sources(prices)


def _sum(bill: list[Line]) -> float:
    return sum(line.total for line in bill)


def _assumptions() -> Iterator[str]:
    yield ""
    yield "## Assumptions"
    yield ""
    yield "Machines stand at their `min` all month, more of them while something runs. Not counted: requests to KMS,"
    yield "Glue and SNS, which stay within or near free tiers at this size, and what leaves AWS."
    yield ""
    yield "| a month | " + " | ".join(ASSUMED) + " |"
    yield "| --- | " + " | ".join("---:" for _ in ASSUMED) + " |"
    for field, text in _USES.items():
        yield f"| {text} | " + " | ".join(f"{getattr(use, field):,g}" for use in ASSUMED.values()) + " |"


_USES = {
    "executor_hours": "machine-hours of executors above `min`",
    "driver_hours": "machine-hours of drivers above `min`",
    "rpu_hours": "RPU-hours of the warehouse",
    "lake_gb": "GB in the lake, old versions included",
    "warehouse_gb": "GB in the warehouse",
    "logs_gb": "GB of logs",
    "nat_gb": "GB through NAT: the shop's API and songs",
    "cross_zone_gb": "GB between zones: shuffles",
    "writes_thousand": "thousand writes to S3",
    "reads_thousand": "thousand reads from S3",
    "scanned_tb": "TB scanned by Spectrum, if the warehouse is a cluster",
}


def _sources(prices: Mapping[str, Price]) -> Iterator[str]:
    yield ""
    yield "## Prices"
    yield ""
    yield "Of `infra_pulumi/deftunes_cloud/prices.csv`. Whoever reads one on its page writes the day beside it. Another"
    yield "region has other prices: replace them there, nothing else knows a region."
    yield ""
    yield "| what | US dollars | a | read on | how sure | source |"
    yield "| --- | ---: | --- | --- | --- | --- |"
    for price in prices.values():
        read_on = price.read_on.isoformat() if price.read_on else "never"
        yield f"| {price.service} | {price.usd:g} | {price.unit} | {read_on} | {price.confidence} | <{price.source}> |"


def main(arguments: list[str] | None = None) -> int:
    """Write the page, or check it. Returns the exit code."""
    parser = argparse.ArgumentParser(description="What each stack costs a month: docs/aws-costs.md")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the page is out of date")
    is_check = parser.parse_args(arguments).check
    stacks = {name: read_stack(PROGRAM / f"Pulumi.{name}.yaml") for name in STACKS}
    wanted = page(stacks, read_prices(PRICES))
    if not is_check:
        PAGE.write_text(wanted, encoding="utf-8")
        return 0
    if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == wanted:
        return 0
    sys.stderr.write("docs/aws-costs.md is out of date: run `python -m deftunes_cloud.costs` in infra_pulumi\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
