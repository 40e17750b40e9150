"""Even the smallest world holds what breaks readers: each awkward character, gap and spelling."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from deftunes_simulator import World, WorldConfig
from deftunes_simulator.catalogue import GeneratedCatalogue
from deftunes_simulator.songs import Song

AWKWARD_TITLES: dict[str, Callable[[str], bool]] = {
    "double quote": lambda text: '"' in text,
    "only a double quote": lambda text: text == '"',
    "single quote": lambda text: "'" in text,
    "comma": lambda text: "," in text,
    "accent": lambda text: "ñ" in text,
    "combining accent": lambda text: "\u0301" in text,
    "CJK": lambda text: "月" in text,
    "right to left": lambda text: "ش" in text,
    "beyond the BMP": lambda text: any(ord(letter) > 0xFFFF for letter in text),
    "U+0019": lambda text: "\x19" in text,
    "tab": lambda text: "\t" in text,
    "newline": lambda text: "\n" in text,
    "carriage return": lambda text: "\r\n" in text,
    "line separator": lambda text: "\u2028" in text,
    "backslash": lambda text: "\\" in text,
    "NULL of COPY": lambda text: text == "\\N",
    "NULL as a word": lambda text: text == "NULL",
    "leading space": lambda text: text.startswith(" "),
    "trailing space": lambda text: text.endswith(" "),
    "empty": lambda text: text == "",
    "markup": lambda text: "<" in text,
    "formula": lambda text: text.startswith("="),
    "long": lambda text: len(text) > 150,
}


@pytest.fixture(scope="module")
def table(small_world: World) -> list[Song]:
    with psycopg.connect(small_world.owner_dsn) as connection:
        return [Song(*row) for row in connection.execute("select * from deftunes.songs").fetchall()]


@pytest.mark.parametrize("quirk", AWKWARD_TITLES)
def test_the_songs_table_and_each_months_sessions_hold_the_title(
    table: list[Song], get: Callable[..., Any], quirk: str
) -> None:
    is_odd = AWKWARD_TITLES[quirk]
    assert any(song.title is not None and is_odd(song.title) for song in table)
    for first, last in (("2020-01-01", "2020-01-31"), ("2022-12-01", "2022-12-31")):
        sessions = get("/sessions", start_date=first, end_date=last).json()
        assert any(is_odd(item["song_name"]) for session in sessions for item in session["session_items"])


@pytest.mark.parametrize("seed", range(5))
def test_artists_have_several_spellings_and_several_mbids(seed: int) -> None:
    songs = list(GeneratedCatalogue(WorldConfig(seed=seed, scale=100)).songs())
    spellings, mbids = defaultdict(set), defaultdict(set)
    for song in songs:
        spellings[song.artist_id].add(song.artist_name)
        mbids[song.artist_id].add(song.artist_mbid)
    assert any(len(some) > 1 for some in spellings.values())
    assert any(len(some - {None}) > 1 for some in mbids.values())
    assert any(None in some and len(some) > 1 for some in mbids.values())


@pytest.mark.parametrize("seed", range(5))
def test_the_gaps_of_the_dataset_are_there(seed: int) -> None:
    songs = list(GeneratedCatalogue(WorldConfig(seed=seed, scale=100)).songs())
    years = [song.year for song in songs if song.year is not None]
    assert 0.3 < years.count(0) / len(songs) < 0.8
    assert all(year == 0 or 1926 <= year <= 2010 for year in years)
    for column in ("artist_mbid", "artist_familiarity", "artist_hotttnesss", "track_7digitalid"):
        gaps = sum(getattr(song, column) is None for song in songs)
        assert 0 < gaps < len(songs)
    assert sum((song.shs_perf, song.shs_work) == (-1, 0) for song in songs) > 0.8 * len(songs)
    assert all(1 < (song.duration or 0) < 1820 for song in songs)


def test_people_with_awkward_names_are_among_the_first(get: Callable[..., Any]) -> None:
    january = get("/users", start_date="2020-01-01", end_date="2020-01-31").json()
    names = [f"{user['user_name']}|{user['user_lastname']}" for user in january]
    for part in ("O'Brien", "Núñez", "李", '"', ",", " Lee ", "Null|None", "\u0308", "\\", "\t", "😀"):
        assert any(part in name for name in names), part
    later = get("/users", start_date="2021-05-01", end_date="2021-05-31").json()
    assert sum(user["user_name"] in {"Null", "😀", "Sinéad", "伟", " Lee ", 'Robert "Bobby"'} for user in later) >= 1


def test_artists_with_awkward_names_are_in_the_table(table: list[Song]) -> None:
    names = {song.artist_name or "" for song in table}
    for part in ('"', "'", ",", "👑", "\\", "\t", "樹", "К"):
        assert any(part in name for name in names), part
    assert any(name != name.strip() for name in names)
