"""deftunes.songs equals the catalogue, character by character, and is never seen half loaded."""

import csv
import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from deftunes_simulator import ConfigError, DatabaseUnavailable, World, WorldConfig, start_world
from deftunes_simulator.catalogue import GeneratedCatalogue, open_catalogue
from deftunes_simulator.csv_catalogue import CsvCatalogue, read_songs
from deftunes_simulator.songs import Song
from deftunes_simulator.songs_table import load_songs

JANUARY = {"start_date": "2020-01-01", "end_date": "2020-01-31"}


@pytest.fixture
def scratch(world: World) -> Iterator[str]:
    """DSN of an empty database on the world's server."""
    with psycopg.connect(world.owner_dsn, autocommit=True) as connection:
        connection.execute("create database scratch")
        yield world.owner_dsn.replace("/deftunes", "/scratch")
        connection.execute("drop database scratch with (force)")


def _table(dsn: str) -> list[Song]:
    with psycopg.connect(dsn) as connection:
        return [Song(*row) for row in connection.execute("select * from deftunes.songs").fetchall()]


def test_the_table_equals_the_generator(world: World) -> None:
    assert _table(world.owner_dsn) == list(GeneratedCatalogue(world.config).songs())
    assert world.song_count == 200


def test_the_columns_have_their_types(world: World) -> None:
    with psycopg.connect(world.owner_dsn) as connection:
        found = connection.execute(
            "select column_name, data_type from information_schema.columns"
            " where table_schema = 'deftunes' and table_name = 'songs' order by ordinal_position"
        ).fetchall()
    texts = dict.fromkeys(("title", "release", "artist_name"), "text")
    numbers = dict.fromkeys(("duration", "artist_familiarity", "artist_hotttnesss"), "double precision")
    integers = dict.fromkeys(("year", "track_7digitalid", "shs_perf", "shs_work"), "integer")
    types = texts | numbers | integers
    assert found == [(name, types.get(name, "character varying")) for name in Song._fields]


def test_loading_twice_leaves_the_same_table(scratch: str) -> None:
    catalogue = GeneratedCatalogue(WorldConfig(seed=1, scale=100))
    assert load_songs(scratch, catalogue.songs()) == 200
    first = _table(scratch)
    assert load_songs(scratch, catalogue.songs()) == 200
    assert _table(scratch) == first
    with psycopg.connect(scratch) as connection:
        tables = connection.execute("select tablename from pg_tables where schemaname = 'deftunes'").fetchall()
    assert tables == [("songs",)]


def test_a_reader_sees_the_old_table_until_the_new_one_is_whole(scratch: str) -> None:
    old = GeneratedCatalogue(WorldConfig(seed=1, scale=100))
    load_songs(scratch, old.songs())
    seen: list[int] = []

    def slow_songs() -> Iterator[Song]:
        for number, song in enumerate(GeneratedCatalogue(WorldConfig(seed=2, songs=1000)).songs()):
            if number in (1, 999):
                seen.append(len(_table(scratch)))
            yield song

    load_songs(scratch, slow_songs())
    assert seen == [200, 200]
    assert len(_table(scratch)) == 1000


def test_a_load_that_breaks_leaves_the_old_table(scratch: str) -> None:
    old = list(GeneratedCatalogue(WorldConfig(seed=1, scale=100)).songs())
    load_songs(scratch, old)

    def broken() -> Iterator[Song]:
        yield from old[:50]
        raise ConfigError("the file ends here")

    with pytest.raises(ConfigError, match="the file ends here"):
        load_songs(scratch, broken())
    assert _table(scratch) == old


def test_progress_is_told(scratch: str) -> None:
    told: list[int] = []
    load_songs(scratch, GeneratedCatalogue(WorldConfig(songs=20_001)).songs(), told.append)
    assert told == [10_000, 20_000]


def test_an_unreachable_server_is_a_temporary_error() -> None:
    with pytest.raises(DatabaseUnavailable, match="cannot load deftunes.songs"):
        load_songs("postgresql://postgres@127.0.0.1:1/deftunes", [])


def _write(path: Path, songs: list[Song]) -> Path:
    opener: Callable[..., Any] = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(Song._fields)
        writer.writerows(songs)
    return path


@pytest.mark.parametrize("name", ["songs.csv", "songs.csv.gz"])
def test_generated_songs_survive_csv_and_copy(scratch: str, tmp_path: Path, name: str) -> None:
    songs = list(GeneratedCatalogue(WorldConfig(seed=4, scale=100)).songs())
    path = _write(tmp_path / name, songs)
    load_songs(scratch, read_songs(path))
    assert _table(scratch) == [song._replace(title=song.title or None) for song in songs]


def test_a_world_sells_the_songs_of_its_file(tmp_path: Path, scratch: str, fetch_from: Callable[..., Any]) -> None:
    songs = [song for song in GeneratedCatalogue(WorldConfig(seed=4, scale=100)).songs() if song.title != "NULL"]
    path = _write(tmp_path / "songs.csv", songs)
    with start_world(WorldConfig(scale=2000, songs_csv=path), tmp_path / "home", songs_dsn=scratch) as world:
        sessions = fetch_from(world.api_url, "/sessions", **JANUARY).json()
        assert world.song_count == len(songs)
    catalogue = {song.track_id: (song.title, song.artist_id, song.artist_name) for song in songs}
    sold = {item["song_id"]: (item["song_name"], item["artist_id"], item["artist_name"])
            for session in sessions for item in session["session_items"]}  # fmt: skip
    assert sold.items() <= catalogue.items()
    assert len(sold) > 100
    assert "" in {title for title, *_ in sold.values()}  # NULL in the table


def test_the_real_dataset(shared_data: Path, scratch: str) -> None:
    path = shared_data / "msd_subset_songs.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert load_songs(scratch, read_songs(path)) == len(rows) == 10_000
    for row, song in zip(rows, _table(scratch), strict=True):
        for name, text in row.items():
            value = getattr(song, name)
            assert value == (type(value)(text) if text else None), (song.track_id, name)
    catalogue = open_catalogue(WorldConfig(songs_csv=path))
    assert isinstance(catalogue, CsvCatalogue)
    assert catalogue.size == 10_000
    assert [catalogue.label(number).song_name for number in catalogue.must_sell].count("") <= 1
    nameless = next(number for number, row in enumerate(rows) if not row["title"])
    assert catalogue.label(nameless).song_name == ""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("track_id,", "track,", 1), "line 1: expected a header with .* missing track_id"),
        (lambda text: text.replace(",-1,0", ",-1", 1), "line 2: expected 14 fields, found 13"),
        (lambda text: text.replace(",-1,0", ",none,0", 1), "line 2: expected a number in shs_perf, found 'none'"),
        (lambda text: text + text.splitlines()[1] + "\n", "appears a second time"),
        (lambda text: text.replace("AR", ",", 1), "expected 14 fields, found 15"),
        (lambda text: text.splitlines()[0], "expected at least one song"),
        (lambda _: "", "line 1: expected a header"),
        (lambda text: text + '"', "expected CSV in UTF-8"),
    ],
)
def test_a_broken_file_is_refused_with_its_line(tmp_path: Path, change: Callable[[str], str], said: str) -> None:
    plain = [song for song in GeneratedCatalogue(WorldConfig(scale=100)).songs() if song.shs_perf == -1]
    path = _write(tmp_path / "songs.csv", plain[:3])
    path.write_text(change(path.read_text().replace("\r\n", "\n")))
    with pytest.raises(ConfigError, match=said):
        CsvCatalogue(path)


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "songs.csv.gz"
    path.write_bytes(b"not gzip")
    with pytest.raises(ConfigError, match="expected CSV in UTF-8"):
        CsvCatalogue(path)
    latin = tmp_path / "latin.csv"
    latin.write_bytes(",".join(Song._fields).encode() + b"\n" + "é".encode("latin-1") + b"\n")
    with pytest.raises(ConfigError, match="expected CSV in UTF-8"):
        CsvCatalogue(latin)
