"""A catalogue that loses what was sold changes nothing that was shown: dimensions keep it as last seen, and say so."""

from __future__ import annotations

import random
from datetime import date
from decimal import Decimal

import pytest

JANUARY, FEBRUARY, MARCH = "2020-02-01", "2020-03-01", "2020-04-01"
MONTHS = {JANUARY: ("2020-01-01", "2020-02-01"), FEBRUARY: ("2020-02-01", "2020-03-01")}
MONTHS[MARCH] = ("2020-03-01", "2020-04-01")


def song(number, title="Title", artist=None, name="Artist", **more):
    artist = number if artist is None else artist
    return {
        "track_id": f"TR{number}",
        "song_id": f"SO{number}",
        "title": f"{title} {number}",
        "artist_id": f"AR{artist}",
        "artist_name": f"{name} {artist}",
        **more,
    }


def by_artist(lake):
    return dict(lake.query("SELECT artist_name, sum(total_sales) FROM deftunes_serving.sales_per_artist_vw GROUP BY 1"))


def seen(lake, dimension, key):
    rows = lake.query(f"SELECT {key}, last_seen_on FROM deftunes_serving.{dimension} WHERE {key} <> 'unknown'")
    return {member: str(day) for member, day in rows}


@pytest.fixture
def january(lake, sell, build):
    """Two tracks of two artists sold in January, one that never was."""
    lake.publish("users", JANUARY, [{"user_id": "u1", "country_code": "FR"}])
    lake.publish("songs", JANUARY, [song(1), song(2), song(3)])
    sold = [sell("s1", 0, "TR1", "1.00", user="u1", artist_id="AR1")]
    sold += [sell("s2", 0, "TR2", "0.50", user="u1", artist_id="AR2")]
    lake.publish("sessions", JANUARY, sold)
    return build


def test_what_was_sold_stays_as_last_seen_and_the_rest_goes(lake, sell, january):
    january(*MONTHS[JANUARY])
    before = by_artist(lake)
    lake.publish("songs", FEBRUARY, [song(1)])
    lake.publish("sessions", FEBRUARY, [sell("s3", 0, "TR1", "0.25", user="u1", artist_id="AR1")])
    sentence = january(*MONTHS[FEBRUARY])
    assert by_artist(lake) == before | {"Artist 1": Decimal("1.25")}
    assert seen(lake, "dim_songs", "track_id") == {"TR1": FEBRUARY, "TR2": JANUARY}
    assert seen(lake, "dim_artists", "artist_id") == {"AR1": FEBRUARY, "AR2": JANUARY}
    assert "1 sold tracks and 1 sold artists are in the catalogue no more (1 sales of 0.50 USD" in sentence
    shown = lake.query("SELECT song_name, total_purchases FROM deftunes_serving.music_preference_vw ORDER BY 1")
    assert shown == [("Title 1", 2), ("Title 2", 1)]


def test_a_whole_catalogue_says_nothing(january):
    assert "no more" not in january(*MONTHS[JANUARY])


def test_a_member_that_comes_back_is_one_member_with_its_new_name(lake, january):
    lake.publish("songs", FEBRUARY, [song(1)])
    lake.publish("songs", MARCH, [song(1), song(2, "New title", name="New name")])
    assert "no more" not in january("2020-01-01", "2020-04-01")
    assert seen(lake, "dim_songs", "track_id") == {"TR1": MARCH, "TR2": MARCH}
    assert by_artist(lake)["New name 2"] == Decimal("0.50")


def test_the_last_snapshot_that_had_it_wins(lake, january):
    lake.publish("songs", FEBRUARY, [song(1), song(2, "Renamed", name="Renamed")])
    lake.publish("songs", MARCH, [song(1)])
    january("2020-01-01", "2020-04-01")
    assert seen(lake, "dim_songs", "track_id")["TR2"] == FEBRUARY
    assert set(by_artist(lake)) == {"Artist 1", "Renamed 2"}


def test_a_track_whose_artist_left_with_it_finds_that_artist(lake, sell, january):
    """The artist that the sale names and the one that the catalogue gave the track may be two."""
    lake.publish("songs", JANUARY, [song(1), song(2), song(3, artist=9)])
    lake.publish("sessions", JANUARY, [sell("s1", 0, "TR3", "1.00", user="u1", artist_id="AR1")])
    lake.publish("songs", FEBRUARY, [song(1)])
    january("2020-01-01", "2020-03-01")
    assert seen(lake, "dim_artists", "artist_id") == {"AR1": FEBRUARY, "AR9": JANUARY}
    assert lake.value("SELECT artist_id FROM deftunes_serving.dim_songs WHERE track_id = 'TR3'") == "AR9"


def test_an_artist_that_left_is_named_by_all_its_tracks_of_then(lake, january):
    rows = [song(1), song(2), *(song(number, artist=2, name="Usual") for number in (4, 5))]
    lake.publish("songs", JANUARY, rows)
    lake.publish("songs", FEBRUARY, [song(1)])
    january("2020-01-01", "2020-03-01")
    assert set(by_artist(lake)) == {"Artist 1", "Usual 2"}


def test_any_order_of_months_and_any_restatement_end_alike(lake, sell, january):
    """Months in random order, some twice and some restated: as one build of everything has it."""
    lake.publish("songs", FEBRUARY, [song(1), song(4)])
    lake.publish("songs", MARCH, [song(4)])
    lake.publish("sessions", FEBRUARY, [sell("s3", 0, "TR4", "0.30", user="u1", artist_id="AR4")])
    lake.publish("sessions", MARCH, [sell("s4", 0, "TR1", "0.20", user="u1", artist_id="AR1")])
    january("2020-01-01", "2020-04-01", "--full-refresh")
    whole = {name: rows for name, rows in lake.content().items() if "restatement" not in name}
    lake.serving.unlink()
    order = [*MONTHS.values(), *MONTHS.values()]
    random.Random(7).shuffle(order)
    for month in order:
        january(*month)
    assert {name: rows for name, rows in lake.content().items() if "restatement" not in name} == whole
    # the catalogue of March is corrected: what came back is there again
    lake.publish("songs", MARCH, [song(1), song(2), song(4)])
    january(*MONTHS[MARCH])
    assert set(seen(lake, "dim_songs", "track_id").values()) == {MARCH}


def test_names_that_differ_in_case_and_blanks_are_one_name(lake, sell, january):
    names = ["Queen", "QUEEN", "queen ", "Queen"]
    lake.publish("songs", JANUARY, [song(number) | {"artist_name": name} for number, name in enumerate(names, 1)])
    lake.publish(
        "sessions", JANUARY, [sell(f"s{n}", 0, f"TR{n}", "0.50", user="u1", artist_id=f"AR{n}") for n in range(1, 5)]
    )
    january(*MONTHS[JANUARY])
    assert by_artist(lake) == {"Queen": Decimal("2.00")}


@pytest.mark.parametrize("code", ["usa", "UK", "EL", "XK", "ZZ", "", "U S", "\u00df", "AN", None])
def test_what_is_no_country_is_unknown_and_keeps_its_money(lake, january, code):
    lake.publish("users", JANUARY, [{"user_id": "u1", "country_code": code}])
    january(*MONTHS[JANUARY])
    for view in ("sales_per_country_vw", "sales_per_country_at_sale_vw"):
        rows = lake.query(f"SELECT country_code, total_sales FROM deftunes_serving.{view}")
        assert rows == [("unknown", Decimal("1.50"))]


@pytest.mark.parametrize("code", ["us", "US ", " us"])
def test_months_of_an_earlier_release_show_the_country_too(lake, january, code):
    lake.publish("users", JANUARY, [{"user_id": "u1", "country_code": code}])
    january(*MONTHS[JANUARY])
    assert lake.query("SELECT country_code FROM deftunes_serving.dim_users ORDER BY 1") == [("US",), ("unknown",)]


def test_last_seen_on_is_a_day_and_null_for_the_unknown_member(lake, january):
    january(*MONTHS[JANUARY])
    for dimension in ("dim_songs", "dim_artists"):
        rows = lake.query(f"SELECT DISTINCT last_seen_on FROM deftunes_serving.{dimension} ORDER BY 1 NULLS LAST")
        assert rows == [(date(2020, 2, 1),), (None,)]
