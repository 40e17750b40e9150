"""`open_serving`: programs that compare figures read the target in use, here Redshift, and see what the file shows."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from deftunes_cli.dashboard.sales import read_sales
from deftunes_contract.errors import RetryableError
from deftunes_serving import reader
from deftunes_serving.reader import NotBuilt, open_serving
from deftunes_serving.settings import ServingSettings

VIEW = "select session_year, artist_name, total_sales from deftunes_serving.sales_per_artist_vw"


def seen():
    """All that a reader answers of the state that the environment names."""
    with open_serving(ServingSettings()) as serving:
        with serving.in_duckdb(VIEW) as found:
            connection, relation = found
            rows = connection.execute(f"select md5(string_agg(t::varchar order by t)) from {relation} as t").fetchall()
        return (
            serving.relations(),
            serving.facts("fact_session", "price"),
            serving.facts("fact_session", None),
            serving.total("sales_per_artist_vw", "sum(total_sales)"),
            rows,
            # the dashboard's own questions
            read_sales(serving),
        )


def test_both_targets_answer_the_same(shop, built, environment):
    of_redshift = seen()
    environment.setenv("DEFTUNES_DBT_TARGET", "embedded")
    environment.setenv("DEFTUNES_SERVING", str(shop.serving))
    of_file = seen()
    assert of_redshift == of_file
    relations, facts, rows, total, _, sales = of_file
    assert {"fact_session", "dim_users", "sales_per_artist_vw"} <= relations
    assert set(facts) == {date(2020, 1, 1), date(2020, 2, 1)}
    assert sum(amount for _, amount in facts.values()) == total > Decimal(1)
    assert {amount for _, amount in rows.values()} == {None}
    assert sales.total == total
    assert sales.by_country
    assert sales.artists
    assert sales.days


def test_it_reads_only(built):
    with pytest.raises(RetryableError, match=r"Redshift .*read-only"), open_serving(ServingSettings()) as serving:
        serving.rows("delete from deftunes_serving.fact_session returning 1")


def test_a_large_relation_is_not_copied(built, monkeypatch):
    monkeypatch.setattr(reader, "LARGEST_COPY", 1)
    with open_serving(ServingSettings()) as serving, serving.in_duckdb(VIEW) as found:
        assert found is None


def test_nothing_is_built_yet(warehouse, environment, tmp_path):
    with open_serving(ServingSettings()) as serving:
        assert serving.relations() == set()
    environment.setenv("DEFTUNES_DBT_TARGET", "embedded")
    environment.setenv("DEFTUNES_SERVING", str(tmp_path / "none.duckdb"))
    with (
        pytest.raises(NotBuilt, match=r"none\.duckdb, found none; run deftunes-dbt build"),
        open_serving(ServingSettings()),
    ):
        pass
