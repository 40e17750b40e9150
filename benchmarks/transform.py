"""How long the transform takes against bare Spark that reads the same files and writes the same Iceberg table.

    python benchmarks/transform.py --items 2000 1000000 --runs 3 [--bad 0.001] [--parts 3]

Bare: `spark.read.json` with an explicit schema, explode the items, cast, overwrite the partition on a branch; no rule,
no quarantine, no check of the delivery, no count. Transform: `deftunes_transform.run.transform`, all of it. Both run in
one session, alternating, after two warm-ups of each; the best of `--runs` counts. One line of JSON a size; `jobs` are
the Spark jobs of one transform.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import random
import tempfile
import time
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psutil
from pyspark.sql import SparkSession
from pyspark.sql import functions as f

from deftunes_contract.interval import Interval
from deftunes_contract.layout import landing_path, receipt
from deftunes_contract.logs import configure_logs
from deftunes_contract.object_store import ObjectStore, open_store
from deftunes_contract.receipt import LandedObject, Receipt
from deftunes_contract.registry import load
from deftunes_extract.metrics import RecordMetrics
from deftunes_lake.session import open_session
from deftunes_lake.tables import ensure_tables, spark_schema, table_name
from deftunes_transform.run import transform
from deftunes_transform.settings import TransformSettings

MONTH = Interval(date(2020, 1, 1), date(2020, 2, 1))
SESSIONS = load("sessions")


def land(store: ObjectStore, items: int, parts: int, bad: float) -> list[str]:
    """A delivery of about so many items; the names of its objects."""
    dice, figures, objects = random.Random(7), RecordMetrics(SESSIONS), []
    folder = landing_path(SESSIONS.landing_folder, MONTH.ingest_on)
    for number in range(parts):
        lines: list[bytes] = []
        left = items // parts
        while left > 0:
            bought = dice.randint(4, 6)
            left -= bought
            lines.append(session(dice, bought, bad))
        figures.add(lines)
        content = gzip.compress(b"\n".join(lines) + b"\n", compresslevel=1, mtime=0)
        sha256 = hashlib.sha256(content).hexdigest()
        name = f"part-{number:05d}-{sha256[:16]}.jsonl.gz"
        store.write(f"{folder}/{name}", content)
        objects.append(LandedObject(name=name, bytes=len(content), sha256=sha256, records=len(lines)))
    totals = figures.totals
    made = Receipt(
        entity=SESSIONS.name,
        start=MONTH.start,
        end=MONTH.end,
        contract_version=SESSIONS.version,
        run_id="bench",
        source="bench",
        format=SESSIONS.landing_format,
        objects=tuple(objects),
        records=totals.records,
        units=totals.units,
        amount=totals.amount,
        min_time=totals.min_time,
        max_time=totals.max_time,
        landed_at=datetime.now(UTC),
    )
    store.write(receipt(SESSIONS.landing_folder, MONTH.ingest_on), made.to_json())
    return [store.uri(f"{folder}/{landed.name}") for landed in objects]


def session(dice: random.Random, bought: int, bad: float) -> bytes:
    """One record as the API sends it; `bad` is the share of items with a price in quotes."""
    moment = datetime(2020, 1, 1) + timedelta(seconds=dice.random() * 31 * 86400)
    items = []
    for _ in range(bought):
        track, liked = dice.randrange(20_000), dice.random() < 0.5
        price: float | str = round(dice.uniform(0.33, 1.85), 2)
        items.append(
            {
                "song_id": f"TR{track:016d}",
                "song_name": f"Song number {track} of the night ({'Ä' if track % 9 else 'remix'})",
                "artist_id": f"AR{track % 3000:016d}",
                "artist_name": f"Artist {track % 3000} feat. Someone",
                "price": str(price) if dice.random() < bad else price,
                "currency": "USD",
                "liked": liked,
                "liked_since": moment.isoformat(timespec="microseconds") if liked else None,
            }
        )
    record = {
        "user_id": str(uuid.UUID(int=dice.getrandbits(128), version=4)),
        "session_id": str(uuid.UUID(int=dice.getrandbits(128), version=4)),
        "session_items": items,
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari",
        "session_start_time": moment.isoformat(timespec="microseconds"),
    }
    return json.dumps(record, ensure_ascii=False).encode()


def bare(spark: SparkSession, table: str, uris: list[str]) -> None:
    """Read, explode, cast, write: what any job on these files has to do."""
    record = spark_schema(SESSIONS.record)
    items = spark.read.schema(record).json(uris).select("*", f.posexplode("session_items").alias("item_no", "item"))
    flat = items.select("user_id", "session_id", "user_agent", "session_start_time", "item_no", "item.*")
    set_by_run = {
        "ingest_on": f.lit(MONTH.ingest_on),
        "processing_timestamp": f.lit("2020-02-01 00:00:00").cast("timestamp_ntz"),
    }
    schema = spark_schema(SESSIONS.columns)
    rows = flat.select(
        *(set_by_run.get(c.name, f.col(c.name)).cast(schema[c.name].dataType).alias(c.name) for c in SESSIONS.columns)
    )
    # the one rule that the table itself would enforce, by failing
    rows = rows.where(f.col("price").isNotNull())
    rows.writeTo(table).overwrite(f.col("ingest_on") == f.lit(MONTH.ingest_on))


def measured(what: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock, and of the processor in the JVM."""
    jvm = next(p for p in psutil.Process().children(recursive=True) if "java" in p.name())

    def busy() -> float:
        times = jvm.cpu_times()
        return float(times.user + times.system)

    before, begun = busy(), time.perf_counter()
    what()
    return time.perf_counter() - begun, busy() - before


def compare(items: int, runs: int, parts: int, bad: float) -> dict[str, object]:
    """One size: best times of both, and their ratio."""
    with tempfile.TemporaryDirectory(prefix="deftunes-bench-") as folder:
        settings = TransformSettings(DEFTUNES_LAKE=folder, DEFTUNES_DATABASE="bench")
        spark, store = open_session(settings, "bench"), open_store(folder)
        spark.sparkContext.setLogLevel("ERROR")
        ensure_tables(spark, settings)
        uris = land(store, items, parts, bad)
        table = f"{table_name(settings, SESSIONS.name)}"
        spark.sql(f"ALTER TABLE {table} CREATE OR REPLACE BRANCH bare")
        tracker = spark.sparkContext.statusTracker()
        times: dict[str, list[tuple[float, float]]] = {"bare": [], "transform": []}
        jobs = 0
        for _ in range(runs + 2):
            times["bare"].append(measured(lambda: bare(spark, f"{table}.branch_bare", uris)))
            spark.sparkContext.setJobGroup("transform", "transform")
            before = len(tracker.getJobIdsForGroup("transform"))
            times["transform"].append(measured(lambda: transform(spark, settings, store, SESSIONS, MONTH, "bench")))
            jobs = len(tracker.getJobIdsForGroup("transform")) - before
            spark.sparkContext.setJobGroup("other", "other")
        clock = {name: min(seconds for seconds, _ in found[2:]) for name, found in times.items()}
        cpu = {name: min(seconds for _, seconds in found[2:]) for name, found in times.items()}
        return {
            "items": items,
            "parts": parts,
            "bad": bad,
            "megabytes": round(sum(Path(uri).stat().st_size for uri in uris) / 1e6, 1),
            "bare_seconds": round(clock["bare"], 2),
            "transform_seconds": round(clock["transform"], 2),
            "ratio": round(clock["transform"] / clock["bare"], 2),
            "bare_cpu": round(cpu["bare"], 2),
            "transform_cpu": round(cpu["transform"], 2),
            "cpu_ratio": round(cpu["transform"] / cpu["bare"], 2),
            "jobs": jobs,
        }


def main() -> None:
    """Print one line of JSON a size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, nargs="+", default=[2_000, 1_000_000], help="items of a delivery")
    parser.add_argument("--runs", type=int, default=3, help="measured runs of each")
    parser.add_argument("--parts", type=int, default=3, help="landed objects; extract makes one per 128 MiB of text")
    parser.add_argument("--bad", type=float, default=0.001, help="share of bad items")
    arguments = parser.parse_args()
    configure_logs("text", "WARNING")
    for items in arguments.items:
        parts = 1 if items < 100_000 else arguments.parts
        print(json.dumps(compare(items, arguments.runs, parts, arguments.bad)), flush=True)


if __name__ == "__main__":
    main()
