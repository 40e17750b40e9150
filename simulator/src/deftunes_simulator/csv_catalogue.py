"""Songs from a file: the Million Song Dataset, or any file with the 14 columns of ``deftunes.songs``.

file (RFC 4180, UTF-8, header row, optionally gzip) ─► checked rows. An empty field means NULL, so an empty
title is NULL in the table and the empty string in a session. Rows are streamed for the table; for the
sessions the labels are held in memory (about 300 bytes a song).
"""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from .errors import ConfigError
from .songs import Label, Song

_INTEGERS = frozenset({"year", "track_7digitalid", "shs_perf", "shs_work"})
_FLOATS = frozenset({"duration", "artist_familiarity", "artist_hotttnesss"})
_REQUIRED = ("track_id", "song_id", "artist_id")
_ODD_TITLE = re.compile(r"[\x00-\x1f\"\\]|^\s|\s$|^$")
_MUST_SELL = 16
# The longest field of the real dataset has 255 characters; the csv module's own limit is 128 kB.


def _open(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def read_songs(path: Path) -> Iterator[Song]:
    """Yield the songs of a file in file order.

    Raises ConfigError naming file, line and column when the header lacks a column, a number cannot be
    read, an identifier is empty, a track_id appears twice, or a row has too few or too many fields.
    """
    try:
        with _open(path) as file:
            yield from _rows(path, csv.reader(file, strict=True))
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: expected CSV in UTF-8 (gzip if named .gz), found: {error}") from error


def _rows(path: Path, reader: Any) -> Iterator[Song]:
    header = next(reader, None)
    missing = set(Song._fields) - set(header or ())
    if header is None or missing:
        raise ConfigError(
            f"{path}, line 1: expected a header with {', '.join(Song._fields)}; missing {', '.join(sorted(missing))}"
        )
    seen: set[str] = set()
    where = [header.index(name) for name in Song._fields]
    for row in reader:
        line = reader.line_num
        if len(row) != len(header):
            raise ConfigError(f"{path}, line {line}: expected {len(header)} fields, found {len(row)}")
        song = Song(*(_value(path, line, name, row[place]) for name, place in zip(Song._fields, where, strict=True)))
        for name in _REQUIRED:
            if not getattr(song, name):
                raise ConfigError(f"{path}, line {line}: expected a value in {name}, found an empty field")
        if song.track_id in seen:
            raise ConfigError(f"{path}, line {line}: track_id {song.track_id} appears a second time")
        seen.add(song.track_id)
        yield song


def _value(path: Path, line: int, name: str, text: str) -> Any:
    if text == "":
        return None
    try:
        if name in _INTEGERS:
            return int(text)
        if name in _FLOATS:
            return float(text)
    except ValueError:
        raise ConfigError(f"{path}, line {line}: expected a number in {name}, found {text!r}") from None
    if "\0" in text:
        raise ConfigError(f"{path}, line {line}: {name} holds a NUL character, which PostgreSQL cannot store")
    return text


class CsvCatalogue:
    """The songs of one file; song numbers are row positions."""

    def __init__(self, path: Path) -> None:
        """Read and check the whole file once; raises ConfigError."""
        self._path = path
        self._labels: list[Label] = []
        must_sell: list[int] = []
        for number, song in enumerate(read_songs(path)):
            title = song.title or ""
            self._labels.append(Label(song.track_id, title, song.artist_id, song.artist_name or ""))
            if len(must_sell) < _MUST_SELL and _ODD_TITLE.search(title):
                must_sell.append(number)
        if not self._labels:
            raise ConfigError(f"{path}: expected at least one song, found only a header")
        self.must_sell: Sequence[int] = tuple(must_sell)

    @property
    def size(self) -> int:
        """Number of songs in the file."""
        return len(self._labels)

    def label(self, number: int) -> Label:
        """Return how sessions name a song."""
        return self._labels[number]

    def songs(self) -> Iterator[Song]:
        """Yield the rows in file order, read from the file again."""
        return read_songs(self._path)
