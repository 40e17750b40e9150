"""What was sold: aggregates of the serving star, read once, as plain values.

serving DuckDB file, read-only ─► sums per month, country, artist, day and track. DuckDB does the sums; what comes back
is at most a few thousand values however many sales there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import duckdb

SCHEMA = "deftunes_serving"
TOP = 12
"""Bars in a ranking: more cannot be read at a glance."""


@dataclass(frozen=True)
class CountryMonth:
    """Sales of one country in one month (its first day), USD."""

    month: date
    country: str
    total: Decimal


@dataclass(frozen=True)
class Artist:
    """Sales of one artist over all months, USD."""

    name: str
    total: Decimal


@dataclass(frozen=True)
class Day:
    """Visits that ended in a purchase, and what they brought in USD."""

    day: date
    sessions: int
    total: Decimal


@dataclass(frozen=True)
class Track:
    """How often a track was bought, and how many of its buyers like it."""

    name: str
    artist: str
    purchases: int
    likes: int


@dataclass(frozen=True)
class Sales:
    """All that the page says about sales. Empty lists and zeros when nothing was sold."""

    total: Decimal
    items: int
    sessions: int
    buyers: int
    by_country: tuple[CountryMonth, ...]
    artists: tuple[Artist, ...]
    artists_in_all: int
    days: tuple[Day, ...]
    liked: tuple[Track, ...]
    likes: int


NO_SALES = Sales(Decimal("0.00"), 0, 0, 0, (), (), 0, (), (), 0)


def read_sales(connection: duckdb.DuckDBPyConnection) -> Sales:
    """Read every aggregate of the page. The connection sees schema `deftunes_serving`."""
    total, items, sessions, buyers = _rows(
        connection,
        f"select coalesce(sum(price), 0), count(*), count(distinct session_id), count(distinct user_id) "
        f"from {SCHEMA}.fact_session",
    )[0]
    by_country = _rows(
        connection,
        "select make_date(session_year, session_month, 1), coalesce(country_code, 'unknown'), sum(total_sales)"
        f" from {SCHEMA}.sales_per_country_vw where session_year is not null group by all order by all",
    )
    artists = _rows(
        connection,
        "select coalesce(artist_name, 'Unknown'), sum(total_sales) as total, count(*) over () as in_all"
        f" from {SCHEMA}.sales_per_artist_vw group by artist_name order by total desc, 1 limit {TOP}",
    )
    days = _rows(
        connection,
        "select cast(session_start_time as date), count(distinct session_id), sum(price)"
        f" from {SCHEMA}.fact_session group by 1 order by 1",
    )
    liked = _rows(
        connection,
        "select coalesce(song_name, 'Untitled'), coalesce(artist_name, 'Unknown'), sum(total_purchases)::bigint,"
        " sum(liked_count)::bigint as likes, (sum(sum(liked_count)) over ())::bigint"
        f" from {SCHEMA}.music_preference_vw group by song_name, artist_name having sum(liked_count) > 0"
        f" order by likes desc, 3, 1, 2 limit {TOP}",
    )
    return Sales(
        total=Decimal(total).quantize(Decimal("0.01")),
        items=items,
        sessions=sessions,
        buyers=buyers,
        by_country=tuple(CountryMonth(*row) for row in by_country),
        artists=tuple(Artist(name, amount) for name, amount, _ in artists),
        artists_in_all=artists[0][2] if artists else 0,
        days=tuple(Day(*row) for row in days),
        liked=tuple(Track(name, artist, purchases, likes) for name, artist, purchases, likes, _ in liked),
        likes=liked[0][4] if liked else 0,
    )


def _rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple]:  # type: ignore[type-arg]  # as the query says
    return connection.execute(sql).fetchall()
