"""The page's charts as plotly.js specifications (data + layout), ready for JSON.

Pure functions from figures to dictionaries; drawn in the browser by the plotly.js that the page carries. Data becomes
text through `label`, because plotly reads a little markup in labels. Colours: Okabe and Ito's, told apart by people
with any colour vision.
"""

from __future__ import annotations

import html
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from deftunes_cli.dashboard.sales import Artist, CountryMonth, Day, Track
from deftunes_contract.redaction import printable

Spec = dict[str, Any]

BLUE, GREY, LIGHT_GREY, INK, GRID = "#0072B2", "#8C96A3", "#C9D0D8", "#3C4654", "#E4E8ED"
PALETTE = (BLUE, "#E69F00", "#009E73", "#56B4E9", "#D55E00", "#CC79A7")
"""One colour per country; the others share grey."""
OTHERS = "other countries"
UNKNOWN = "unknown"
"""Country of buyers whom no published month of users names."""
LONGEST = 34
"""Characters of a bar's label."""


def sales_by_country(sales: Sequence[CountryMonth]) -> Spec:
    """Stacked bars: a bar per month, a colour per country, largest at the bottom."""
    months = sorted({sale.month for sale in sales})
    totals: Mapping[str, Decimal] = _summed((sale.country, sale.total) for sale in sales)
    known = sorted((name for name in totals if name != UNKNOWN), key=lambda name: (-totals[name], name))
    named = known[: len(PALETTE)] if len(known) > len(PALETTE) + 1 else known
    colours = dict(zip(named, (*PALETTE, GREY), strict=False)) | {UNKNOWN: LIGHT_GREY}
    shares = _summed(((sale.country if sale.country in colours else OTHERS, sale.month), sale.total) for sale in sales)
    shown = {country for country, _ in shares}
    data = [
        {
            "type": "bar", "name": label(country),
            "x": [month_name(month) for month in months],
            "y": [float(shares.get((country, month), Decimal())) for month in months],
            "marker": {"color": colours.get(country, GREY)},
            "hovertemplate": "%{x}, %{fullData.name}: %{y:,.2f} USD<extra></extra>",
        }
        for country in (*named, OTHERS, UNKNOWN)
        if country in shown
    ]  # fmt: skip
    layout = _layout(height=360, barmode="stack", bargap=0.4 if len(months) > 3 else 0.7, showlegend=True)
    layout["legend"] = {"orientation": "h", "y": -0.14, "x": 0, "traceorder": "normal", "font": {"size": 13}}
    layout["xaxis"] |= {"type": "category", "showgrid": False}
    layout["yaxis"] |= {"tickformat": ",~r", "rangemode": "tozero"}
    return {"data": data, "layout": layout}


def top_artists(artists: Sequence[Artist]) -> Spec:
    """Bars to the right: sales per artist, USD."""
    return _ranking(
        [artist.name for artist in artists],
        [float(artist.total) for artist in artists],
        [f"{artist.total:,.2f}" for artist in artists],
        [f"{label(artist.name, 200)}: {artist.total:,.2f} USD" for artist in artists],
    )


def liked_tracks(tracks: Sequence[Track]) -> Spec:
    """Bars to the right: likes per track, with the share of purchases that were liked."""
    return _ranking(
        [track.name for track in tracks],
        [track.likes for track in tracks],
        [f"{track.likes:,}" for track in tracks],
        [
            f"{label(track.name, 200)} by {label(track.artist, 200)}: {track.likes:,} of {track.purchases:,} purchases"
            for track in tracks
        ],
    )


def sessions_per_day(days: Sequence[Day]) -> Spec:
    """A line over days: visits that ended in a purchase; a day without any is zero, not a gap."""
    sold = {day.day: day for day in days}
    every = [days[0].day + timedelta(days=n) for n in range((days[-1].day - days[0].day).days + 1)]
    line = [sold.get(day, Day(day, 0, Decimal())) for day in every]
    most = max(day.sessions for day in line)
    data = {
        "type": "scatter", "mode": "lines" if len(line) > 1 else "markers",
        "x": [f"{day.day}" for day in line],
        "y": [day.sessions for day in line],
        "customdata": [f"{day.total:,.2f}" for day in line],
        "line": {"color": BLUE, "width": 1.6}, "fill": "tozeroy", "fillcolor": "rgba(0, 114, 178, 0.10)",
        "hovertemplate": "%{x|%a %-d %b %Y}: %{y:,} sessions, %{customdata} USD<extra></extra>",
    }  # fmt: skip
    layout = _layout(height=280)
    layout["xaxis"] |= {"type": "date", "showgrid": False, "tickformat": "%-d %b\n%Y", "nticks": 12}
    layout["yaxis"] |= {"tickformat": ",d", "rangemode": "tozero", **({"dtick": 1} if most < 6 else {})}
    return {"data": [data], "layout": layout}


def to_json(charts: Mapping[str, Spec]) -> str:
    """All charts as JSON that can stand in a script element: no `<` can end it early."""
    return json.dumps(charts, ensure_ascii=False).replace("<", "\\u003c").replace("\u2028", "\\u2028")


def label(text: str, longest: int = LONGEST) -> str:
    """Data as a plotly label: shortened, without control characters, and never read as markup."""
    seen = printable(text)
    short = seen if len(seen) <= longest else seen[: longest - 1].rstrip() + "…"
    return html.escape(short, quote=False)


def month_name(month: date) -> str:
    """`Jan 2020`, in English whatever the machine's language."""
    names = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return f"{names[month.month - 1]} {month.year}"


def _ranking(names: list[str], values: Sequence[float], texts: list[str], hovers: list[str]) -> Spec:
    places = list(range(len(names)))
    data = {
        # places instead of names on the axis: two artists of one name stay two bars
        "type": "bar", "orientation": "h", "y": places, "x": values,
        "text": texts, "textposition": "outside", "textfont": {"size": 12, "color": INK}, "cliponaxis": False,
        "marker": {"color": BLUE}, "customdata": hovers, "hovertemplate": "%{customdata}<extra></extra>",
    }  # fmt: skip
    layout = _layout(height=60 + 26 * max(len(names), 3), bargap=0.32)
    layout["margin"] |= {"l": 8, "r": 72, "b": 8, "t": 4}
    layout["yaxis"] |= {
        "tickmode": "array", "tickvals": places, "ticktext": [label(name) + "  " for name in names],
        "autorange": "reversed", "showgrid": False,
    }  # fmt: skip
    layout["xaxis"] |= {"showticklabels": False, "showgrid": False, "rangemode": "tozero"}
    return {"data": [data], "layout": layout}


def _layout(height: int, **more: Any) -> Spec:
    axis = {"automargin": True, "fixedrange": True, "gridcolor": GRID, "zeroline": False, "showline": False}
    return {
        "height": height, "autosize": True, "showlegend": False, "hovermode": "closest", "dragmode": False,
        "margin": {"l": 56, "r": 12, "t": 12, "b": 40},
        "font": {"family": "system-ui, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif", "size": 13, "color": INK},
        "paper_bgcolor": "#ffffff", "plot_bgcolor": "#ffffff", "separators": ".,",
        "hoverlabel": {"bgcolor": "#1C2430", "font": {"color": "#ffffff", "size": 13}, "align": "left"},
        "xaxis": dict(axis), "yaxis": dict(axis), **more,
    }  # fmt: skip


def _summed(pairs: Any) -> dict[Any, Decimal]:
    found: defaultdict[Any, Decimal] = defaultdict(Decimal)
    for key, value in pairs:
        found[key] += value
    return found
