"""The world is consistent: nobody buys before signing up, nothing is sold that is not in the catalogue."""

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from itertools import islice
from typing import Any

import psycopg
import pytest

from deftunes_simulator import World, WorldConfig, truth
from deftunes_simulator.catalogue import GeneratedCatalogue, open_catalogue
from deftunes_simulator.people import People
from deftunes_simulator.sales import Sales

MANY = 50_000


def test_sessions_point_to_users_and_songs(world: World, get: Callable[..., Any]) -> None:
    since = {user["user_id"]: user["user_since"] for user in get("/users").json()}
    with psycopg.connect(world.owner_dsn) as connection:
        rows = connection.execute("select track_id, title, artist_id, artist_name from deftunes.songs").fetchall()
    sold_as = {track: (title, artist, name) for track, title, artist, name in rows}

    sessions = get("/sessions", start_date="2020-01-01", end_date="2022-12-31").json()
    for session in sessions:
        assert since[session["user_id"]] <= session["session_start_time"]
        for item in session["session_items"]:
            assert sold_as[item["song_id"]] == (item["song_name"], item["artist_id"], item["artist_name"])
    assert len({session["session_id"] for session in sessions}) == len(sessions)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("scale", [100, 3000])
def test_nobody_buys_before_signing_up(seed: int, scale: int) -> None:
    config = WorldConfig(seed=seed, scale=scale, months=4, empty_months=("2020-01", "2020-03"))
    calendar = config.calendar()
    people = People(config, calendar)
    sales = Sales(config, calendar, people, open_catalogue(config))
    users = map(json.loads, people.records(calendar.everything()))
    since = {user["user_id"]: user["user_since"] for user in users}
    for session in map(json.loads, sales.records(calendar.everything())):
        assert since[session["user_id"]] <= session["session_start_time"]


def test_ids_are_unique_over_many() -> None:
    config = WorldConfig(seed=5, scale=2_000_000, songs=MANY)
    calendar = config.calendar()
    people = People(config, calendar)
    assert len({people.user_id(number) for number in range(MANY)}) == MANY
    catalogue = GeneratedCatalogue(config)
    songs = list(catalogue.songs())
    assert len({song.track_id for song in songs}) == len({song.song_id for song in songs}) == MANY
    assert {len(song.track_id) for song in songs} == {len(song.song_id) for song in songs} == {18}
    assert len({song.track_id[2:7] for song in songs}) == MANY  # the letters alone tell them apart
    artists = {catalogue._artist_id(number) for number in range(MANY)}
    assert len(artists) == MANY
    assert {len(artist) for artist in artists} == {18}
    sales = Sales(config, calendar, people, catalogue)
    sessions = [json.loads(record)["session_id"] for record in islice(sales.records(calendar.everything()), MANY)]
    assert len(set(sessions)) == MANY


@pytest.mark.parametrize(("scale", "months"), [(100, 36), (5000, 3)])
def test_the_scale_is_kept(scale: int, months: int) -> None:
    config = WorldConfig(scale=scale, months=months)
    for month, found in truth(config, date(2020, 1, 1), date(2023, 1, 1)).items():
        if month == "2020-07":
            assert (found.users, found.sessions, found.items, found.sales) == (0, 0, 0, Decimal(0))
        else:
            assert found.users == max(10, scale // 50)
            assert 0.8 * scale <= found.items <= 1.25 * scale


def test_the_truth_is_what_the_api_says(world: World, get: Callable[..., Any]) -> None:
    found = truth(world.config, date(2020, 1, 1), date(2020, 4, 1))
    assert list(found) == ["2020-01", "2020-02", "2020-03"]
    for month, last in (("2020-01", 31), ("2020-02", 29), ("2020-03", 31)):
        window = {"start_date": f"{month}-01", "end_date": f"{month}-{last}"}
        sessions = json.loads(get("/sessions", **window).body, parse_float=Decimal)
        items = [item for session in sessions for item in session["session_items"]]
        assert found[month].users == len(get("/users", **window).json())
        assert found[month].sessions == len(sessions)
        assert found[month].items == len(items)
        assert found[month].likes == sum(item["liked"] for item in items)
        assert found[month].sales == sum(item["price"] for item in items)
    assert found["2020-03"].likes == 0


def test_the_truth_of_a_part_of_a_month() -> None:
    config = WorldConfig(scale=1000)
    whole = truth(config, date(2020, 2, 1), date(2020, 3, 1))["2020-02"]
    parts = [
        truth(config, date(2020, 2, 1), date(2020, 2, 10))["2020-02"],
        truth(config, date(2020, 2, 10), date(2020, 3, 1))["2020-02"],
    ]
    assert sum(part.items for part in parts) == whole.items
    assert sum(part.sales for part in parts) == whole.sales
    with pytest.raises(ValueError, match="expected start before end"):
        truth(config, date(2020, 2, 1), date(2020, 2, 1))


def test_sales_look_like_music_sales(get: Callable[..., Any]) -> None:
    config = WorldConfig(scale=5000, months=3)
    calendar = config.calendar()
    people = People(config, calendar)
    sales = Sales(config, calendar, people, open_catalogue(config))
    by_artist: dict[str, float] = {}
    total = 0.0
    for session in map(json.loads, sales.records(calendar.everything())):
        for item in session["session_items"]:
            by_artist[item["artist_id"]] = by_artist.get(item["artist_id"], 0.0) + item["price"]
            total += item["price"]
    top_ten = sum(sorted(by_artist.values())[-10:])
    assert 0.3 < top_ten / total < 0.8
    assert len(by_artist) > 100
