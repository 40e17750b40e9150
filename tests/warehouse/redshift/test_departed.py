"""Members that left, and members that would: Redshift does as the serving file does."""

from __future__ import annotations

import pytest

from deftunes_contract.errors import DataRejected

JANUARY, FEBRUARY = "2020-02-01", "2020-03-01"


def songs(*numbers):
    return [
        {"track_id": f"TR{n}", "song_id": f"SO{n}", "artist_id": f"AR{n}", "artist_name": f"Artist {n}"}
        for n in numbers
    ]


def publish(lake, sell, ingest_on, tracks, buyers):
    lake.publish("users", ingest_on, [{"user_id": f"u{n}", "country_code": "FR"} for n in buyers])
    lake.publish("songs", ingest_on, songs(*tracks))
    sold = [sell(f"{ingest_on}-{n}", 0, f"TR{n}", "0.50", user=f"u{n}", artist_id=f"AR{n}") for n in buyers]
    lake.publish("sessions", ingest_on, sold)


def test_sold_members_stay_and_lost_ones_stop_the_build(lake, sell, warehouse, build_redshift):
    publish(lake, sell, JANUARY, (1, 2, 3), (1, 2))
    warehouse.fill()
    build_redshift("2020-01-01", "2020-02-01")
    # the track and the artist that only January's sales name leave; February's build holds February's sales alone
    publish(lake, sell, FEBRUARY, (1,), (1,))
    warehouse.fill()
    sentence = build_redshift("2020-02-01", "2020-03-01")
    assert "1 sold tracks and 1 sold artists are in the catalogue no more (1 sales of 0.50 USD" in sentence
    seen = "select track_id, last_seen_on from deftunes_serving.dim_songs where track_id <> 'unknown' order by 1"
    assert [(track, str(day)) for track, day in warehouse.query(seen)] == [("TR1", FEBRUARY), ("TR2", JANUARY)]
    seen = "select artist_name, last_seen_on from deftunes_serving.dim_artists where artist_id <> 'unknown' order by 1"
    assert [(name, str(day)) for name, day in warehouse.query(seen)] == [
        ("Artist 1", FEBRUARY),
        ("Artist 2", JANUARY),
    ]
    before = warehouse.content()
    lake.publish("users", JANUARY, [])
    lake.publish("users", FEBRUARY, [{"user_id": "u9"}])
    warehouse.fill()
    with pytest.raises(DataRejected, match="dim_users 2 → 0 members with sales, 2 would become unknown"):
        build_redshift("2020-02-01", "2020-03-01")
    assert warehouse.content() == before
    build_redshift("2020-02-01", "2020-03-01", "--allow-shrink", "users")
    assert warehouse.value("select count(*) from deftunes_serving.dim_users") == 2
