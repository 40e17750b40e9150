"""The stand-in of Redshift itself: it takes what Redshift takes, hides nothing that was said, and shows the lake."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import closing
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import psutil
import psycopg
import pytest
import redshift_connector
import redshift_standin
from redshift_standin.external import fill
from redshift_standin.rewriting import rewrite

from deftunes_contract.registry import load, registry
from deftunes_serving.lake_views import attach
from deftunes_serving.runner import DbtProject

PLACED = """
create table spot.placed (id integer not null encode az64, word varchar(max) encode zstd)
backup no diststyle key distkey (id) compound sortkey(id, word)
"""
LITERAL = "it's distkey(id) with no schema binding, varchar(max) dateadd(month, 1, x) -- encode zstd"
AWKWARD = (
    "",
    "a\tb",
    "line\nbreak\r",
    "back\\slash \\N \\.",
    "quote \" and ' , comma",
    "Ünïcødé 漢字 🎵",
    " \x01\x7f ",
    "NULL",
)


@pytest.fixture(scope="module")
def redshift(tmp_path_factory):
    """One server for all tests of this file: it takes two seconds to start."""
    with redshift_standin.standin(tmp_path_factory.mktemp("standin")) as server:
        yield server


@pytest.fixture
def connection(redshift):
    """What the project's own code gets from the driver; schema `spot` is empty."""
    with redshift.direct() as server:
        server.execute("DROP SCHEMA IF EXISTS spot CASCADE")
    with closing(connect(redshift)) as connection:
        ask(connection, "create schema spot")
        redshift.statements.clear()
        yield connection


def connect(redshift, **changed):
    given = {"user": redshift.user, "password": redshift.password, "database": redshift.database} | changed
    # without a name the driver searches the source text of the whole stack for one
    connection = redshift_connector.connect(
        host=redshift.host, port=redshift.port, ssl=False, application_name="tests", **given
    )
    connection.autocommit = True
    return connection


def ask(connection, sql, *values):
    with closing(connection.cursor()) as cursor:
        cursor.execute(sql, values or None)
        return [tuple(row) for row in cursor.fetchall()] if cursor.description else []


def test_the_driver_gets_in_with_the_right_password_only(redshift):
    """A build with a wrong password must fail here as it does there."""
    with closing(connect(redshift)) as connection:
        assert (b"server_version", b"8.0.2") in connection.parameter_statuses
        assert ask(connection, "select current_user::text") == [("deftunes_dbt",)]
    with closing(connect(redshift, user="analyst")) as connection:
        assert ask(connection, "select pg_has_role('readers', 'member')") == [(True,)]
    for _ in range(20):  # the reason was lost on the way one time in six
        with pytest.raises(redshift_connector.Error, match="password authentication failed"):
            connect(redshift, password="another")


def test_tls_is_refused_as_a_server_without_it_does(redshift):
    """The driver asks first; without an answer to that it would hang."""
    with pytest.raises(redshift_connector.Error, match="refuses SSL"):
        redshift_connector.connect(
            host=redshift.host, port=redshift.port, user=redshift.user, password=redshift.password, database="deftunes"
        )


@pytest.mark.parametrize(
    "statement",
    [
        PLACED,
        "create table spot.t (id integer distkey sortkey, word varchar(9)) diststyle key",
        "create table spot.t diststyle all interleaved sortkey (one) as (select 1 as one)",
        "create table spot.t diststyle even sortkey auto encode auto as select 1 as one",
        "create view spot.v as (select 1 as one) with no schema binding",
        "create external schema if not exists spot from data catalog database 'x' iam_role default region 'eu-west-1'",
        "/* of dbt */ create external schema if not exists spot from data catalog database 'a;b' iam_role 'arn:x'",
        "set query_group to 'deftunes'",
        "/* of dbt */ SET query_group TO 'deftunes'",
        "set query_group = 'deftunes'",
        "reset query_group",
        "grant usage on schema spot to group readers",
        "grant usage on schema spot to role readers",
        "grant usage on schema spot to group readers, role readers",
        "select dateadd(month, -1, getdate()), datediff(day, getdate(), getdate())",
        "select dateadd(QTR, 1, date '2020-01-31'), date_part(mon, getdate())",
    ],
)
def test_what_redshift_takes_is_taken(connection, statement):
    """Every clause that the adapter or the project says."""
    ask(connection, statement)


@pytest.mark.parametrize("change", ["sortkey (id)", "compound sortkey (id, word)", "diststyle all", "distkey id"])
def test_a_change_of_placement_changes_nothing(connection, change):
    ask(connection, PLACED)
    ask(connection, f"alter table spot.placed alter {change}")
    assert ask(connection, "select * from spot.placed") == []


def test_varchar_max_is_the_longest_that_redshift_has(connection):
    ask(connection, PLACED)
    found = ask(
        connection,
        "select character_maximum_length from information_schema.columns "
        "where table_schema = 'spot' and table_name = 'placed' and column_name = 'word'",
    )
    assert found == [(65535,)]


def test_parts_of_dates_count_boundaries_as_redshift_does(connection):
    """Redshift's DATEDIFF counts how many boundaries lie between, and DATEADD keeps to the month's end."""
    ((moved, *counted),) = ask(
        connection,
        "select dateadd(month, -1, date '2020-03-31'), datediff(year, date '2019-12-31', date '2020-01-01'), "
        "datediff(quarter, date '2019-12-31', date '2021-04-01'), "
        "datediff(month, date '2020-01-31', date '2020-02-01'), "
        "datediff(day, timestamp '2020-01-01 23:59', timestamp '2020-01-02 00:01'), "
        "datediff(hour, timestamp '2020-01-01 00:59', timestamp '2020-01-01 01:00')",
    )
    assert moved == datetime(2020, 2, 29)
    assert counted == [1, 6, 1, 1, 1]


@pytest.mark.parametrize("literal", ["'it''s {}'", "E'it\\'s {}'", "$${}$$", "$dbt_comment$it's {}$dbt_comment$"])
def test_literals_names_and_comments_stay(connection, literal):
    """A test of text that holds SQL would otherwise pass or fail for a reason of the stand-in's own."""
    held = LITERAL.replace("it's ", "")
    text = literal.format(held)
    assert rewrite(f"create table t as select {text}") == f"create table t as select {text}"
    assert ask(connection, f"/* {held} */ select {text} -- {held}")[0][0].endswith(held)
    assert ask(connection, "select %s::text", LITERAL) == [(LITERAL,)]


def test_columns_may_be_called_like_clauses(connection):
    ask(connection, 'create table spot.t ("distkey" integer, "encode zstd" integer) distkey ("distkey")')
    ask(connection, "insert into spot.t values (1, 2)")
    assert ask(connection, 'select "distkey", "encode zstd" as sortkey from spot.t') == [(1, 2)]
    assert ask(connection, "select encode from (select 3 as encode) as s") == [(3,)]


def test_every_statement_is_kept_as_it_was_said(redshift, connection):
    """Also one that the driver says again by the name of its prepared statement."""
    with closing(connect(redshift)) as other:
        for one in (connection, connection, other):
            ask(one, "begin")
            ask(one, "select 1 /* encode zstd */")
            ask(one, "commit")
    assert [s.text for s in redshift.statements] == ["begin", "select 1 /* encode zstd */", "commit"] * 3
    clients = [s.client for s in redshift.statements]
    assert clients == [clients[0]] * 6 + [clients[-1]] * 3
    assert clients[0] != clients[-1]
    assert sorted(redshift.statements, key=lambda s: s.at) == redshift.statements
    redshift.statements.clear()
    assert redshift.statements == []


def test_a_connection_is_cut_before_the_statement_and_others_live(redshift, connection):
    """What the statement would have done is not done, what its transaction did is undone."""
    ask(connection, "create table spot.t (id integer)")
    with closing(connect(redshift)) as other, redshift.cut_before(r"^INSERT into spot\.t\b", nth=2) as met:
        ask(connection, "begin")
        ask(connection, "insert into spot.t values (%s)", 1)
        assert met == []
        with pytest.raises((redshift_connector.Error, OSError)):
            ask(connection, "insert into spot.t values (%s)", 2)  # the same text: it goes out as a name alone
        assert len(met) == 1
        assert ask(other, "select count(*) from spot.t") == [(0,)]
        ask(other, "insert into spot.t values (3)")  # once only
    assert len(met) == 1


def test_the_external_tables_show_the_very_rows_of_the_lake(lake, golden, redshift):
    golden()
    rows = [{"user_id": f"u{n}", "user_name": text, "place_name": text} for n, text in enumerate(AWKWARD)]
    exact = {"user_id": "exact", "place_name": None, "latitude": 0.1 + 0.2, "longitude": -1e-300}
    lake.publish("users", "2020-03-01", [*rows, exact | {"user_since": datetime(1999, 12, 31, 23, 59, 59, 999999)}])
    refused = {"entity": "sessions", "amount": Decimal("-123456789012345678901234567890123456.78")}
    lake.publish("quarantine", "2020-03-01", [refused])
    fill(redshift, lake.settings)
    assert shown(redshift) == published(lake)
    assert len(shown(redshift)["users"]) > len(AWKWARD)


def test_filling_again_replaces_rows_and_keeps_views(lake, golden, redshift):
    """Views hang on the tables; a dropped table would take them along."""
    golden("2020-01-01")
    fill(redshift, lake.settings)
    assert shown(redshift)["quarantine"] == []  # not in the lake yet
    with redshift.direct() as server:
        server.execute("CREATE OR REPLACE VIEW public.hanging AS SELECT * FROM deftunes_transform.sessions")
        before = server.execute("SELECT count(*) FROM public.hanging").fetchone()
        golden("2020-02-01")
        fill(redshift, lake.settings)
        assert shown(redshift) == published(lake)
        assert server.execute("SELECT count(*) FROM public.hanging").fetchone() != before
        server.execute("DROP VIEW public.hanging")


def test_some_months_alone_are_filled(lake, golden, redshift, sell):
    golden()
    fill(redshift, lake.settings)
    old = shown(redshift)
    for month in ("2020-01-01", "2020-02-01"):
        lake.publish("sessions", month, [sell(f"new-{month}", 0, "TR-1", "0.40")])
    fill(redshift, lake.settings, months=["2020-02-01"])
    (ingest_on,) = (n for n, column in enumerate(load("sessions").columns) if column.name == "ingest_on")
    of = {
        day: [row for row in shown(redshift)["sessions"] if row[ingest_on] == day]
        for day in (date(2020, 1, 1), date(2020, 2, 1))
    }
    assert of[date(2020, 1, 1)] == [row for row in old["sessions"] if row[ingest_on] == date(2020, 1, 1)]
    assert of[date(2020, 2, 1)] == [row for row in published(lake)["sessions"] if row[ingest_on] == date(2020, 2, 1)]


def shown(redshift):
    with redshift.direct() as server:
        return {
            name: in_order(server.execute(f"SELECT {columns(name)} FROM deftunes_transform.{name}"))
            for name in registry().tables
        }


def published(lake):
    with duckdb.connect() as connection:
        attach(connection, lake.settings)
        return {
            name: in_order(connection.execute(f"SELECT {columns(name)} FROM deftunes_transform.{name}"))
            for name in registry().tables
        }


def columns(name):
    return ", ".join(f'"{column.name}"' for column in load(name).columns)


def in_order(cursor):
    return sorted(cursor.fetchall(), key=repr)


PROFILES = """
small:
  target: redshift
  outputs:
    redshift:
      type: redshift
      host: "{{ env_var('REDSHIFT_HOST') }}"
      port: "{{ env_var('REDSHIFT_PORT') | as_number }}"
      user: "{{ env_var('REDSHIFT_USER') }}"
      password: "{{ env_var('REDSHIFT_PASSWORD') }}"
      dbname: deftunes
      schema: spot
      sslmode: disable
      query_group: small
      threads: 1
"""
PROJECT = """
name: small
profile: small
version: 1.0.0
flags: {send_anonymous_usage_stats: false}
models:
  small:
    +persist_docs: {relation: true, columns: true}
    +post-hook: ["grant usage on schema spot to group readers", "grant select on {{ this }} to group readers"]
"""
MODELS = {
    "whole.sql": "{{ config(materialized='table', dist='id', sort=['id']) }} select 1 as id, 'a' as word",
    "late.sql": "{{ config(materialized='view', bind=false) }} select id, word from {{ ref('whole') }}",
    "grown.sql": (
        "{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key='id') }}"
        " select id, {{ '2' if is_incremental() else '1' }} as round from {{ ref('late') }}"
    ),
    "models.yml": (
        "models:\n"
        "  - name: whole\n    description: A table, not a sortkey (id) with no schema binding.\n"
        "    columns: [{name: id, description: its key, data_tests: [unique, not_null]}]\n"
    ),
}


@pytest.fixture
def small(tmp_path, redshift, connection):
    """A dbt project with one of everything that the real one has, as the project itself runs dbt."""
    folder = tmp_path / "small"
    for path, text in {"dbt_project.yml": PROJECT, "profiles/profiles.yml": PROFILES}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    (folder / "models").mkdir()
    for name, text in MODELS.items():
        (folder / "models" / name).write_text(text, encoding="utf-8")
    given = {"REDSHIFT_HOST": redshift.host, "REDSHIFT_PORT": str(redshift.port)}
    given |= {"REDSHIFT_USER": redshift.user, "REDSHIFT_PASSWORD": redshift.password}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in given.items():
            patch.setenv(name, value)  # while parsing too
        yield DbtProject(folder, tmp_path / "home", "redshift", given)


def test_the_real_adapter_builds_twice_and_documents(small, redshift):
    """dbt-redshift itself, unchanged: table, late-binding view, increment, data tests, grants, comments, docs."""
    for _ in range(2):
        redshift.statements.clear()
        results = small.run("build")
        assert {result.node.name: str(result.status) for result in results} == {
            "whole": "success",
            "late": "success",
            "grown": "success",
            "unique_whole_id": "pass",
            "not_null_whole_id": "pass",
        }
    said = [" ".join(statement.text.split()) for statement in redshift.statements]
    for pattern in (
        r"diststyle key distkey \(id\)",
        r"with no schema binding",
        r"delete from .*grown",
        r"^SET query_group",
    ):
        assert [line for line in said if re.search(pattern, line)], pattern
    with redshift.direct() as server:
        assert server.execute("SELECT id, round FROM spot.grown").fetchall() == [(1, 2)]
        assert server.execute("SELECT obj_description('spot.whole'::regclass)").fetchone() == (
            "A table, not a sortkey (id) with no schema binding.",
        )
    analyst = psycopg.conninfo.make_conninfo(redshift.uri, user="analyst", password=redshift.password)
    with psycopg.connect(analyst) as reader:
        assert reader.execute("SELECT id FROM spot.whole").fetchall() == [(1,)]
    small.run("docs generate")
    catalog = (small.home / "redshift" / "catalog.json").read_text(encoding="utf-8")
    assert all(f'"schema": "spot", "name": "{name}"' in catalog for name in ("whole", "late", "grown"))


def test_by_hand_it_serves_until_it_is_told_to_stop(tmp_path):
    """And leaves nothing: no process, no data."""
    support = str(Path(redshift_standin.__file__).parents[1])
    command = [sys.executable, "-m", "redshift_standin", "--port", "0", "--data", str(tmp_path / "data")]
    given = os.environ | {"PYTHONPATH": support, "REDSHIFT_PASSWORD": "by-hand"}
    with subprocess.Popen(command, env=given, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ready = re.match(r"ready: ([\d.]+):(\d+) database deftunes user deftunes_dbt,", process.stdout.readline())
            assert ready
            where = {"host": ready[1], "port": int(ready[2]), "user": "deftunes_dbt", "database": "deftunes"}
            with closing(redshift_connector.connect(**where, password="by-hand", ssl=False)) as connection:
                assert ask(connection, "select 1") == [(1,)]
                server = int((tmp_path / "data" / "pg" / "postmaster.pid").read_text().split("\n", 1)[0])
                process.send_signal(signal.SIGTERM)  # with a client still there
                assert process.wait(60) == 0
        finally:
            process.kill()
    assert list((tmp_path / "data").iterdir()) == []
    # init may not have buried it yet
    assert not psutil.pid_exists(server) or psutil.Process(server).status() == psutil.STATUS_ZOMBIE
