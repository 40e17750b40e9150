"""Spark, Iceberg, the SQLite catalog and DuckDB find a table whatever its folder is called."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from lake_cases import LakeCase
from pyspark.sql import SparkSession

from deftunes_lake.maintain import maintain
from deftunes_lake.settings import SparkSettings
from deftunes_serving.freshness import NEVER, published_at
from deftunes_serving.lake_views import attach
from deftunes_serving.settings import ServingSettings
from deftunes_transform.landing_reader import read_lines

# the signs of tests/extract/test_odd_folders.py, several in one name: a Spark session costs seconds
NAMES = ["shop #1 a?b;c 100% a%20b ü", "[x] {a,b} * $x -x", "file:", 'a\\b it\'s "q" a:b a&b=c !x\u3000', "s3:"]


@pytest.mark.parametrize("name", NAMES)
def test_a_table_is_made_published_read_and_maintained(
    name: str, spark: SparkSession, spark_settings: SparkSettings, tmp_path: Path
) -> None:
    root = tmp_path / "shops" / name / "lake"
    case = LakeCase.open(spark_settings.model_copy(update={"lake": str(root), "catalog": ""}))
    case.store.write("landing_zone/part-0.jsonl", b"{}\n{}\n")
    assert read_lines(case.spark, [case.store.uri("landing_zone/part-0.jsonl")]).count() == 2
    case.stage_and_gate("users", 5)
    case.publish(["users"])
    assert case.public("users")["2020-02-01"][0] == 5
    with duckdb.connect() as connection:
        attach(connection, case.settings)
        assert connection.execute("SELECT count(*) FROM deftunes_transform.users").fetchall() == [(5,)]
    assert published_at(ServingSettings(lake=str(root)))["users"] > NEVER
    # a folder that is spelt in two ways would make orphans of all its files
    (would,) = maintain(case.spark, case.settings, dry_run=True)
    assert (would.orphans, would.suspicious) == (0, "")
    assert [folder.name for folder in (tmp_path / "shops").iterdir()] == [name]
