"""Status tells what is public and what waits, for people and for programs."""

from __future__ import annotations

import json

from lake_cases import FEBRUARY, JANUARY, LakeCase
from pyspark.sql import SparkSession

from deftunes_lake.settings import SparkSettings
from deftunes_lake.status import as_text, status


def test_a_lake_without_tables(spark: SparkSession, settings: SparkSettings) -> None:
    tables = status(spark, settings)
    assert [table.rows for table in tables] == [None] * 4
    assert "not there" in as_text(tables)


def test_what_is_public_and_what_waits(case: LakeCase) -> None:
    case.stage_and_gate("sessions", 5, JANUARY, "a")
    case.publish(["sessions"], JANUARY, "a")
    case.stage("sessions", 7, FEBRUARY, "b")
    (table,) = [one for one in status(case.spark, case.settings) if one.table == case.table("sessions")]
    assert table.rows == 5
    (interval,) = table.intervals
    assert (interval.ingest_on, interval.run_id, interval.rows, str(interval.amount)) == (JANUARY, "a", 5, "1.75")
    assert interval.can_roll_back
    (waiting,) = table.branches
    assert (waiting.name, waiting.rows) == ("run_b_20200301", 7)
    assert waiting.age_hours < 1
    assert not interval.provisional
    text = as_text([table])
    assert "2020-02-01: 5 rows, amount 1.75, run a, can be rolled back" in text
    assert "branch run_b_20200301: 7 rows staged" in text
    assert json.loads(table.model_dump_json())["intervals"][0]["amount"] == "1.75"
    early = table.model_copy(update={"intervals": (interval.model_copy(update={"provisional": True}),)})
    assert "2020-02-01: 5 rows, amount 1.75, run a, provisional, can be rolled back" in as_text([early])
