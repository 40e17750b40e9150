"""The two outcomes of a judged row: a row of the entity's table, or a row of the quarantine.

Data flow: judged rows → columns of the contracts, in their order and types. Pure: the run's facts (`Stamp`) are
literals, one clock reading for the whole run.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as f

from deftunes_contract.entity import Entity, Field
from deftunes_lake.tables import spark_schema
from deftunes_transform.rules import GOOD, RuleBook, moment

SOURCE_FROM = "postgres_rds"
"""Value of songs.source_from."""


@dataclass(frozen=True)
class Stamp:
    """What a run writes beside the data. processed_at: zone-less UTC."""

    ingest_on: date
    run_id: str
    processed_at: datetime


def staged_rows(judged: DataFrame, entity: Entity, stamp: Stamp) -> DataFrame:
    """The good rows, as the entity's table has them."""
    facts = {
        "ingest_on": f.lit(stamp.ingest_on),
        "source_from": f.lit(SOURCE_FROM),
        "processing_timestamp": moment(stamp.processed_at),
    }
    columns = [_typed(facts.get(column.name, f.col(column.name)), column) for column in entity.columns]
    return judged.where(f.col("broken") == GOOD).select(*columns)


def quarantined_rows(judged: DataFrame, entity: Entity, book: RuleBook, quarantine: Entity, stamp: Stamp) -> DataFrame:
    """The bad rows, as the quarantine table has them. `judged` must have the line of every bad row."""
    facts = {
        "entity": f.lit(entity.name),
        "ingest_on": f.lit(stamp.ingest_on),
        "run_id": f.lit(stamp.run_id),
        "rule": book.first_of(f.col("broken")),
        "reason": book.names_of(f.col("broken")),
        "units": f.lit(1),
        "amount": f.coalesce(f.col(entity.amount), f.lit(0)) if entity.amount else f.lit(None),
        "item_no": f.col("item_no") if "item_no" in entity.key else f.lit(None),
        # a text column holds UTF-8; the hash is that of the bytes as they came
        "raw_record": f.make_valid_utf8("line"),
        "record_hash": f.sha2(f.col("line").cast("binary"), 256),
        "processing_timestamp": moment(stamp.processed_at),
    }
    columns = [_typed(facts[column.name], column) for column in quarantine.columns]
    return judged.where(f.col("broken") != GOOD).select(*columns)


def _typed(value: Column, column: Field) -> Column:
    return value.cast(spark_schema((column,))[column.name].dataType).alias(column.name)
