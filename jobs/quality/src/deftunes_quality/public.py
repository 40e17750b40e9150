"""What is public while an interval is judged: its own earlier rows, and the other months of the table.

Data flow: catalog → `PublicState`. Reads metadata only, at one loaded state of the table, so that everything the rules
compare with belongs together; publish refuses (gate result's `replaces`) when the interval is published meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from pyspark.sql import SparkSession

from deftunes_contract.interval import Interval
from deftunes_contract.layout import interval_tag
from deftunes_contract.load_metrics import LoadMetrics
from deftunes_lake.iceberg_java import load_table
from deftunes_lake.partitions import partition_rows
from deftunes_lake.snapshots import MAIN, refs_of, snapshot_of

_TAG = interval_tag(date(2020, 2, 1)).removesuffix("20200201")
"""How the tags of published intervals begin."""
SOURCES = 3
"""Newest other months whose source is looked at, so that the cost does not grow with the history."""


@dataclass(frozen=True)
class PublicState:
    """One state of a table's public side.

    snapshot_id: of the interval's tag, 0 when it has none. main: the snapshot that readers see, 0 before the first.
    rows: of the interval in main. summary: what the run that published the interval counted. previous: the same of the
    month before. others: ingest_on → snapshot id of the other published intervals. sources: `YYYY-MM` and the receipt's
    source of the newest of them, newest first.
    """

    snapshot_id: int = 0
    main: int = 0
    rows: int = 0
    summary: LoadMetrics | None = None
    previous: LoadMetrics | None = None
    others: Mapping[date, int] = field(default_factory=dict)
    sources: tuple[tuple[str, str], ...] = ()


def find_public(spark: SparkSession, table: str, interval: Interval) -> PublicState:
    """The public side of a table as it is now. Raises NoTable."""
    loaded = load_table(spark, table)
    refs = refs_of(loaded)
    main = refs.branches.get(MAIN, 0)
    others = {
        datetime.strptime(tag.removeprefix(_TAG), "%Y%m%d").date(): snapshot
        for tag, snapshot in refs.tags.items()
        if tag.startswith(_TAG)
    }
    own = snapshot_of(loaded, others.pop(interval.ingest_on, None))
    before = snapshot_of(loaded, others.get(interval.previous.ingest_on))
    return PublicState(
        snapshot_id=own.id if own else 0,
        main=main,
        rows=partition_rows(spark, loaded, main, interval.ingest_on) if main else 0,
        summary=own.staged if own else None,
        previous=before.staged if before else None,
        others=others,
        sources=tuple(_sources(loaded, others)),
    )


def _sources(table: Any, others: Mapping[date, int]) -> Iterator[tuple[str, str]]:
    for day in sorted(others, reverse=True)[:SOURCES]:
        found = snapshot_of(table, others[day])
        if found is not None and found.staged is not None and found.staged.source:
            yield Interval.of_ingest_on(day).month, found.staged.source
