"""Chart specifications: valid for plotly, true to the figures, and never markup made of data."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import plotly.graph_objects as go
import pytest

from deftunes_cli.dashboard import charts
from deftunes_cli.dashboard.sales import Artist, CountryMonth, Day, Track

JANUARY, FEBRUARY = date(2020, 1, 1), date(2020, 2, 1)


def sale(country: str, total: str, month: date = JANUARY) -> CountryMonth:
    return CountryMonth(month, country, Decimal(total))


def bars(spec: charts.Spec) -> dict[str, list[float]]:
    return {trace["name"]: trace["y"] for trace in spec["data"]}


@pytest.mark.parametrize(
    "spec",
    [
        charts.sales_by_country([sale("FR", "1.50"), sale("unknown", "2.00", FEBRUARY)]),
        charts.top_artists([Artist("A", Decimal("1.50"))]),
        charts.liked_tracks([Track("T", "A", 3, 2)]),
        charts.sessions_per_day([Day(JANUARY, 3, Decimal("1.00"))]),
        charts.sessions_per_day([Day(JANUARY, 3, Decimal("1.00")), Day(FEBRUARY, 30, Decimal("1.00"))]),
    ],
)
def test_plotly_knows_every_property(spec: charts.Spec) -> None:
    go.Figure(spec)  # raises ValueError for a misspelt or wrong one


def test_months_without_a_sale_of_a_country_are_zero() -> None:
    spec = charts.sales_by_country([sale("FR", "1.50"), sale("DE", "2.00", FEBRUARY)])
    assert bars(spec) == {"DE": [0.0, 2.0], "FR": [1.5, 0.0]}
    assert spec["data"][0]["x"] == ["Jan 2020", "Feb 2020"]


def test_small_countries_are_summed_and_none_is_lost() -> None:
    sales = [sale(f"C{n}", f"{100 - n}.00") for n in range(20)] + [sale("unknown", "7.00")]
    found = bars(charts.sales_by_country(sales))
    assert list(found) == ["C0", "C1", "C2", "C3", "C4", "C5", charts.OTHERS, "unknown"]
    assert sum(y for (y,) in found.values()) == float(sum(s.total for s in sales))


def test_every_named_country_has_its_own_colour() -> None:
    for countries in range(1, 9):
        spec = charts.sales_by_country([sale(f"C{n}", "1.00") for n in range(countries)] + [sale("unknown", "1.00")])
        colours = [trace["marker"]["color"] for trace in spec["data"]]
        assert len(set(colours)) == len(colours)


def test_days_without_sales_are_zero_and_not_bridged() -> None:
    spec = charts.sessions_per_day([Day(date(2020, 1, 1), 3, Decimal(1)), Day(date(2020, 1, 4), 5, Decimal(1))])
    assert spec["data"][0]["y"] == [3, 0, 0, 5]


def test_artists_of_one_name_stay_two_bars() -> None:
    spec = charts.top_artists([Artist("Queen", Decimal(2)), Artist("Queen", Decimal(1))])
    assert len(set(spec["data"][0]["y"])) == 2


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<b>Bold</b> & co", "&lt;b&gt;Bold&lt;/b&gt; &amp; co"),
        ("bell\u0007 and\nline", r"bell\x07 and\nline"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("x" * 50, "x" * 33 + "…"),
    ],
)
def test_data_is_never_markup(text: str, shown: str) -> None:
    assert charts.label(text) == shown
    for spec in (
        charts.top_artists([Artist(text, Decimal(1))]),
        charts.liked_tracks([Track(text, text, 1, 1)]),
        charts.sales_by_country([sale(text, "1.00")]),
    ):
        assert "<b>" not in labels(spec)
        assert "\u0007" not in labels(spec)


def labels(spec: charts.Spec) -> str:
    parts: list[Any] = [spec["layout"]["yaxis"].get("ticktext", [])]
    for trace in spec["data"]:
        parts += [trace.get("name", ""), trace.get("customdata", []), trace["hovertemplate"]]
    return str(parts)


def test_json_cannot_end_its_script_element() -> None:
    text = charts.to_json({"a": {"data": ["</script><script>alert(1)"], "layout": {}}})
    assert "<" not in text
    assert json.loads(text)["a"]["data"] == ["</script><script>alert(1)"]
