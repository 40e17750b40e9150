"""The two outcomes of a validated row: a row of the entity's table, or a row of the quarantine.

Data flow: validated rows → columns of the contracts, in their order and types. Pure: the run's facts (`AuditColumns`)
are literals, one clock reading for the whole run.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as f

from deftunes_contract.entity import Entity, Field
from deftunes_contract.record_path import ITEM_NO
from deftunes_lake.tables import spark_schema
from deftunes_transform.rules import VALID, QuarantineRules, timestamp_lit


@dataclass(frozen=True)
class AuditColumns:
    """What a run writes beside the data. processed_at: zone-less UTC."""

    ingest_on: date
    run_id: str
    processed_at: datetime


def staged_rows(validated: DataFrame, entity: Entity, audit: AuditColumns) -> DataFrame:
    """The good rows, as the entity's table has them."""
    columns = [_typed(_value(column, entity, audit), column) for column in entity.columns]
    return validated.where(f.col("failed_rules") == VALID).select(*columns)


def quarantined_rows(
    validated: DataFrame, entity: Entity, rules: QuarantineRules, quarantine: Entity, audit: AuditColumns
) -> DataFrame:
    """The bad rows, as the quarantine table has them. `validated` must have the line of every bad row."""
    facts = {
        "entity": f.lit(entity.name),
        "ingest_on": f.lit(audit.ingest_on),
        "run_id": f.lit(audit.run_id),
        "rule": rules.first_of(f.col("failed_rules")),
        "reason": rules.names_of(f.col("failed_rules")),
        "units": f.lit(1),
        "amount": f.coalesce(f.col(entity.amount), f.lit(0)) if entity.amount else f.lit(None),
        "item_no": f.col(ITEM_NO) if entity.explode else f.lit(None),
        # a text column holds UTF-8; the hash is that of the bytes as they came
        "raw_record": f.make_valid_utf8("line"),
        "record_hash": f.sha2(f.col("line").cast("binary"), 256),
        "processing_timestamp": timestamp_lit(audit.processed_at),
    }
    columns = [_typed(facts[column.name], column) for column in quarantine.columns]
    return validated.where(f.col("failed_rules") != VALID).select(*columns)


def _value(column: Field, entity: Entity, audit: AuditColumns) -> Column:
    if column.name in entity.partition:
        return f.lit(audit.ingest_on)
    if column.audit:
        return timestamp_lit(audit.processed_at)
    return f.col(column.name) if column.constant is None else f.lit(column.constant)


def _typed(value: Column, column: Field) -> Column:
    return value.cast(spark_schema((column,))[column.name].dataType).alias(column.name)
