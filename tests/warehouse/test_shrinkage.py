"""A build that would show readers less than the public sales refer to stops; what was meant passes."""

from __future__ import annotations

from datetime import date

import pytest

from deftunes_contract.errors import DataRejected, UsageError
from deftunes_serving.lineage import ever_held, rolled_back

JANUARY, FEBRUARY = "2020-02-01", "2020-03-01"
FIRST, SECOND = ("2020-01-01", "2020-02-01"), ("2020-02-01", "2020-03-01")


def songs(*numbers):
    return [
        {"track_id": f"TR{n}", "song_id": f"SO{n}", "artist_id": f"AR{n}", "artist_name": f"Artist {n}"}
        for n in numbers
    ]


def publish(lake, sell, ingest_on, users, tracks=range(11)):
    """One month: each of these users buys the track of the same number; `users` are numbers."""
    lake.publish("users", ingest_on, [{"user_id": f"u{n}", "country_code": "FR"} for n in users])
    lake.publish("songs", ingest_on, songs(*tracks))
    sold = [sell(f"{ingest_on}-{n}", 0, f"TR{n}", "0.50", user=f"u{n}", artist_id=f"AR{n}") for n in users]
    lake.publish("sessions", ingest_on, sold)


@pytest.fixture
def served(lake, sell, build):
    """January, eleven buyers, built; tells the bytes of the serving file."""
    publish(lake, sell, JANUARY, range(11))
    build(*FIRST)
    return lake.serving.read_bytes


@pytest.fixture
def begin_anew(lake):
    """The catalog is lost and a new one is begun beside the old tables."""

    def forget(keep=()):
        for name in ("users", "songs", "sessions"):
            if name not in keep:
                lake.catalog.drop_table(f"{lake.database}.{name}")

    return forget


def test_a_lost_catalog_does_not_empty_the_dimensions(lake, sell, build, served, begin_anew):
    before = served()
    begin_anew()
    publish(lake, sell, FEBRUARY, [20], tracks=[20])
    with pytest.raises(DataRejected) as refused:
        build(*SECOND)
    sentence = str(refused.value)
    assert "dim_users 11 → 1 members with sales, 11 would become unknown" in sentence
    assert "dim_songs 11 → 1" in sentence
    assert "dim_artists 11 → 1" in sentence
    assert f"{lake.serving} is as it was" in sentence
    assert "--allow-shrink users" in sentence
    assert served() == before


def test_nor_does_a_full_refresh_pass_by(lake, sell, build, served, begin_anew):
    """The facts go with their members then: the months are compared too."""
    before = served()
    begin_anew()
    publish(lake, sell, FEBRUARY, [20], tracks=[20])
    with pytest.raises(DataRejected, match=r"2020-01 11 → 0 sales \(5\.50 → 0\.00 USD\).*--allow-shrink sessions"):
        build(*SECOND, "--full-refresh")
    assert served() == before


def test_nor_does_asking_for_the_very_month_that_is_lost(lake, build, served, begin_anew):
    before = served()
    begin_anew()
    for name in ("users", "songs", "sessions"):
        lake.table(name)
    with pytest.raises(DataRejected, match="2020-01 11 → 0 sales"):
        build(*FIRST)
    assert served() == before


def test_an_emptied_catalog_file_is_a_lost_one(lake, build, served, begin_anew):
    before = served()
    begin_anew()
    with pytest.raises(DataRejected, match="2020-01 11 → 0 sales"):
        build(*FIRST)
    assert served() == before


def test_the_cure_is_to_run_the_months_again(lake, sell, build, served, begin_anew):
    begin_anew()
    publish(lake, sell, FEBRUARY, [20], tracks=range(21))
    publish(lake, sell, JANUARY, range(11))
    build(FIRST[0], SECOND[1])
    assert lake.value("SELECT count(*) FROM deftunes_serving.dim_users") == 13


def test_one_lost_table_is_enough(lake, sell, build, served, begin_anew):
    begin_anew(keep=("songs", "sessions"))
    publish(lake, sell, FEBRUARY, [20], tracks=range(21))
    with pytest.raises(DataRejected, match="dim_users 11 → 1 members with sales") as refused:
        build(*SECOND)
    assert "dim_songs" not in str(refused.value)


def test_a_restatement_that_drops_buyers_stops_and_passes_by_name(lake, sell, build, served):
    publish(lake, sell, FEBRUARY, range(11))
    build(*SECOND)
    before = served()
    lake.publish("users", JANUARY, [{"user_id": "u0"}])
    lake.publish("users", FEBRUARY, [{"user_id": "u1"}])
    with pytest.raises(DataRejected, match="dim_users 11 → 2 members with sales, 9 would become unknown"):
        build(FIRST[0], SECOND[1])
    assert served() == before
    with pytest.raises(DataRejected, match="dim_users"):
        build(FIRST[0], SECOND[1], "--allow-shrink", "songs")
    with pytest.raises(UsageError, match="--allow-shrink users:2020-03"):
        build(FIRST[0], SECOND[1], "--allow-shrink", "users:2020-03")
    build(FIRST[0], SECOND[1], "--allow-shrink", "users:2020-01")
    assert lake.value("SELECT count(*) FROM deftunes_serving.dim_users") == 3


def test_a_lost_month_passes_by_name(lake, sell, build, served, begin_anew):
    begin_anew()
    publish(lake, sell, FEBRUARY, [20], tracks=[20])
    build(*SECOND, "--full-refresh", "--allow-shrink", "sessions")
    assert lake.value("SELECT count(*) FROM deftunes_serving.fact_session") == 1


def test_members_that_nothing_refers_to_may_go(lake, sell, build, served):
    lake.publish("users", JANUARY, [{"user_id": f"u{n}"} for n in range(12)])
    build(*FIRST)
    lake.publish("users", JANUARY, [{"user_id": f"u{n}"} for n in range(11)])
    build(*FIRST)
    assert lake.value("SELECT count(*) FROM deftunes_serving.dim_users") == 12


def test_a_month_that_was_emptied_in_its_own_table_is_no_loss(lake, build, served):
    lake.publish("sessions", JANUARY, [])
    build(*FIRST, "--full-refresh")
    assert lake.value("SELECT count(*) FROM deftunes_serving.fact_session") == 0
    assert ever_held(lake.settings, "sessions", [date(2020, 2, 1), date(2020, 3, 1)]) == {date(2020, 2, 1)}


def test_a_rollback_of_the_asked_month_is_meant(lake, sell, build, served):
    """As deftunes_lake.rollback marks it; of another month it is no excuse."""
    publish(lake, sell, FEBRUARY, range(11))
    build(*SECOND)
    for day in (JANUARY, FEBRUARY):
        lake.publish("users", day, [{"user_id": "u0"}])
    table = lake.table("users")
    rows = table.scan(row_filter=f"ingest_on = '{JANUARY}'").to_arrow()
    table.overwrite(rows, f"ingest_on = '{JANUARY}'", snapshot_properties={"deftunes-rollback": JANUARY})
    assert rolled_back(lake.settings, "users", [date(2020, 2, 1), date(2020, 3, 1)]) == {date(2020, 2, 1)}
    with pytest.raises(DataRejected, match="dim_users"):
        build(*SECOND)
    build(*FIRST)
    assert lake.value("SELECT count(*) FROM deftunes_serving.dim_users") == 2


def test_a_publication_after_a_rollback_ends_the_excuse(lake, served):
    table = lake.table("users")
    rows = table.scan().to_arrow()
    table.overwrite(rows, snapshot_properties={"deftunes-rollback": JANUARY})
    table.overwrite(rows, snapshot_properties={"deftunes.ingest-on": JANUARY})
    assert rolled_back(lake.settings, "users", [date(2020, 2, 1)]) == set()
