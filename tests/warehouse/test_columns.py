"""What analysts were promised: names, order and types of every column, and nothing else in the serving file."""

from __future__ import annotations

import shutil

import duckdb
import pytest

PROMISED = {
    "fact_session": [
        ("session_id", "VARCHAR"),
        ("user_id", "VARCHAR"),
        ("song_id", "VARCHAR"),
        ("artist_id", "VARCHAR"),
        ("price", "DECIMAL(10,2)"),
        ("liked", "BOOLEAN"),
        ("liked_since", "TIMESTAMP"),
        ("session_start_time", "TIMESTAMP"),
        ("item_no", "INTEGER"),
        ("ingest_on", "DATE"),
    ],
    "restatement": [
        ("restated_at", "TIMESTAMP"),
        ("ingest_on", "DATE"),
        ("country_code", "VARCHAR"),
        ("artist_name", "VARCHAR"),
        ("items_before", "BIGINT"),
        ("items_now", "BIGINT"),
        ("sales_before", "DECIMAL(38,2)"),
        ("sales_now", "DECIMAL(38,2)"),
        ("sales_change", "DECIMAL(38,2)"),
    ],
    "dim_users": [
        ("user_id", "VARCHAR"),
        ("user_lastname", "VARCHAR"),
        ("user_name", "VARCHAR"),
        ("user_since", "TIMESTAMP"),
        ("place_name", "VARCHAR"),
        ("country_code", "VARCHAR"),
    ],
    "dim_user_history": [
        ("user_id", "VARCHAR"),
        ("valid_from", "TIMESTAMP"),
        ("valid_to", "TIMESTAMP"),
        ("is_current", "BOOLEAN"),
        ("user_lastname", "VARCHAR"),
        ("user_name", "VARCHAR"),
        ("user_since", "TIMESTAMP"),
        ("place_name", "VARCHAR"),
        ("country_code", "VARCHAR"),
    ],
    "dim_songs": [
        ("song_id", "VARCHAR"),
        ("track_id", "VARCHAR"),
        ("title", "VARCHAR"),
        ("release", "VARCHAR"),
        ("year", "INTEGER"),
        ("artist_id", "VARCHAR"),
        ("last_seen_on", "DATE"),
    ],
    "dim_artists": [
        ("artist_id", "VARCHAR"),
        ("artist_mbid", "VARCHAR"),
        ("artist_name", "VARCHAR"),
        ("last_seen_on", "DATE"),
    ],
    "sales_per_artist_vw": [
        ("session_year", "INTEGER"),
        ("artist_name", "VARCHAR"),
        ("total_sales", "DECIMAL(38,2)"),
    ],
    "sales_per_country_vw": [
        ("session_month", "INTEGER"),
        ("session_year", "INTEGER"),
        ("country_code", "VARCHAR"),
        ("total_sales", "DECIMAL(38,2)"),
    ],
    "sales_per_country_at_sale_vw": [
        ("session_month", "INTEGER"),
        ("session_year", "INTEGER"),
        ("country_code", "VARCHAR"),
        ("total_sales", "DECIMAL(38,2)"),
    ],
    "user_activity_vw": [
        ("user_id", "VARCHAR"),
        ("user_name", "VARCHAR"),
        ("user_lastname", "VARCHAR"),
        ("country_code", "VARCHAR"),
        ("total_sessions", "BIGINT"),
        ("active_days", "BIGINT"),
        ("total_spent", "DECIMAL(38,2)"),
        ("avg_purchase_value", "DECIMAL(38,4)"),
        ("last_activity_date", "DATE"),
        ("liked_songs_count", "BIGINT"),
    ],
    "music_preference_vw": [
        ("artist_name", "VARCHAR"),
        ("song_name", "VARCHAR"),
        ("total_purchases", "BIGINT"),
        ("liked_count", "BIGINT"),
        ("like_percentage", "DECIMAL(38,2)"),
        ("avg_price", "DECIMAL(38,4)"),
        ("country_code", "VARCHAR"),
        ("purchase_month", "INTEGER"),
        ("purchase_year", "INTEGER"),
    ],
}


@pytest.mark.parametrize("relation", sorted(PROMISED))
def test_columns_are_those_promised_in_their_order(shop, relation):
    described = shop.query(f"DESCRIBE deftunes_serving.{relation}")
    assert [(row[0], row[1]) for row in described] == PROMISED[relation]


def test_the_serving_file_holds_the_star_and_the_views_and_nothing_else(shop):
    found = shop.query("SELECT table_schema, table_name, table_type FROM information_schema.tables")
    kinds = {name: "VIEW" if name.endswith("_vw") else "BASE TABLE" for name in PROMISED}
    assert sorted(found) == sorted(("deftunes_serving", name, kind) for name, kind in kinds.items())


def test_views_work_under_whatever_name_the_file_is_opened(shop, tmp_path):
    moved = tmp_path / "figures-of-today.duckdb"
    shutil.copy(shop.serving, moved)
    total = "SELECT sum(total_sales) FROM {}deftunes_serving.sales_per_artist_vw"
    with duckdb.connect(str(moved), read_only=True) as connection:
        direct = connection.execute(total.format("")).fetchall()
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{moved}' AS figures (READ_ONLY)")
        attached = connection.execute(total.format("figures.")).fetchall()
    assert direct == attached == shop.query("SELECT sum(price) FROM deftunes_serving.fact_session")
