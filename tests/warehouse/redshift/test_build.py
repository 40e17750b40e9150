"""The whole project through the real dbt-redshift adapter: the numbers, the order of things, what readers may see."""

from __future__ import annotations

import csv
import json
import random
import re
from datetime import date
from pathlib import Path

import pytest
from random_shop import random_month
from redshift_dialect import findings

from deftunes_contract.errors import DataRejected
from deftunes_contract.interval import Interval
from deftunes_serving.__main__ import run

MONTHS = tuple(Interval.months(date(2020, 1, 1), date(2020, 4, 1)))
GOLDEN = Path(__file__).parents[1] / "golden"
VIEWS = sorted(file.stem for file in GOLDEN.glob("*_vw.csv"))
TABLES = ["dim_artists", "dim_songs", "dim_user_history", "dim_users", "fact_session", "restatement"]


def as_text(rows):
    return sorted(tuple("" if value is None else str(value) for value in row) for row in rows)


@pytest.fixture
def both(lake, warehouse, build_redshift, monkeypatch):
    """Build embedded and on the stand-in, and compare every table and view, to the cent; returns what both show."""

    def build(start, end, *options):
        warehouse.fill()
        build_redshift(start, end, *options)
        with monkeypatch.context() as embedded:
            embedded.setenv("DEFTUNES_DBT_TARGET", "embedded")
            run(["build", "--start", start, "--end", end, *options])
        shown = {}
        for name in [*TABLES, *VIEWS]:
            columns = [
                column for (column,) in lake.query(f"SELECT column_name FROM (DESCRIBE deftunes_serving.{name})")
            ]
            if name == "restatement":
                columns.remove("restated_at")  # when each of the two noticed
            query = f"SELECT {', '.join(columns)} FROM deftunes_serving.{name}"
            shown[name] = as_text(warehouse.query(query))
            assert shown[name] == as_text(lake.query(query)), name
        return shown

    return build


def test_every_view_shows_the_golden_rows_on_both(golden, both):
    golden()
    shown = both("2019-12-01", "2020-02-01")
    assert len(VIEWS) == 5
    for view in VIEWS:
        with (GOLDEN / f"{view}.csv").open(encoding="utf-8", newline="") as file:
            assert shown[view] == as_text(list(csv.reader(file))[1:]), view


def test_everything_the_project_has_runs_on_the_adapter(golden, warehouse, dbt_redshift):
    """Unit tests too, which a build leaves out."""
    golden()
    warehouse.fill()
    asked = {"start": date(2019, 12, 1), "end": date(2020, 2, 1)}
    results = dbt_redshift.run("build", "--full-refresh", variables=asked)
    kinds = {}
    for result in results:
        kinds.setdefault(str(result.node.resource_type), []).append(str(result.status))
    assert [(r.node.name, r.message) for r in results if str(r.status) in ("fail", "error", "runtime error")] == []
    assert set(kinds) == {"model", "test", "unit_test", "exposure"}
    assert set(kinds["model"]) == {"success"}
    assert set(kinds["unit_test"]) == {"pass"}
    assert set(kinds["test"]) == {"pass", "warn"}


@pytest.mark.parametrize("seed", range(2))
def test_random_worlds_show_the_same_whatever_the_order_of_months(lake, warehouse, both, seed):
    dice = random.Random(seed)
    published = dice.sample(MONTHS, len(MONTHS))
    for month in published:
        for name, rows in random_month(dice, month).items():
            lake.publish(name, month.ingest_on, rows)
        shown = both(str(month.start), str(month.end))
    restated = dice.choice(MONTHS)
    for name, rows in random_month(dice, restated).items():
        lake.publish(name, restated.ingest_on, rows)
    # the world is thrown anew, so people and sales of the month may be fewer
    fewer = [word for entity in ("users", "songs", "sessions") for word in ("--allow-shrink", entity)]
    step_by_step = both(str(restated.start), str(restated.end), *fewer)
    assert step_by_step != shown
    in_one_go = both("2020-01-01", "2020-04-01", "--full-refresh", *fewer)
    del step_by_step["restatement"], in_one_go["restatement"]
    assert in_one_go == step_by_step


def test_a_failed_test_leaves_what_readers_see(lake, built, build_redshift, sell):
    before = built.content()
    lake.publish("sessions", "2020-02-01", [sell(f"bad{n}", 0, "TR-1", "2.50", user="u-ada") for n in range(3)])
    built.fill()
    built.run()
    with pytest.raises(
        DataRejected, match=r"prices_are_between_0_and_2 .*3 failing rows.*deftunes_serving .* as it was"
    ):
        build_redshift()
    assert built.content() == before
    assert [
        line for line in built.run() if re.search(r"(insert into|delete from|drop \w+) \S*deftunes_serving", line)
    ] == []


def test_a_month_that_was_emptied_vanishes_and_a_rerun_changes_nothing(lake, built, build_redshift):
    whole = built.content()
    build_redshift("2020-01-01", "2020-02-01")
    assert built.content() == whole
    lake.publish("sessions", "2020-02-01", [])
    built.fill()
    sentence = build_redshift("2020-01-01", "2020-02-01")
    assert built.query("SELECT DISTINCT ingest_on FROM deftunes_serving.fact_session") == [(date(2020, 1, 1),)]
    assert re.search(r"in them 0 sales of 0(\.00)? USD, restated \d+ sums by country and artist, -\d", sentence)


def test_what_a_build_says_to_redshift(golden, warehouse, build_redshift, environment):
    environment.setenv("AWS_REGION", "eu-west-1")
    golden()
    warehouse.fill()
    build_redshift("2019-12-01", "2020-02-01")
    said = warehouse.run()
    external = next(line for line in said if line.startswith("create external schema"))
    assert external == (
        "create external schema if not exists deftunes_transform from data catalog database 'deftunes_transform' "
        "iam_role default region 'eu-west-1'"
    )
    assert said.index(external) < next(n for n, line in enumerate(said) if 'deftunes_transform"."' in line)
    assert "SET query_group TO 'deftunes'" in said
    assert any("diststyle key distkey (user_id)" in line for line in said)
    assert any("with no schema binding" in line for line in said)
    # a build that changes no definition makes no view anew: readers would have to wait for it
    build_redshift("2020-01-01", "2020-02-01")
    assert [line for line in warehouse.run() if re.match(r"(create|drop) view \S*deftunes_serving", line)] == []


def test_redshift_has_all_that_the_build_asks_of_it(built, build_redshift):
    """The exchange's statements and dbt's, as they were sent: nothing that only PostgreSQL has."""
    build_redshift("2020-01-01", "2020-02-01")
    sent = [re.sub(r"/\*.*?\*/", "", one.text, flags=re.DOTALL).strip() for one in built.redshift.statements]
    ours = {sql for sql in sent if re.match(r"(delete|insert|create|select|with)\b", sql, re.IGNORECASE)}
    assert len(ours) > 60
    # the driver's and dbt's questions to the catalogue, and what the parser does not know
    elsewhere = re.compile(r"pg_|svv_|information_schema|create external schema")
    found = {sql: findings(sql) for sql in ours if not elsewhere.search(sql)}
    assert {sql: why for sql, why in found.items() if why} == {}


def test_readers_read_what_is_public_and_nothing_else(built):
    for schema, may in (("deftunes_serving", True), ("deftunes_building", False), ("deftunes_staging", False)):
        assert built.value(f"SELECT has_schema_privilege('analyst', '{schema}', 'usage')") is may
    for relation in (*TABLES, *VIEWS):
        assert built.value(f"SELECT has_table_privilege('analyst', 'deftunes_serving.{relation}', 'select')"), relation


def test_what_somebody_dropped_or_changed_is_made_again(built, build_redshift):
    whole = built.content()
    with built.redshift.direct() as connection:
        connection.execute("DROP VIEW deftunes_serving.user_activity_vw")
        connection.execute("DROP TABLE deftunes_serving.dim_songs CASCADE")
        connection.execute("ALTER TABLE deftunes_serving.dim_users ADD COLUMN shoe_size integer")
    build_redshift("2020-01-01", "2020-02-01")
    assert built.content() == whole


def test_a_fact_of_another_form_is_kept_until_a_full_load(built, build_redshift):
    whole = built.content()
    with built.redshift.direct() as connection:
        connection.execute("ALTER TABLE deftunes_serving.fact_session ADD COLUMN note varchar(64)")
    with pytest.raises(Exception, match=r"fact_session with the columns .*--full-refresh"):
        build_redshift("2020-01-01", "2020-02-01")
    build_redshift("2020-01-01", "2020-02-01", "--full-refresh")
    assert built.content() == whole


def test_freshness_and_documentation(built, dbt_home):
    assert run(["freshness"]).count("(pass)") == 3
    run(["docs"])
    catalog = json.loads((dbt_home / "redshift" / "catalog.json").read_text(encoding="utf-8"))
    fact = catalog["nodes"]["model.deftunes.fact_session"]
    assert fact["metadata"]["schema"] == "deftunes_serving"
    assert "ingest_on" in fact["columns"]
