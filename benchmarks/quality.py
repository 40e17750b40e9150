"""How long the gate takes against a bare Spark pass that brings the same rows onto the branch.

    python benchmarks/quality.py --rows 2000 1000000 --runs 3

Pass: read the landed gzip JSON lines with an explicit schema, explode the items, type them, drop duplicate keys, write
the Iceberg branch; no contract checks, so the transform itself takes longer. Gate: all rules of `sessions`, with a
published catalogue and published users to refer to and a published month before, report included. Both run in one
session, alternating, after one warm-up of each; the best of `--runs` counts. `jobs` are the Spark jobs of one gate.
One line of JSON a size.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f
from pyspark.sql.window import Window

from deftunes_contract.interval import Interval
from deftunes_contract.layout import branch
from deftunes_contract.load_metrics import LoadMetrics
from deftunes_contract.logs import configure_logs
from deftunes_contract.object_store import open_store
from deftunes_contract.registry import load
from deftunes_lake.session import open_session
from deftunes_lake.settings import SparkSettings
from deftunes_lake.staging import write_to_branch
from deftunes_lake.tables import ensure_tables, spark_schema, table_name
from deftunes_quality.gate import GateContext, run_gates

MONTH = Interval(date(2020, 1, 1), date(2020, 2, 1))
RUN = "bench"
TRACKS, USERS, ITEMS = 10_000, 50_000, 5


def uuid_of(seed: str) -> str:
    """SQL of a UUID that depends on a number only."""
    digest, parts = f"md5(string({seed}))", [(1, 8), (9, 4), (13, 4), (17, 4), (21, 12)]
    return f"concat_ws('-', {', '.join(f'substr({digest}, {a}, {n})' for a, n in parts)})"


def track_of(seed: str) -> str:
    """SQL of a track id."""
    return f"concat('TR', upper(substr(md5(string({seed})), 1, 16)))"


def artist_of(seed: str) -> str:
    """SQL of an artist id."""
    return f"concat('AR', upper(substr(md5(string({seed} % 3000)), 1, 16)))"


def land(spark: SparkSession, items: int, folder: Path) -> str:
    """Write sessions of ITEMS items as gzip JSON lines, two files as two parts of a delivery."""
    item = (
        f"named_struct('song_id', {track_of(f'(id * {ITEMS} + i) % {TRACKS}')}, 'song_name', 'A song', "
        f"'artist_id', {artist_of(f'(id * {ITEMS} + i) % {TRACKS}')}, 'artist_name', 'Somebody', "
        f"'price', 0.33 + ((id * {ITEMS} + i) % 152) / 100, 'currency', 'USD', 'liked', i % 2 = 0, "
        "'liked_since', cast(null as string))"
    )
    session = spark.range(0, items // ITEMS, 1, 2).selectExpr(
        f"{uuid_of(f'id % {USERS}')} AS user_id",
        f"{uuid_of('-1 - id')} AS session_id",
        f"transform(sequence(0, {ITEMS - 1}), i -> {item}) AS session_items",
        "'Mozilla/5.0 (X11; Linux x86_64)' AS user_agent",
        f"date_format(timestamp_micros(1577836800000000 + id * {31 * 86400 * 1_000_000 // (items // ITEMS)}), "
        "\"yyyy-MM-dd'T'HH:mm:ss.SSSSSS\") AS session_start_time",
    )
    session.selectExpr("to_json(struct(*), map('ignoreNullFields', 'false')) AS value").write.mode("overwrite").option(
        "compression", "gzip"
    ).text(str(folder))
    return str(folder)


def bare_pass(spark: SparkSession, settings: SparkSettings, landed: str, items: int) -> int:
    """The same rows onto the branch, by Spark alone."""
    entity = load("sessions")
    read = spark.read.schema(spark_schema(entity.record)).json(landed)
    exploded = read.select("*", f.posexplode("session_items").alias("item_no", "item"))
    typed = exploded.select(
        *("user_id", "session_id", "item.song_id", "item.song_name", "item.artist_id", "item.artist_name"),
        f.col("item.price").cast("decimal(10,2)").alias("price"),
        *("item.currency", "item.liked"),
        f.col("item.liked_since").cast("timestamp_ntz").alias("liked_since"),
        "user_agent",
        f.col("session_start_time").cast("timestamp_ntz").alias("session_start_time"),
        f.lit(MONTH.ingest_on).alias("ingest_on"),
        "item_no",
        f.lit("2020-02-01 00:00:00").cast("timestamp_ntz").alias("processing_timestamp"),
    )
    key = Window.partitionBy("session_id", "item_no").orderBy("song_id")
    once = typed.withColumn("copy", f.row_number().over(key)).where("copy = 1").drop("copy")
    amount = Decimal(str(sum(33 + n % 152 for n in range(items)))) / 100
    return write_to_branch(
        spark,
        table_name(settings, "sessions"),
        branch(RUN, MONTH.ingest_on),
        once,
        MONTH.ingest_on,
        summary(items, amount, MONTH),
    )


def summary(items: int, amount: Decimal, interval: Interval) -> LoadMetrics:
    """What a transform would have said."""
    return LoadMetrics(
        entity="sessions",
        ingest_on=interval.ingest_on,
        run_id=RUN,
        contract_version=load("sessions").version,
        receipt="0" * 64,
        landed_records=items // ITEMS,
        landed_units=items,
        landed_amount=amount,
        rows=items,
        amount=amount,
        quarantined_units=0,
        quarantined_amount=Decimal(0),
    )


def publish_references(spark: SparkSession, settings: SparkSettings) -> None:
    """A catalogue and users to refer to."""
    day = f.lit(MONTH.previous.ingest_on).alias("ingest_on")
    songs = spark.range(TRACKS).select(
        f.expr(track_of("id")).alias("track_id"), f.expr(artist_of("id")).alias("artist_id"), day
    )
    users = spark.range(USERS).select(f.expr(uuid_of("id")).alias("user_id"), day)
    for name, frame in (("songs", songs), ("users", users)):
        filled(frame, name).writeTo(table_name(settings, name)).append()


def filled(frame: DataFrame, name: str) -> DataFrame:
    """The contract's columns; those that are required and not given get some value."""
    given = set(frame.columns)
    default = {"string": "'x'", "timestamp_ntz": "timestamp_ntz'2020-01-01 00:00:00'"}
    columns = [
        f.col(field.name)
        if field.name in given
        else f.expr(default.get(field.dataType.simpleString(), "null")).cast(field.dataType).alias(field.name)
        for field in spark_schema(load(name).columns)
    ]
    return frame.select(columns)


def seconds(work: Callable[[], object]) -> float:
    """Wall time."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[2000, 1_000_000], help="items of the month")
    parser.add_argument("--runs", type=int, default=3, help="runs of each; the best counts")
    arguments = parser.parse_args()
    configure_logs("text", "ERROR")
    with tempfile.TemporaryDirectory(prefix="deftunes-bench-") as lake:
        settings = SparkSettings(DEFTUNES_LAKE=lake)
        spark = open_session(settings, "bench")
        ensure_tables(spark, settings)
        publish_references(spark, settings)
        gate = GateContext(spark, settings, open_store(lake))
        jobs = spark.sparkContext.statusTracker()
        for items in arguments.rows:
            landed = land(spark, items, Path(lake) / "landed")
            pass_s, gate_s, counts = [], [], []
            for _ in range(arguments.runs + 1):
                pass_s.append(seconds(lambda landed=landed, items=items: bare_pass(spark, settings, landed, items)))
                before = len(jobs.getJobIdsForGroup(None))
                gate_s.append(seconds(lambda: run_gates(gate, ["sessions"], MONTH, RUN)))
                counts.append(len(jobs.getJobIdsForGroup(None)) - before)
            best_pass, best_gate = min(pass_s[1:]), min(gate_s[1:])
            print(
                json.dumps(
                    {
                        "rows": items,
                        "pass_s": round(best_pass, 2),
                        "gate_s": round(best_gate, 2),
                        "gate_per_pass": round(best_gate / best_pass, 2),
                        "jobs": counts[-1],
                    }
                ),
                flush=True,
            )
        spark.stop()


if __name__ == "__main__":
    main()
