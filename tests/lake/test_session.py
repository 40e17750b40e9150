"""The session: one a process, of the asked lake, reachable from this machine only."""

from __future__ import annotations

from pathlib import Path

import psutil
from lake_cases import LakeCase
from pyspark.sql import SparkSession

from deftunes_lake.session import open_session
from deftunes_lake.settings import SparkSettings


def test_the_running_session_is_returned(spark: SparkSession, spark_settings: SparkSettings) -> None:
    assert open_session(spark_settings, "another name") is spark
    other_database = spark_settings.model_copy(update={"database": "elsewhere"})
    assert open_session(other_database) is spark


def test_another_lake_in_the_same_process_is_really_another(
    spark: SparkSession, spark_settings: SparkSettings, case: LakeCase, tmp_path: Path
) -> None:
    case.stage_and_gate("users", 3)
    elsewhere = spark_settings.model_copy(update={"lake": str(tmp_path), "database": case.settings.database})
    other = LakeCase.open(elsewhere)
    other.stage_and_gate("users", 4)
    other.publish(["users"])
    assert other.public("users")["2020-02-01"][0] == 4
    assert case.public("users") == {}
    assert (tmp_path / "transform_zone" / case.settings.database / "users").is_dir()
    assert other.spark.conf.get("spark.sql.session.timeZone") == "UTC"
    assert other.spark.sparkContext is spark.sparkContext
    assert open_session(elsewhere) is other.spark
    assert open_session(spark_settings) is spark


def test_sql_is_strict_and_in_utc(spark: SparkSession) -> None:
    assert spark.conf.get("spark.sql.session.timeZone") == "UTC"
    assert spark.conf.get("spark.sql.ansi.enabled") == "true"
    assert spark.conf.get("spark.sql.shuffle.partitions") == "2"


def test_nothing_of_spark_listens_to_the_network(spark: SparkSession) -> None:
    java = psutil.Process(spark.sparkContext._gateway.proc.pid)  # type: ignore[union-attr]
    processes = [java, *java.children(recursive=True)]
    listening = {
        connection.laddr.ip.removeprefix("::ffff:")
        for process in processes
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}
