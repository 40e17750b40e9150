"""The published tables as DuckDB views: types, pruning, what is not there yet, and what must not be touched."""

from __future__ import annotations

import sqlite3
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from deftunes_contract.errors import RetryableError, StageError, UsageError
from deftunes_contract.registry import load, registry
from deftunes_contract.settings import LakeSettings
from deftunes_serving.lake_views import attach

DUCKDB_TYPES = {
    "string": "VARCHAR",
    "int": "INTEGER",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "decimal(10,2)": "DECIMAL(10,2)",
    "decimal(38,2)": "DECIMAL(38,2)",
}


@pytest.fixture
def connection():
    with duckdb.connect() as connection:
        yield connection


def fill(lake, sell):
    lake.publish("users", "2020-02-01", [{"user_id": "u0"}])
    lake.publish("songs", "2020-02-01", [{"track_id": "TR0"}])
    lake.publish("sessions", "2020-02-01", [sell("s0", 0, "TR0", "0.50"), sell("s0", 1, "TR0", "1.25")])
    lake.publish("quarantine", "2020-02-01", [{"entity": "sessions", "amount": Decimal("2.50")}])


@pytest.mark.parametrize("is_filled", [False, True], ids=["no tables yet", "tables"])
def test_views_have_the_contracts_columns_and_types(lake, sell, connection, is_filled):
    if is_filled:
        fill(lake, sell)
    attach(connection, lake.settings)
    for name in registry().tables:
        found = connection.execute(f"DESCRIBE deftunes_transform.{name}").fetchall()
        assert [(row[0], row[1]) for row in found] == [(c.name, DUCKDB_TYPES[c.type]) for c in load(name).columns]
        rows = connection.execute(f"SELECT count(*) FROM deftunes_transform.{name}").fetchall()
        assert rows == [((2 if name == "sessions" else 1) if is_filled else 0,)]


def test_a_table_with_nothing_on_main_is_empty_and_branches_are_never_seen(lake, sell, connection):
    table = lake.table("sessions")
    lake.publish("sessions", "2020-02-01", [sell("public", 0, "TR0", "0.50")])
    table.refresh()
    table.manage_snapshots().create_branch(table.current_snapshot().snapshot_id, "run_x_20200301").commit()
    table.append(table.scan().to_arrow(), branch="run_x_20200301")
    lake.table("users")  # created, nothing published
    attach(connection, lake.settings)
    assert connection.execute("SELECT session_id FROM deftunes_transform.sessions").fetchall() == [("public",)]
    assert connection.execute("SELECT * FROM deftunes_transform.users").fetchall() == []


def test_a_month_is_read_without_opening_the_files_of_the_others(lake, sell, connection):
    for month in (1, 2, 3):
        lake.publish("sessions", f"2020-0{month + 1}-01", [sell(f"s{month}", 0, "TR0", "0.50")])
    attach(connection, lake.settings)
    for other in (2, 4):
        (gone,) = lake.root.glob(f"transform_zone/**/ingest_on=2020-0{other}-01/*.parquet")
        gone.unlink()
    asked = "ingest_on > DATE '2020-02-01' AND ingest_on <= DATE '2020-03-01'"
    query = "SELECT session_id FROM deftunes_transform.sessions"
    assert connection.execute(f"{query} WHERE {asked}").fetchall() == [("s2",)]
    # the proof is worth something: without the filter the missing files are noticed
    with pytest.raises(duckdb.IOException):
        connection.execute(query).fetchall()


def test_views_stay_on_the_snapshot_that_was_public_when_they_were_made(lake, sell, connection):
    lake.publish("sessions", "2020-02-01", [sell("before", 0, "TR0", "0.50")])
    attach(connection, lake.settings)
    lake.publish("sessions", "2020-02-01", [sell("after", 0, "TR0", "0.50")])
    assert connection.execute("SELECT session_id FROM deftunes_transform.sessions").fetchall() == [("before",)]
    attach(connection, lake.settings)
    assert connection.execute("SELECT session_id FROM deftunes_transform.sessions").fetchall() == [("after",)]


def test_a_database_of_its_own_leaves_nothing_in_the_file_that_is_open(lake, sell, tmp_path):
    fill(lake, sell)
    file = tmp_path / "file.duckdb"
    with duckdb.connect(str(file)) as connection:
        attach(connection, lake.settings, database="elsewhere")
        total = connection.execute("SELECT sum(price) FROM elsewhere.deftunes_transform.sessions").fetchall()
        assert total == [(Decimal("1.75"),)]
    with duckdb.connect(str(file), read_only=True) as connection:
        assert connection.execute("SELECT * FROM duckdb_schemas() WHERE schema_name LIKE 'deftunes%'").fetchall() == []


def test_another_catalogs_tables_in_the_same_file_are_not_taken(lake, sell, connection):
    fill(lake, sell)
    with sqlite3.connect(lake.root / "catalog.db") as catalog:
        catalog.execute("UPDATE iceberg_tables SET catalog_name = 'other' WHERE table_name = 'sessions'")
    attach(connection, lake.settings)
    assert connection.execute("SELECT count(*) FROM deftunes_transform.sessions").fetchall() == [(0,)]
    assert connection.execute("SELECT count(*) FROM deftunes_transform.users").fetchall() == [(1,)]


def test_nothing_is_downloaded_or_installed(lake, connection, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    attach(connection, lake.settings)
    assert connection.execute("SELECT current_setting('autoinstall_known_extensions')").fetchall() == [(False,)]
    assert not (tmp_path / "home").exists()


def test_a_lake_without_a_catalog_says_so(connection, tmp_path):
    with pytest.raises(RetryableError, match=r"expected the lake's catalog at .*catalog\.db, found none"):
        attach(connection, LakeSettings(lake=str(tmp_path)))


def test_a_file_that_is_no_catalog_is_a_wrong_setting(connection, tmp_path):
    (tmp_path / "catalog.db").write_bytes(b"this is no SQLite file" * 100)
    with pytest.raises(UsageError, match="DEFTUNES_CATALOG"):
        attach(connection, LakeSettings(lake=str(tmp_path)))


def test_a_table_that_lost_a_column_breaks_its_contract(lake, sell, connection):
    fill(lake, sell)
    with lake.table("songs").update_schema() as update:
        update.delete_column("artist_mbid")
    with pytest.raises(StageError, match="published table songs .* contract 1.0.0.*artist_mbid") as fault:
        attach(connection, lake.settings)
    assert not isinstance(fault.value, RetryableError)


def test_a_metadata_file_that_is_gone_is_temporary(lake, sell, connection):
    fill(lake, sell)
    Path(lake.table("users").metadata_location).unlink()
    with pytest.raises(RetryableError, match="published table users"):
        attach(connection, lake.settings)


def test_columns_that_the_contract_does_not_know_are_left_out(lake, sell, connection):
    fill(lake, sell)
    from pyiceberg.types import StringType

    with lake.table("users").update_schema() as update:
        update.add_column("nickname", StringType())
    attach(connection, lake.settings)
    assert connection.execute("SELECT * FROM deftunes_transform.users").fetchone()[4] == date(2020, 2, 1)
    assert "nickname" not in [row[0] for row in connection.execute("DESCRIBE deftunes_transform.users").fetchall()]
