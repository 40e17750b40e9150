"""The same life of a table on S3 and Glue, in processes of its own, against moto with Glue's optimistic lock."""

from __future__ import annotations

import gzip
from pathlib import Path
from zipfile import ZipFile

import pyspark
from aws_fakes import aws_fakes, environment_of
from lake_worker import Worker

from deftunes_contract.settings import from_environment
from deftunes_lake.jars import locked_jars
from deftunes_lake.settings import JarSettings

MONTHS = [f"20{year}-01-01" for year in range(30, 35)]
ROUNDS = 10
"""Crowds until two writers must have met; nearly always the first is enough."""


def _classes(file: Path) -> set[str]:
    with ZipFile(file) as jar:
        return {name[: -len(".class")].replace("/", ".") for name in jar.namelist() if name.endswith(".class")}


def _idle(log: str) -> set[str]:
    """Locked jars of which the JVM, by its own log, loaded no class that Spark does not bring itself."""
    loaded = {line.split(maxsplit=1)[0] for line in log.splitlines() if " source: " in line}
    of_spark = set().union(*map(_classes, Path(pyspark.__file__).with_name("jars").glob("*.jar")))
    folder = Path(from_environment(JarSettings).jars).expanduser()
    return {jar.artifact for jar in locked_jars() if not loaded & (_classes(folder / jar.file_name) - of_spark)}


def test_a_table_lives_on_s3_and_glue(tmp_path: Path) -> None:
    with aws_fakes() as aws:
        environment = environment_of(aws) | {
            "DEFTUNES_SPARK_MASTER": "local[2]",
            "DEFTUNES_SPARK_DRIVER_MEMORY": "1g",
            "DEFTUNES_SPARK_SMALL": "true",
            "JDK_JAVA_OPTIONS": f"-Xlog:class+load:file={tmp_path}/classes:none",
        }
        worker = Worker(environment, tmp_path / "log")

        # Spark reads a landed object by its s3:// name
        aws.client("s3").put_object(
            Bucket=aws.bucket,
            Key="landing_zone/api/users/ingest_on=2020-02-01/part-00000.jsonl.gz",
            Body=gzip.compress(b'{"a": 1}\n{"a": 2}\n'),
        )
        assert worker.call("lines", path="landing_zone/api/users/ingest_on=2020-02-01/part-00000.jsonl.gz") == 2

        # staged, gated, public; twice is once
        staged = worker.call("stage_and_gate", entity="sessions", rows=5, ingest_on="2020-02-01", run_id="a")
        content = worker.call("at", entity="sessions", snapshot_id=staged)
        assert content["2020-02-01"][:2] == [5, "1.75"]
        for moved in ("changed=True", "changed=False"):
            assert moved in worker.call("publish", entities=["sessions"], ingest_on="2020-02-01", run_id="a")
        assert worker.call("public", entity="sessions") == content
        (database,) = aws.client("glue").get_databases()["DatabaseList"]
        assert database["Name"] == "deftunes_transform"

        # every jar is there for something: what a jar is alone to have was loaded from each
        assert _idle((tmp_path / "classes").read_text()) == {"sqlite-jdbc"}, "the catalog of lakes without Glue"

        # five stagers and then five publishers at once: Glue turns some away, and nothing is lost. Whether two meet is
        # chance, so they go on until two have
        for crowd in range(ROUNDS):
            orders = [
                (
                    "stage_and_gate",
                    {"entity": "sessions", "rows": 3 + i, "ingest_on": month, "run_id": f"crowd-{crowd}"},
                )
                for i, month in enumerate(MONTHS)
            ]
            assert all(isinstance(answer, int) for answer in worker.call("together", orders=orders))
            orders = [
                ("publish", {"entities": ["sessions"], "ingest_on": month, "run_id": f"crowd-{crowd}"})
                for month in MONTHS
            ]
            answers = worker.call("together", orders=orders)
            assert all("changed=True" in answer for answer in answers), answers
            public = worker.call("public", entity="sessions")
            assert {month: public[month][0] for month in MONTHS} == {month: 3 + i for i, month in enumerate(MONTHS)}
            assert public["2020-02-01"] == content["2020-02-01"]
            if aws.rejected:
                break
        assert aws.rejected, "without a collision this proved nothing"

        # maintenance lists S3 by prefix and leaves the rows; rollback takes a month back
        assert "sessions" in worker.call("maintain")
        assert worker.call("public", entity="sessions") == public
        assert "5 rows, amount 1.75 of run a → 0 rows" in worker.call(
            "rollback", entities=["sessions"], ingest_on="2020-02-01"
        )
        del public["2020-02-01"]
        assert worker.call("public", entity="sessions") == public

        # a catalog that has lost a table, or all of them, does not begin empty ones beside the old
        glue = aws.client("glue")
        glue.delete_table(DatabaseName="deftunes_transform", Name="sessions")
        for _ in range(2):
            refused = worker.call("create")
            assert refused.startswith("UsageError: expected no table in s3://")
            assert "sessions" in refused
            assert "the Glue catalog" in refused
            glue.delete_database(Name="deftunes_transform")
        assert not glue.get_databases()["DatabaseList"]
        worker.close()
