"""A month that is loaded again: what changed, by country and artist, to the cent; nothing when nothing did."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

USERS = [
    {"user_id": "fr", "country_code": "FR"},
    {"user_id": "gb", "country_code": "GB"},
]
SONGS = [
    {"track_id": "TR1", "artist_id": "AR1", "artist_name": "Queen"},
    {"track_id": "TR2", "artist_id": "AR2", "artist_name": "Abba"},
]
JANUARY, FEBRUARY = date(2020, 2, 1), date(2020, 3, 1)
TOLD = (
    "SELECT ingest_on, country_code, artist_name, items_before, items_now, sales_before, sales_now, sales_change "
    "FROM deftunes_serving.restatement ORDER BY restated_at, ingest_on, country_code, artist_name"
)


@pytest.fixture
def told(lake, sell, build):
    """January and February as first published and built; tells what the report says."""

    def items(*sales):
        return [
            sell(f"s{number}", 0, track, price, user=user, artist_id=artist)
            for number, (user, track, artist, price) in enumerate(sales)
        ]

    lake.publish("users", JANUARY, USERS)
    lake.publish("songs", JANUARY, SONGS)
    lake.publish("sessions", JANUARY, items(("fr", "TR1", "AR1", "1.00"), ("gb", "TR2", "AR2", "0.50")))
    build()
    lake.items = items
    return lambda: lake.query(TOLD)


def test_a_first_load_and_a_rerun_are_no_restatement(lake, told, sell, build):
    assert told() == []
    build()
    assert told() == []
    lake.publish("sessions", FEBRUARY, [sell("february", 0, "TR1", "0.30", user="fr", artist_id="AR1")])
    build("2020-01-01", "2020-03-01")
    assert told() == []


def test_late_and_corrected_and_withdrawn_sales_are_told_to_the_cent(lake, told, build):
    restated = [
        ("fr", "TR1", "AR1", "1.00"),
        ("gb", "TR1", "AR1", "0.70"),
        ("fr", "TR1", "AR1", "0.25"),
        ("x", "TR9", "AR9", "0.10"),
    ]
    lake.publish("sessions", JANUARY, lake.items(*restated))
    sentence = build()
    assert told() == [
        (JANUARY, "FR", "Queen", 1, 2, Decimal("1.00"), Decimal("1.25"), Decimal("0.25")),
        (JANUARY, "GB", "Abba", 1, 0, Decimal("0.50"), Decimal("0.00"), Decimal("-0.50")),
        (JANUARY, "GB", "Queen", 0, 1, Decimal("0.00"), Decimal("0.70"), Decimal("0.70")),
        (JANUARY, "unknown", "Unknown", 0, 1, Decimal("0.00"), Decimal("0.10"), Decimal("0.10")),
    ]
    assert "restated 4 sums by country and artist, +0.55 USD in all" in sentence


def test_a_month_that_was_emptied_is_told_too(lake, told, build):
    lake.publish("sessions", JANUARY, [])
    build()
    assert sum(row[-1] for row in told()) == Decimal("-1.50")


def test_a_corrected_country_moves_money_and_a_new_catalogue_does_not(lake, told, build):
    lake.publish("songs", JANUARY, [{**song, "artist_name": song["artist_name"].upper()} for song in SONGS])
    build()
    assert told() == []
    lake.publish("users", JANUARY, [USERS[0] | {"country_code": "BE"}, USERS[1]])
    build()
    assert told() == [
        (JANUARY, "BE", "QUEEN", 0, 1, Decimal("0.00"), Decimal("1.00"), Decimal("1.00")),
        (JANUARY, "FR", "QUEEN", 1, 0, Decimal("1.00"), Decimal("0.00"), Decimal("-1.00")),
    ]


def test_the_report_outlives_a_full_load_and_later_restatements(lake, told, build):
    lake.publish("sessions", JANUARY, lake.items(("fr", "TR1", "AR1", "1.10"), ("gb", "TR2", "AR2", "0.50")))
    build()
    first = told()
    assert [row[-1] for row in first] == [Decimal("0.10")]
    build("2020-01-01", "2020-02-01", "--full-refresh")
    assert told() == first
    lake.publish("sessions", JANUARY, lake.items(("fr", "TR1", "AR1", "1.00"), ("gb", "TR2", "AR2", "0.50")))
    build("2020-01-01", "2020-02-01", "--full-refresh")
    assert [row[-1] for row in told()] == [Decimal("0.10"), Decimal("-0.10")]
