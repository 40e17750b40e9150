"""A world small enough to check by hand (golden/README.md): every row of every BI view."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

import pytest

VIEWS = (
    "sales_per_artist_vw",
    "sales_per_country_vw",
    "sales_per_country_at_sale_vw",
    "user_activity_vw",
    "music_preference_vw",
)


def in_order(rows):
    return sorted(rows, key=lambda row: [value or "" for value in row])


def shown(lake):
    """Rows of every view as text, null as None."""
    return {
        view: in_order(
            tuple(None if value is None else str(value) for value in row)
            for row in lake.query(f"SELECT * FROM deftunes_serving.{view}")
        )
        for view in VIEWS
    }


@pytest.fixture(scope="module")
def expected():
    def read(view):
        with (Path(__file__).parent / "golden" / f"{view}.csv").open(encoding="utf-8", newline="") as file:
            return in_order(tuple(text or None for text in row) for row in list(csv.reader(file))[1:])

    return {view: read(view) for view in VIEWS}


def test_every_view_shows_the_golden_rows(shop, expected):
    assert shown(shop) == expected


def test_month_by_month_shows_the_same(lake, golden, build, expected):
    golden("2020-01-01")
    build("2019-12-01", "2020-01-01")
    assert lake.value("SELECT sum(total_sales) FROM deftunes_serving.sales_per_country_vw") == Decimal("1.83")
    golden("2020-02-01")
    sentence = build("2020-01-01", "2020-02-01")
    assert shown(lake) == expected
    assert "in all 10 sales of 8.09 USD" in sentence
