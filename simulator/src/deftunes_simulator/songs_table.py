"""The table ``deftunes.songs``: its definition and its loader.

songs ─► COPY into a fresh table ─► swap, all in one transaction: a reader sees the old table or the new
one, never half of either, and loading the same songs twice leaves the same table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import psycopg

from .errors import DatabaseUnavailable
from .songs import Song

# No key and no NOT NULL: the operational table was delivered so, and tests plant bad rows in it.
COLUMN_TYPES = {
    "track_id": "varchar",
    "title": "text",
    "song_id": "varchar",
    "release": "text",
    "artist_id": "varchar",
    "artist_mbid": "varchar",
    "artist_name": "text",
    "duration": "double precision",
    "artist_familiarity": "double precision",
    "artist_hotttnesss": "double precision",
    "year": "integer",
    "track_7digitalid": "integer",
    "shs_perf": "integer",
    "shs_work": "integer",
}
"""Columns of ``deftunes.songs`` in order, with their PostgreSQL types."""

_LOCK = 0xDEF7
_PROGRESS_EVERY = 10_000


def load_songs(dsn: str, songs: Iterable[Song], progress: Callable[[int], None] | None = None) -> int:
    """Replace ``deftunes.songs`` by these songs and return their number.

    ``progress`` is called with the rows sent so far. The songs are streamed. Two loaders take turns.
    Raises DatabaseUnavailable when the server cannot be reached; the old table then stays.
    """
    columns = ", ".join(f"{name} {type_}" for name, type_ in COLUMN_TYPES.items())
    try:
        with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
            cursor.execute("select pg_advisory_xact_lock(%s)", [_LOCK])
            cursor.execute("create schema if not exists deftunes")
            cursor.execute("drop table if exists deftunes.songs_loading")
            cursor.execute(f"create table deftunes.songs_loading ({columns})")  # constants, not input
            count = 0
            with cursor.copy(f"copy deftunes.songs_loading ({', '.join(COLUMN_TYPES)}) from stdin") as copy:
                for song in songs:
                    copy.write_row(song)
                    count += 1
                    if progress is not None and count % _PROGRESS_EVERY == 0:
                        progress(count)
            cursor.execute("drop table if exists deftunes.songs")
            cursor.execute("alter table deftunes.songs_loading rename to songs")
            cursor.execute("analyze deftunes.songs")
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(f"cannot load deftunes.songs: {error}") from error
    return count
