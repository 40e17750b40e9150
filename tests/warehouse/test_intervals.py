"""A build replaces exactly the months it is asked for, whatever was built before and in whatever order."""

from __future__ import annotations

import random
from datetime import date

import pytest
from random_shop import random_month

from deftunes_contract.errors import RetryableError
from deftunes_contract.interval import Interval

MONTHS = tuple(Interval.months(date(2020, 1, 1), date(2020, 4, 1)))


SOLD = "SELECT sum(price) FROM deftunes_serving.fact_session"
AMOUNTS = {
    "sales_per_artist_vw": "total_sales",
    "sales_per_country_vw": "total_sales",
    "sales_per_country_at_sale_vw": "total_sales",
    "user_activity_vw": "total_spent",
}


def sums(lake):
    rows = lake.query("SELECT ingest_on, sum(price) FROM deftunes_serving.fact_session GROUP BY 1 ORDER BY 1")
    return {str(ingest_on): str(amount) for ingest_on, amount in rows}


def publish_three_months(lake, sell):
    for month in MONTHS:
        lake.publish("sessions", month.ingest_on, [sell(f"s{month.month}", 0, "TR0", "0.50")])


def test_a_build_replaces_its_months_and_no_other(lake, sell, build):
    publish_three_months(lake, sell)
    build("2020-01-01", "2020-02-01")
    assert sums(lake) == {"2020-02-01": "0.50", "2020-03-01": "0.50", "2020-04-01": "0.50"}  # the first takes all
    for month in MONTHS:  # the old session was withdrawn, another one came
        lake.publish("sessions", month.ingest_on, [sell(f"new{month.month}", 0, "TR0", "0.75")])
    build("2020-02-01", "2020-03-01")
    assert sums(lake) == {"2020-02-01": "0.50", "2020-03-01": "0.75", "2020-04-01": "0.50"}
    build("2020-02-01", "2020-04-01")
    assert sums(lake) == {"2020-02-01": "0.50", "2020-03-01": "0.75", "2020-04-01": "0.75"}


def test_a_build_reads_its_months_only(lake, sell, build):
    publish_three_months(lake, sell)
    build()
    lake.publish("sessions", "2020-03-01", [sell("s2", 0, "TR0", "0.75")])
    for other in ("2020-02-01", "2020-04-01"):
        for gone in lake.root.glob(f"transform_zone/**/ingest_on={other}/*.parquet"):
            gone.unlink()
    build("2020-02-01", "2020-03-01")
    assert sums(lake) == {"2020-02-01": "0.50", "2020-03-01": "0.75", "2020-04-01": "0.50"}
    # whoever reads history notices the missing files
    with pytest.raises(RetryableError, match="fact_session"):
        build("2020-02-01", "2020-03-01", "--full-refresh")


def test_a_month_that_was_emptied_vanishes(lake, sell, build):
    publish_three_months(lake, sell)
    build()
    lake.publish("sessions", "2020-03-01", [])
    build("2020-02-01", "2020-03-01")
    assert sums(lake) == {"2020-02-01": "0.50", "2020-04-01": "0.50"}


def test_songs_may_come_first(lake, build):
    lake.publish("songs", "2020-02-01", [{"track_id": "TR0", "artist_name": "Queen"}])
    sentence = build()
    assert "in all 0 sales of 0.00 USD" in sentence
    assert lake.query("SELECT track_id FROM deftunes_serving.dim_songs ORDER BY 1") == [("TR0",), ("unknown",)]
    assert lake.query("SELECT * FROM deftunes_serving.user_activity_vw") == []


@pytest.mark.parametrize("seed", range(10))
def test_months_in_any_order_give_what_a_full_load_gives(lake, dbt, seed):
    dice = random.Random(seed)
    for month in MONTHS:
        for name, rows in random_month(dice, month).items():
            lake.publish(name, month.ingest_on, rows)
    first, restated = dice.choice(MONTHS), dice.choice(MONTHS)
    dbt.run("run", variables={"start": first.start, "end": first.end})  # the first one loads everything
    for name, rows in random_month(dice, restated).items():
        lake.publish(name, restated.ingest_on, rows)
    asked = {
        "start": dice.choice([m.start for m in MONTHS if m <= restated]),
        "end": dice.choice([m.end for m in MONTHS if m >= restated]),
    }
    tables = ("run", "--select", "path:models/staging", "path:models/star")
    dbt.run(*tables, variables=asked)
    month_by_month = lake.content()
    dbt.run(*tables, "--full-refresh")
    assert lake.content() == month_by_month
    for name, amount in AMOUNTS.items():
        assert lake.value(f"SELECT sum({amount}) FROM deftunes_serving.{name}") == lake.value(SOLD), name
