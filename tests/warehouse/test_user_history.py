"""Where buyers were at the time of a sale, told in SQL, against the same told in Python from all reports."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import date, datetime
from decimal import Decimal

import pytest
from random_shop import random_month

from deftunes_contract.interval import Interval

MONTHS = tuple(Interval.months(date(2020, 1, 1), date(2020, 7, 1)))
WITHOUT_END = datetime(9999, 12, 31)


def country_at(reports, sold_at):
    """What the last report of a month that had begun said; before the first report, what the first one said."""
    begun = [country for start, country in reports if start <= sold_at] or [country for _, country in reports[:1]]
    return begun[-1] if begun else "unknown"


@pytest.mark.parametrize("seed", [0, 1, 3])
def test_each_sale_counts_for_the_country_of_its_time(lake, dbt, seed):
    dice = random.Random(seed)
    reports, sales = defaultdict(list), []
    for month in MONTHS:
        rows = random_month(dice, month)
        for user in rows["users"]:
            user["country_code"] = dice.choice(["FR", "GB", None])
            start = datetime.combine(month.start, datetime.min.time())
            reports[user["user_id"]].append((start, user["country_code"] or "unknown"))
        sales += rows["sessions"]
        for name, published in rows.items():
            lake.publish(name, month.ingest_on, published)
    expected = defaultdict(Decimal)
    for sale in sales:
        sold_at = datetime.fromisoformat(str(sale["session_start_time"]))
        expected[sold_at.month, country_at(reports[sale["user_id"]], sold_at)] += sale["price"]
    dbt.run("run", "--full-refresh")
    found = lake.query(
        "SELECT session_month, country_code, total_sales FROM deftunes_serving.sales_per_country_at_sale_vw"
    )
    assert {(month, country): total for month, country, total in found} == dict(expected)
    assert any(len({country for _, country in told}) > 1 for told in reports.values())  # somebody moved


def test_versions_follow_one_another_and_a_restated_month_moves_them(lake, dbt, sell):
    def versions():
        dbt.run("run", "--full-refresh")
        return lake.query(
            "SELECT valid_from, valid_to, is_current, country_code FROM deftunes_serving.dim_user_history "
            "WHERE user_id = 'u0' ORDER BY valid_from"
        )

    first = datetime(1900, 1, 1)
    lake.publish("users", "2020-03-01", [{"user_id": "u0", "country_code": "FR"}])
    assert versions() == [(first, WITHOUT_END, True, "FR")]
    lake.publish("users", "2020-02-01", [{"user_id": "u0", "country_code": "GB"}])  # an earlier month came later
    assert versions() == [
        (first, datetime(2020, 2, 1), False, "GB"),
        (datetime(2020, 2, 1), WITHOUT_END, True, "FR"),
    ]
    lake.publish("users", "2020-02-01", [{"user_id": "u0", "country_code": "FR"}])  # and was corrected
    assert versions() == [(first, WITHOUT_END, True, "FR")]
