"""Several rows of one key: the same one is kept on every run, the others are quarantined.

Data flow: validated rows → validated rows in which all but one of the valid rows of a key fail rule `unique`. The row
that is kept is chosen by the content of its landed line, never by its position, so neither the order of a delivery nor
Spark's partitions change the result. Only rows that fail no other rule compete.

Searching for duplicate keys is cheap (hashes of keys, one row a record); rows are compared only when some are found.
"""

from __future__ import annotations

from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as f

from deftunes_contract.entity import Entity
from deftunes_contract.record_path import ITEM_NO
from deftunes_transform.row_counts import first_of_record
from deftunes_transform.rules import VALID, QuarantineRules, bit_if

_BROADCAST_MOST = 1_000_000
"""Hashes that every task may hold: 8 MB."""


def find_duplicate_keys(validated: DataFrame, entity: Entity) -> DataFrame:
    """`key_hash` of keys that more than one row has: all that are duplicated, and perhaps a few more.

    Where the position in the record is part of the key, the items of a record cannot share one: only records can.
    """
    once = first_of_record(entity) if ITEM_NO in entity.key else "true"
    rows = validated.where(once).where(reduce(or_, (f.col(name).isNotNull() for name in _hashed(entity))))
    hashes = rows.groupBy(_key_hash(entity).alias("key_hash")).agg(f.count("*").alias("rows"))
    return hashes.where(f.col("rows") > 1).select("key_hash")


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
    return f.xxhash64(*_hashed(entity))


def _hashed(entity: Entity) -> tuple[str, ...]:
    """The key without the position in the record."""
    return tuple(name for name in entity.key if name != ITEM_NO) or entity.key
