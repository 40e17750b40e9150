"""A column that is added to a contract or a model of a living lake: old months stay and show null, new ones have it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import duckdb
import pytest
from pyiceberg.types import StringType

from deftunes_contract.registry import load
from deftunes_serving import lake_views
from deftunes_serving.lake_views import attach

MONTHS = ("2020-02-01", "2020-03-01", "2020-04-01")


@pytest.fixture
def three_months(lake, publish_month):
    """Three published months."""
    for number in range(3):
        publish_month(number)
    return lake


@pytest.mark.parametrize("after", ["price", "ingest_on"])
def test_a_fact_takes_a_new_column_and_keeps_its_old_months(lake, publish_month, build, wider_project, after):
    publish_month(0)
    publish_month(1)
    build("2020-01-01", "2020-03-01")
    before = lake.query("SELECT * FROM deftunes_serving.sales_per_artist_vw")
    wider_project(after)
    publish_month(2)
    build("2020-03-01", "2020-04-01")
    shown = lake.query("SELECT ingest_on, price, currency FROM deftunes_serving.fact_session ORDER BY 1")
    days, price = [date.fromisoformat(month) for month in MONTHS], Decimal("1.25")
    assert shown == [(days[0], price, None), (days[1], price, None), (days[2], price, "USD")]
    ((year, artist, total),) = before
    assert lake.query("SELECT * FROM deftunes_serving.sales_per_artist_vw") == [(year, artist, total + price)]
    # the old months have it after they were loaded again
    build("2020-01-01", "2020-03-01")
    assert lake.query("SELECT DISTINCT currency FROM deftunes_serving.fact_session") == [("USD",)]


@pytest.fixture
def wider_contract(monkeypatch):
    """`wider_contract(at)` adds the optional column `note` to the contract of sessions, at this place."""

    def widen(at):
        contract = load("sessions")
        note = type(contract.columns[0])("note", "string", False, False, False, False, "A note.")
        columns = (*contract.columns[:at], note, *contract.columns[at:])
        wide = type(contract)(**{**vars(contract), "columns": columns})
        monkeypatch.setattr(lake_views, "load", lambda name: wide if name == "sessions" else load(name))

    return widen


@pytest.mark.parametrize("at", [3, 15])
def test_a_published_table_shows_null_in_a_column_that_it_does_not_have_yet(three_months, wider_contract, at):
    wider_contract(at)
    with duckdb.connect() as connection:
        attach(connection, three_months.settings)
        assert connection.execute("SELECT DISTINCT note FROM deftunes_transform.sessions").fetchall() == [(None,)]
        # as the transform evolves it: old files have no such field
        with three_months.table("sessions").update_schema() as update:
            update.add_column("note", StringType())
        attach(connection, three_months.settings)
        shown = connection.execute("SELECT count(*), count(note), sum(price) FROM deftunes_transform.sessions")
        assert shown.fetchall() == [(3, 0, Decimal("3.75"))]


def test_a_column_that_the_table_lost_is_no_new_column(three_months, wider_contract):
    wider_contract(15)
    with three_months.table("sessions").update_schema() as update:
        update.delete_column("currency")
    with duckdb.connect() as connection, pytest.raises(Exception, match=r"published table sessions .*currency"):
        attach(connection, three_months.settings)
