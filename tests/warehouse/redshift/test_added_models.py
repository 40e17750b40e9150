"""A feed of DEFTUNES_CONTRACTS on Redshift: built beside, published in one transaction, grown by a column."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from pyiceberg.types import StringType

from deftunes_contract.errors import DataRejected

MONTHS = ("2020-02-01", "2020-03-01", "2020-04-01")
FACTS = "SELECT ingest_on, amount FROM deftunes_serving.fact_tip ORDER BY amount"


def tip(tip_id, amount, **more):
    return {"tip_id": tip_id, "amount": Decimal(amount), **more}


def test_a_feed_comes_to_a_warehouse_in_use_and_grows(lake, warehouse, publish_month, build_redshift, contracts):
    contracts.write()
    publish_month(0)
    publish_month(1)
    lake.publish("tips", MONTHS[0], [tip("a", "1.10"), tip("b", "0.20")])
    warehouse.fill()
    # the warehouse knows no tips yet: their table is made with every month there is
    with pytest.MonkeyPatch.context() as before:
        before.delenv("DEFTUNES_CONTRACTS")
        build_redshift("2020-01-01", "2020-03-01")
    lake.publish("tips", MONTHS[1], [tip("c", "2.00")])
    warehouse.fill()
    sentence = build_redshift("2020-02-01", "2020-03-01")
    assert "and fact_tip 3 rows of 3.30" in sentence
    first, second = (date.fromisoformat(month) for month in MONTHS[:2])
    assert warehouse.query(FACTS) == [(first, Decimal("0.20")), (first, Decimal("1.10")), (second, Decimal("2.00"))]
    assert warehouse.value("SELECT has_table_privilege('analyst', 'deftunes_serving.tips_per_month_vw', 'select')")
    # a month replaces its own rows, and a column in the middle of the contract comes with its first month
    contracts.add_column("note", "amount")
    with lake.table("tips").update_schema() as update:
        update.add_column("note", StringType())
    lake.publish("tips", MONTHS[2], [tip("d", "0.01", note="thanks")])
    with warehouse.redshift.direct() as connection:
        connection.execute("ALTER TABLE deftunes_transform.tips ADD COLUMN note varchar")
    warehouse.fill()
    build_redshift("2020-03-01", "2020-04-01")
    assert warehouse.query("SELECT note, amount FROM deftunes_serving.fact_tip ORDER BY amount") == [
        ("thanks", Decimal("0.01")),
        (None, Decimal("0.20")),
        (None, Decimal("1.10")),
        (None, Decimal("2.00")),
    ]
    assert warehouse.value("SELECT sum(total) FROM deftunes_serving.tips_per_month_vw") == Decimal("3.31")
    # what differs from the published rows is not shown
    contracts.replace("fact_tip.sql", "where true", "where amount > 0.1")
    with pytest.raises(DataRejected, match=r"fact_tip_equals_published"):
        build_redshift("2020-03-01", "2020-04-01")
    assert warehouse.value("SELECT count(*) FROM deftunes_serving.fact_tip") == 4


def test_a_feed_whose_table_does_not_exist_yet_has_no_rows(warehouse, publish_month, build_redshift, contracts):
    contracts.write()
    publish_month(0)
    warehouse.fill()
    with warehouse.redshift.direct() as connection:
        connection.execute("DROP TABLE deftunes_transform.tips")
    assert "and fact_tip 0 rows" in build_redshift("2020-01-01", "2020-02-01")
    assert warehouse.query(FACTS) == []
