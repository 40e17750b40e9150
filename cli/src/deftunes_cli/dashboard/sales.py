"""What was sold: aggregates of the serving star, read once, as plain values.

serving tables of the target in use ─► sums per month, country, artist, day and track. The database does the sums, in
SQL that DuckDB and Redshift both understand; what comes back is a few thousand values however many sales there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from deftunes_serving.reader import ServingReader

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


def read_sales(serving: ServingReader) -> Sales:
    """Read every aggregate of the page; nothing where the packaged star was never built."""
    if "fact_session" not in serving.relations():
        return NO_SALES
    total, items, sessions, buyers = serving.rows(
        f"select coalesce(sum(price), 0), count(*), count(distinct session_id), count(distinct user_id) "
        f"from {SCHEMA}.fact_session",
    )[0]
    by_country = serving.rows(
        "select session_year, session_month, coalesce(country_code, 'unknown') as country, sum(total_sales)"
        f" from {SCHEMA}.sales_per_country_vw where session_year is not null group by 1, 2, 3 order by 1, 2, 3",
    )
    artists = serving.rows(
        "select coalesce(artist_name, 'Unknown'), sum(total_sales) as total, count(*) over () as in_all"
        f" from {SCHEMA}.sales_per_artist_vw group by artist_name order by total desc, 1 limit {TOP}",
    )
    days = serving.rows(
        "select cast(session_start_time as date), count(distinct session_id), sum(price)"
        f" from {SCHEMA}.fact_session group by 1 order by 1",
    )
    liked = serving.rows(
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
        by_country=tuple(
            CountryMonth(date(int(year), int(month), 1), country, amount) for year, month, country, amount in by_country
        ),
        artists=tuple(Artist(name, amount) for name, amount, _ in artists),
        artists_in_all=artists[0][2] if artists else 0,
        days=tuple(Day(*row) for row in days),
        liked=tuple(Track(name, artist, purchases, likes) for name, artist, purchases, likes, _ in liked),
        likes=liked[0][4] if liked else 0,
    )
