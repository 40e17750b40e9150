"""Several rows of one key: the same one is kept on every run, the others are quarantined.

Data flow: validated rows → validated rows in which all but one of the valid rows of a key fail rule `unique`. The row
that is kept is chosen by the content of its landed line, never by its position, so neither the order of a delivery nor
Spark's partitions change the result. Only rows that fail no other rule compete.

Searching for duplicate keys is cheap (hashes of keys, one row a record); rows are compared only when some are found.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as f

from deftunes_contract.entity import Entity
from deftunes_transform.row_counts import first_of_record
from deftunes_transform.rules import VALID, QuarantineRules, bit_if

_BROADCAST_MOST = 1_000_000
"""Hashes that every task may hold: 8 MB."""


def find_duplicate_keys(validated: DataFrame, entity: Entity) -> DataFrame:
    """`key_hash` of keys that more than one record has: all that are duplicated, and perhaps a few more.

    The items of a record differ in `item_no`, so only records of one session can share a key.
    """
    leading = entity.key[0]
    once_a_record = validated.where(first_of_record(entity)).where(f.col(leading).isNotNull())
    hashes = once_a_record.groupBy(_key_hash(entity).alias("key_hash")).agg(f.count("*").alias("records"))
    return hashes.where(f.col("records") > 1).select("key_hash")


def deduplicate(
    validated: DataFrame, entity: Entity, rules: QuarantineRules, duplicated: DataFrame, how_many: int
) -> DataFrame:
    """Validated rows in which one valid row of every key is left; the others get the bits of `unique`."""
    small = f.broadcast(duplicated) if how_many <= _BROADCAST_MOST else duplicated
    marked = validated.withColumn("key_hash", f.when(f.col("failed_rules") == VALID, _key_hash(entity)))
    competing = marked.join(small, "key_hash", "left_semi")
    others = marked.join(small, "key_hash", "left_anti")
    row_rank = f.row_number().over(Window.partitionBy(*entity.key).orderBy("line_hash"))
    settled = competing.withColumn("row_rank", row_rank).withColumn(
        "failed_rules", bit_if(rules.kind("unique"), f.col("row_rank") > 1)
    )
    return others.select(validated.columns).unionByName(settled.select(validated.columns))


def with_lines(quarantined: DataFrame, lines: DataFrame) -> DataFrame:
    """Quarantined rows with the landed line of each, also of those that were good when their lines were let go."""
    # good rows have no line either, and there are millions of them: only duplicates are looked up
    lost = f.col("line").isNull() & (f.col("failed_rules") != VALID)
    duplicates = quarantined.where(lost).select("line_hash").distinct()
    found = lines.join(f.broadcast(duplicates), "line_hash", "left_semi")
    texts = found.dropDuplicates(["line_hash"]).withColumnRenamed("line", "text")
    return quarantined.join(f.broadcast(texts), "line_hash", "left").select(
        *(f.coalesce("line", "text").alias(name) if name == "line" else name for name in quarantined.columns)
    )


def _key_hash(entity: Entity) -> Column:
    return f.xxhash64(entity.key[0])
