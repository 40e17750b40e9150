"""A column that is added to the fact: readers keep the table, its old months and its views."""

from __future__ import annotations

from decimal import Decimal

import pytest


@pytest.mark.parametrize("after", ["price", "ingest_on"])
def test_the_public_fact_takes_a_new_column_and_keeps_its_old_months(
    lake, warehouse, publish_month, build_redshift, wider_project, after
):
    publish_month(0)
    publish_month(1)
    warehouse.fill()
    build_redshift("2020-01-01", "2020-03-01")
    warehouse.run()
    wider_project(after)
    publish_month(2)
    warehouse.fill()
    build_redshift("2020-03-01", "2020-04-01")
    sent = [line for line in warehouse.run() if "deftunes_serving.fact_session" in line]
    assert 'alter table deftunes_serving.fact_session add column "currency" character varying(64)' in sent
    assert [line for line in sent if line.startswith("drop")] == []
    shown = warehouse.query("SELECT price, currency FROM deftunes_serving.fact_session ORDER BY ingest_on")
    price = Decimal("1.25")
    assert shown == [(price, None), (price, None), (price, "USD")]
    assert warehouse.value("SELECT sum(total_sales) FROM deftunes_serving.sales_per_artist_vw") == 3 * price
