"""The traps that implementations of this system fall into: each naive way is shown to be wrong, then ours right."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
import yaml

from deftunes_contract.errors import DataRejected
from deftunes_serving.lake_views import attach

PROJECT = Path(__file__).parents[2] / "jobs" / "dbt"
SOLD = Decimal("8.09")


@pytest.fixture
def naive(shop):
    """Asks the published tables (`songs`, `users`, `sessions`) and the serving file (`serving.deftunes_serving.…`)."""
    with duckdb.connect() as connection:
        attach(connection, shop.settings)
        connection.execute(f"ATTACH '{shop.serving}' AS serving (READ_ONLY)")
        connection.execute("SET search_path = 'deftunes_transform'")
        yield lambda sql: connection.execute(sql).fetchall()


def test_trap_1_a_join_on_song_id_finds_nothing(naive, shop):
    join = "SELECT count(*) FROM serving.deftunes_serving.fact_session f JOIN serving.deftunes_serving.dim_songs d ON "
    assert naive(join + "f.song_id = d.song_id") == [(0,)]
    assert naive(join + "f.song_id = d.track_id") == [(9,)]  # 10 sales, one of a track that no catalogue had
    titles = shop.query(
        "SELECT sum(total_purchases) FROM deftunes_serving.music_preference_vw WHERE song_name = 'Jóga'"
    )
    assert titles == [(2,)]


def test_trap_2_a_session_is_no_key_of_the_fact(shop):
    assert shop.value("SELECT count(*) - count(DISTINCT session_id) FROM deftunes_serving.fact_session") == 4
    assert shop.value("SELECT count(*) - count(DISTINCT (session_id, item_no)) FROM deftunes_serving.fact_session") == 0


def test_trap_3_all_snapshots_of_the_catalogue_multiply_sales(naive, shop):
    join = "SELECT sum(s.price) FROM sessions s LEFT JOIN {} d ON s.song_id = d.track_id"
    assert naive(join.format("songs")) == [(Decimal("13.66"),)]
    assert naive(join.format("serving.deftunes_serving.dim_songs")) == [(SOLD,)]


def test_trap_3_a_user_reported_twice_multiplies_sales(naive, shop):
    join = "SELECT sum(s.price) FROM sessions s LEFT JOIN {} d ON s.user_id = d.user_id"
    assert naive(join.format("users")) == [(Decimal("10.60"),)]
    assert naive(join.format("serving.deftunes_serving.dim_users")) == [(SOLD,)]


def test_trap_3_a_rerun_changes_nothing(lake, golden, build):
    golden()
    build("2019-12-01", "2020-02-01")
    before = lake.content()
    golden()  # the pipeline runs again and publishes the same rows in new snapshots
    build("2019-12-01", "2020-02-01")
    assert lake.content() == before


def test_trap_4_spellings_of_an_artist_multiply_sales(naive, shop):
    spelled = "(SELECT DISTINCT artist_id, artist_name FROM songs WHERE ingest_on = DATE '2020-02-01')"
    join = "SELECT sum(s.price) FROM sessions s LEFT JOIN {} d ON s.artist_id = d.artist_id"
    assert naive(join.format(spelled)) == [(Decimal("13.60"),)]
    assert naive(join.format("serving.deftunes_serving.dim_artists")) == [(SOLD,)]
    assert shop.value("SELECT artist_name FROM deftunes_serving.dim_artists WHERE artist_id = 'AR-2'") == "Bjork"


@pytest.mark.parametrize("model", sorted(path.stem for path in PROJECT.glob("models/**/*.sql")))
def test_trap_7_models_name_each_other_by_ref_and_the_lake_by_source(model):
    (file,) = PROJECT.glob(f"models/**/{model}.sql")
    sql = re.sub(r"--.*", "", file.read_text(encoding="utf-8"))
    assert re.search(r"\{\{ (ref|source)\(", sql)
    # what follows FROM or JOIN is a step of the query itself, or ref() / source()
    steps = {*re.findall(r"(\w+) as \(", sql), "sales.session_start_time"}  # extract(year from …) is no relation
    assert set(re.findall(r"\b(?:from|join)\s+([\w.\"]+)", sql)) <= steps
    assert re.search(r"source\(", sql) is None or model.startswith("stg_")
    assert "deftunes_serving" not in sql


def test_trap_7_a_build_runs_the_tests_and_publishes_nothing_that_fails_them(lake, golden, sell, build):
    golden()
    lake.publish("sessions", "2020-02-01", [sell("s9", 0, "TR-1", "5.00", user="u-ada")])
    with pytest.raises(DataRejected, match="prices_are_between_0_and_2"):
        build("2020-01-01", "2020-02-01")
    assert not lake.serving.exists()


def test_the_project_needs_no_package_from_a_hub():
    assert not list(PROJECT.glob("packages.y*ml"))
    assert yaml.safe_load((PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))["name"] == "deftunes"
