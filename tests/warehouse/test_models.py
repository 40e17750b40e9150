"""The project's own tests can fail: its unit tests on spoilt models, its data tests on spoilt tables."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb

from deftunes_serving.runner import DbtProject

PROJECT = Path(__file__).parents[2] / "jobs" / "dbt"

SPOILT_MODELS = (
    # no fault, but a unit test asks for the columns of staging, which is not stored beyond one command otherwise
    ("dbt_project.yml", "'published_lake' if target.type == 'duckdb' else target.database", "target.database"),
    ("macros/members.sql", "'unknown' {%", "'nobody' {%"),
    ("models/star/fact_session.sql", "{% if replaces_intervals() -%}", "{% if not replaces_intervals() -%}"),
    ("models/staging/int_catalogue.sql", "max(ingest_on)", "min(ingest_on)"),
    ("models/staging/int_catalogue.sql", "where row_rank = 1", ""),
    ("models/star/dim_artists.sql", "count(*) desc, length", "count(*), length"),
    ("models/star/dim_artists.sql", "by tracks desc, artist_name", "by artist_name desc"),
    ("models/star/dim_songs.sql", "from departed", "from departed where 1 = 0"),
    ("models/star/int_departed_songs.sql", "songs.ingest_on desc", "songs.ingest_on"),
    ("models/star/int_departed_artists.sql", "songs.ingest_on desc", "songs.ingest_on"),
    ("models/star/dim_users.sql", "ingest_on desc", "ingest_on"),
    ("models/star/dim_user_history.sql", "country_code, island\n", "country_code\n"),
    ("models/bi/int_sales.sql", "= songs.track_id", "= songs.song_id"),
    ("models/bi/sales_per_artist_vw.sql", "sum(price)", "max(price)"),
    ("models/bi/sales_per_country_vw.sql", "sum(price)", "max(price)"),
    ("models/bi/sales_per_country_at_sale_vw.sql", "< buyers.valid_to", "<= buyers.valid_to"),
    ("models/bi/user_activity_vw.sql", "count(distinct case", "count(case"),
    ("models/bi/music_preference_vw.sql", "case when is_liked then 1 end", "*"),
)
"""File of the project, what it says, what a careless change would say."""

SPOILT_TABLES = {
    "dim_users": "UPDATE {} SET country_code = NULL",
    "dim_user_history": "UPDATE {} SET country_code = NULL",
    "dim_songs": "UPDATE {} SET song_id = NULL",
    "dim_artists": "UPDATE {} SET artist_name = NULL",
    "fact_session": "UPDATE {} SET price = 9.99, user_id = NULL WHERE session_id = 's1'",
    "sales_per_artist_vw": "UPDATE {} SET artist_name = NULL",
    "sales_per_country_vw": "UPDATE {} SET country_code = NULL, session_month = 13",
    "sales_per_country_at_sale_vw": "UPDATE {} SET country_code = NULL, session_month = 13",
    "user_activity_vw": "UPDATE {} SET country_code = NULL",
    "music_preference_vw": "UPDATE {} SET country_code = NULL, like_percentage = 100.01",
    "restatement": "INSERT INTO {} (restated_at) VALUES ('2020-02-01'), ('2020-02-01')",
}
"""Relation -> how it is spoilt, after every row of it was doubled."""


def spoil(project: Path, *changes: tuple[str, str, str]) -> Path:
    """A copy of the dbt project with these changes."""
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("src"))
    for name, says, careless in changes:
        text = (project / name).read_text(encoding="utf-8")
        assert says in text, name
        (project / name).write_text(text.replace(says, careless), encoding="utf-8")
    return project


def statuses(results):
    return {result.node.name: str(result.status) for result in results}


def test_unit_tests_pass_and_each_of_them_fails_on_spoilt_models(dbt, dbt_home, golden, tmp_path):
    golden()
    asked = {"start": date(2019, 12, 1), "end": date(2020, 2, 1)}
    results = dbt.run("build", "--exclude-resource-type", "test", variables=asked)
    sound = statuses(result for result in results if result.node.resource_type == "unit_test")
    project = spoil(tmp_path / "dbt", *SPOILT_MODELS)
    careless = DbtProject(project, dbt_home / "spoilt", "embedded", dbt.environment)
    careless.run("run", "--full-refresh")
    spoilt = statuses(careless.run("test", "--resource-type", "unit_test"))
    assert sound == dict.fromkeys(spoilt, "pass")
    assert spoilt == dict.fromkeys(sound, "fail")
    assert len(sound) == 16


def test_each_data_test_finds_something_in_spoilt_tables(shop, lake, dbt):
    with duckdb.connect(str(lake.root / "building.duckdb")) as connection:
        connection.execute(f"ATTACH '{shop.serving}' AS sound (READ_ONLY); CREATE SCHEMA deftunes_serving")
        for name, change in SPOILT_TABLES.items():
            table = f"deftunes_serving.{name}"
            connection.execute(f"CREATE TABLE {table} AS FROM sound.{table} UNION ALL FROM sound.{table}")
            connection.execute(change.format(table))
    asked = {"start": date(2019, 12, 1), "end": date(2020, 2, 1)}
    beside = replace(dbt, environment={**dbt.environment, "DEFTUNES_DBT_SERVED": str(shop.serving)})
    found = statuses(beside.run("test", "--exclude-resource-type", "unit_test", variables=asked))
    # buyers, tracks and artists outside the dimensions are expected: they warn
    assert {name for name, status in found.items() if status == "warn"} == {
        "buyers_are_known_users",
        "sold_artists_are_in_the_catalogue",
        "sold_tracks_are_in_the_catalogue",
    }
    assert {status for status in found.values() if status != "warn"} == {"fail"}
    assert len(found) == 33


def test_dbts_own_delete_and_insert_would_leave_an_emptied_month(lake, dbt, dbt_home, sell, tmp_path):
    """Why the project has an incremental strategy of its own."""
    builtin = "'delete+insert', unique_key=['session_id', 'item_no']"
    project = spoil(tmp_path / "dbt", ("models/star/fact_session.sql", "'replace_intervals'", builtin))
    left = {}
    for which in (dbt, DbtProject(project, dbt_home / "naive", "embedded", dbt.environment)):
        lake.serving.unlink(missing_ok=True)
        for rows in ([sell("s1", 0, "TR0", "0.50")], []):
            lake.publish("sessions", "2020-02-01", rows)
            which.run("run", variables={"start": date(2020, 1, 1), "end": date(2020, 2, 1)})
        left[which.folder] = lake.value("SELECT count(*) FROM deftunes_serving.fact_session")
    assert left == {PROJECT: 0, project: 1}
