"""Landed objects as a frame of lines: both landing formats are gzip with one record a line.

Data flow: exactly the objects that a receipt names → `line` (text, without its line end) and `line_hash`. Nothing is
listed and nothing is matched by pattern, so what lies beside a delivery (another attempt's objects) is never read.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f
from pyspark.sql import types as t

_VALUE = t.StructType([t.StructField("value", t.StringType())])


def read_lines(spark: SparkSession, uris: Sequence[str]) -> DataFrame:
    """All lines of these objects (`store.uri` names); no objects, no lines."""
    if not uris:
        return numbered(spark.createDataFrame([], _VALUE))
    # records hold no raw line break of any kind, but Spark's default would also cut at \r
    reader = spark.read.option("lineSep", "\n")
    # a lake whose path holds [ or { is not a pattern; and below such a path Spark looks for partition columns in
    # vain and lists every file twice, unless it is told not to look
    reader = reader.option("__globPaths__", "false").option("recursiveFileLookup", "true")
    return numbered(reader.text(list(uris)))


def numbered(texts: DataFrame) -> DataFrame:
    """Lines out of a frame with one text column: `line` and a number that stands for its content, `line_hash`."""
    (name,) = texts.columns
    return texts.select(f.col(name).alias("line"), f.xxhash64(name).alias("line_hash"))
