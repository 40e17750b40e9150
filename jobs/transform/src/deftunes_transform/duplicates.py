"""Several rows of one key: the same one is kept on every run, the others are quarantined.

Data flow: judged rows → judged rows in which all but one of a key's good rows break the `unique` rule. Who is kept is
decided by the content of the landed line, never by its place, so neither the order of a delivery nor Spark's
partitions have a say. Only rows that break nothing else compete.

Looking for contested keys is cheap (hashes of keys, one row a record); only when there are some are rows compared.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as f

from deftunes_contract.entity import Entity
from deftunes_transform.row_counts import first_of_record
from deftunes_transform.rules import GOOD, RuleBook, bits

_BROADCAST_MOST = 1_000_000
"""Hashes that every task may hold: 8 MB."""


def contested_hashes(judged: DataFrame, entity: Entity) -> DataFrame:
    """`key_hash` of keys that more than one record has: all that are contested, and perhaps a few more.

    The items of a record differ in `item_no`, so only records of one session can contest an item.
    """
    leading = entity.key[0]
    once_a_record = judged.where(first_of_record(entity)).where(f.col(leading).isNotNull())
    hashes = once_a_record.groupBy(_key_hash(entity).alias("key_hash")).agg(f.count("*").alias("records"))
    return hashes.where(f.col("records") > 1).select("key_hash")


def settle(judged: DataFrame, entity: Entity, book: RuleBook, contested: DataFrame, how_many: int) -> DataFrame:
    """Judged rows in which of every key one good row is left; the others got the bits of `unique`."""
    small = f.broadcast(contested) if how_many <= _BROADCAST_MOST else contested
    marked = judged.withColumn("key_hash", f.when(f.col("broken") == GOOD, _key_hash(entity)))
    rivals = marked.join(small, "key_hash", "left_semi")
    others = marked.join(small, "key_hash", "left_anti")
    place = f.row_number().over(Window.partitionBy(*entity.key).orderBy("line_hash"))
    settled = rivals.withColumn("place", place).withColumn("broken", bits(book.kind("unique"), f.col("place") > 1))
    return others.select(judged.columns).unionByName(settled.select(judged.columns))


def with_lines(quarantined: DataFrame, lines: DataFrame) -> DataFrame:
    """Quarantined rows with the landed line of each, also of those that were good when their lines were let go."""
    # good rows have no line either, and there are millions of them: only the losers of a contest are looked up
    lost = f.col("line").isNull() & (f.col("broken") != GOOD)
    losers = quarantined.where(lost).select("line_hash").distinct()
    found = lines.join(f.broadcast(losers), "line_hash", "left_semi")
    texts = found.dropDuplicates(["line_hash"]).withColumnRenamed("line", "text")
    return quarantined.join(f.broadcast(texts), "line_hash", "left").select(
        *(f.coalesce("line", "text").alias(name) if name == "line" else name for name in quarantined.columns)
    )


def _key_hash(entity: Entity) -> Column:
    return f.xxhash64(entity.key[0])
