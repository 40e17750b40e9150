"""Sold members that the latest catalogue does not have any more, and the sales that they stand for.

Data flow: dimensions (`last_seen_on`) and fact as readers see them -> counts -> one phrase of the build's sentence, and
a warning. The dimensions keep such members as last seen (models/star/int_departed_*.sql); that they left is a finding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

Query = Callable[[str], list[tuple[Any, ...]]]
"""Runs one statement on whatever database is built; returns its rows."""


@dataclass(frozen=True)
class Departed:
    """Tracks and artists that left, and items and US dollars of the sales that name one of them."""

    tracks: int
    artists: int
    items: int
    amount: Decimal

    def __bool__(self) -> bool:
        return bool(self.tracks or self.artists)

    def __str__(self) -> str:
        return (
            f"{self.tracks:,} sold tracks and {self.artists:,} sold artists are in the catalogue no more "
            f"({self.items:,} sales of {self.amount:,} USD show them as last seen)"
        )


def find_departed(query: Query, schema: str) -> Departed:
    """Count the departed members in the dimensions of a schema."""
    ((tracks, artists),) = query(
        f"select (select count(*) from {schema}.dim_songs where {_left(schema)}), "
        f"(select count(*) from {schema}.dim_artists where {_left(schema)})"
    )
    if not tracks and not artists:
        # sparing the scan of all sales, which almost every build can do without
        return Departed(0, 0, 0, Decimal(0))
    ((items, amount),) = query(
        f"with tracks as (select track_id from {schema}.dim_songs where {_left(schema)}), "
        f"artists as (select artist_id from {schema}.dim_artists where {_left(schema)}) "
        f"select count(*), coalesce(sum(sold.price), 0) from {schema}.fact_session as sold "
        "left join tracks on sold.song_id = tracks.track_id left join artists on sold.artist_id = artists.artist_id "
        "where tracks.track_id is not null or artists.artist_id is not null"
    )
    return Departed(tracks, artists, items, Decimal(amount))


def _left(schema: str) -> str:
    return f"last_seen_on < (select max(last_seen_on) from {schema}.dim_songs)"
