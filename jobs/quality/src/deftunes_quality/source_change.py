"""Where staged rows come from, against where the public ones came from: two shops must not share one table.

Data flow: staged keys + public keys → the share of staged keys that are public. Asked only when the sources differ. A
shop that moved to another address delivers what it delivered before; another shop's keys are others.
"""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from deftunes_lake.snapshot_reader import read_snapshot
from deftunes_quality.figures import column_faults
from deftunes_quality.public import PublicState
from deftunes_quality.restatement import Restatement
from deftunes_quality.staged import Staged


def origin(source: str) -> str:
    """A receipt's source without the interval that was asked of it: `http://127.0.0.1:8001/users`."""
    return source.partition("?")[0].rstrip("/")


def public_origins(public: PublicState, month: str) -> dict[str, str]:
    """Origin → month: of the interval's own public rows, else of the newest other intervals. Unknown: left out."""
    if public.rows:
        own = origin(public.summary.source) if public.summary else ""
        return {own: month} if own else {}
    return {origin(source): other for other, source in reversed(public.sources)}


def known_share(spark: SparkSession, staged: Staged, rows: DataFrame, restated: Restatement | None) -> float | None:
    """Share of the staged rows whose key is public: in their own month, or for a snapshot in the newest other month.

    None when it cannot be measured, or need not be because the source is the same.
    """
    entity, public, count = staged.entity, staged.public, staged.summary.rows
    if not count or origin(staged.summary.source) in public_origins(public, staged.interval.month):
        return None
    if restated is not None:
        return min(1.0, (restated.rows - restated.lost_rows) / count)
    keys = list(entity.key)
    if entity.event_time is not None or not public.others or column_faults(entity, rows.schema).keys() & set(keys):
        return None
    newest = f.col("ingest_on") == f.lit(max(public.others))
    known = read_snapshot(spark, staged.table, public.main).where(newest).select(*keys)
    return rows.select(*keys).join(known, keys, "left_semi").count() / count
