"""A little of everything that stages do with Spark, so that its JVM can record which classes that takes.

Data flow: a throw-away lake in a folder that the caller removes. Called by `deftunes-lake warm` in a process of its
own: `python -m deftunes_lake.cds_training JARS FOLDER ARCHIVE`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pyspark.sql import functions as f

from deftunes_lake.session import close_session, open_session
from deftunes_lake.settings import SparkSettings
from deftunes_lake.tables import ensure_tables, table_name


def train(jars: str, folder: str, archive: str) -> None:
    """Read JSON, aggregate, write and read Iceberg; the archive is whole when this returns."""
    settings = SparkSettings(DEFTUNES_LAKE=f"{folder}/lake", DEFTUNES_JARS=jars)
    spark = open_session(settings, record_to=archive)
    ensure_tables(spark, settings)
    record = Path(folder) / "record.json"
    record.write_text('{"a": "x", "b": [{"c": 1.5}]}\n', encoding="utf-8")
    frame = spark.read.schema("a string, b array<struct<c: double>>").json(str(record))
    frame = frame.select("a", f.explode("b.c").alias("c")).groupBy("a").agg(f.sum("c").alias("c")).cache()
    frame.count()
    table = table_name(settings, "rehearsal")
    frame.writeTo(table).using("iceberg").create()
    frame.writeTo(table).overwrite(f.col("a") == f.lit("x"))
    spark.table(table).join(frame, "a").orderBy("a").collect()
    spark.sql(f"SELECT count(*) FROM {table}.files").collect()
    close_session(wait=True)


if __name__ == "__main__":
    train(*sys.argv[1:])
