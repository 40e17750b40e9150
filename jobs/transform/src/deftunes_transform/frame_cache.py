"""Judged rows, computed once: counting them, quarantining and staging them must not parse a delivery three times.

Data flow: frame → the same frame, whose rows stay in memory (or on disk, where memory ends) within the block.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark import StorageLevel
from pyspark.sql import DataFrame

from deftunes_lake.settings import SparkSettings


@contextmanager
def cached(frame: DataFrame, settings: SparkSettings) -> Iterator[DataFrame]:
    """A frame whose rows are kept after they were computed for the first time, and let go at the end."""
    if settings.is_local:
        # keeps rows as they are; Spark's cache builds columns first, which costs as much as parsing. It forgets how
        # rows came about, which is no loss where there is no executor to lose.
        kept = frame.localCheckpoint(eager=False, storageLevel=StorageLevel.MEMORY_AND_DISK)
        try:
            yield kept
        finally:
            kept._jdf.queryExecution().analyzed().rdd().unpersist(False)
        return
    kept = frame.persist(StorageLevel.MEMORY_AND_DISK)
    try:
        yield kept
    finally:
        kept.unpersist()
