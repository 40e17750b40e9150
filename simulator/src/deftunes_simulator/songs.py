"""What a song is: a row of ``deftunes.songs``, and the little a session says about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol


class Song(NamedTuple):
    """One row of ``deftunes.songs``, in column order.

    duration in seconds; year 0 = unknown; shs_perf −1 and shs_work 0 = not a known cover.
    """

    track_id: str
    title: str | None
    song_id: str
    release: str | None
    artist_id: str
    artist_mbid: str | None
    artist_name: str | None
    duration: float | None
    artist_familiarity: float | None
    artist_hotttnesss: float | None
    year: int | None
    track_7digitalid: int | None
    shs_perf: int | None
    shs_work: int | None


class Label(NamedTuple):
    """What a session says about a song it sells."""

    track_id: str
    song_name: str
    artist_id: str
    artist_name: str


class Catalogue(Protocol):
    """The songs of one world, numbered from 0."""

    @property
    def size(self) -> int:
        """Number of songs."""

    @property
    def must_sell(self) -> Sequence[int]:
        """Numbers of awkward songs that every month sells, so that no month is free of them."""

    def label(self, number: int) -> Label:
        """Return how sessions name a song."""

    def songs(self) -> Iterator[Song]:
        """Yield all rows in number order, without holding them."""
