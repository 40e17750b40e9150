"""Figures of an interval that are not rows: what the quarantine holds of the run, and how the table is shaped.

Data flow: quarantine table, table schema → `Quarantined`, column faults. The other figures (landed, staged, previous
month) come with the staged snapshot and cost nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f
from pyspark.sql.types import StructType

from deftunes_contract.entity import Entity
from deftunes_contract.settings import LakeSettings
from deftunes_lake.snapshot_reader import read_snapshot
from deftunes_lake.snapshots import main_head
from deftunes_lake.tables import spark_schema, table_name
from deftunes_quality.interval_under_test import StagedInterval
from deftunes_quality.masking import shown_record

TOP_RULES = 3
"""Rules whose quarantined records are shown when the quarantine is too full."""


@dataclass(frozen=True)
class Quarantined:
    """What the quarantine holds of this run and interval. by_rule: first broken rule → units, most first."""

    units: int
    amount: Decimal
    by_rule: Mapping[str, int]


def quarantine_rows(spark: SparkSession, settings: LakeSettings, staged: StagedInterval) -> DataFrame | None:
    """The run's quarantined rows of the interval, None while the quarantine is empty."""
    table = table_name(settings, "quarantine")
    head = main_head(spark, table)
    if head is None or head.total_rows == 0:
        return None
    keys = {
        "entity": staged.entity.name,
        "ingest_on": staged.interval.ingest_on,
        "run_id": staged.run_id,
    }
    rows = read_snapshot(spark, table, head.id)
    for column, value in keys.items():
        rows = rows.where(f.col(column) == f.lit(value))
    return rows


def count_quarantined(rows: DataFrame | None) -> Quarantined:
    """Units and money per rule, in one aggregation."""
    if rows is None:
        return Quarantined(0, Decimal(0), {})
    groups = rows.groupBy("rule").agg(f.sum("units").alias("units"), f.sum("amount").alias("amount")).collect()
    by_rule = {group["rule"]: int(group["units"]) for group in sorted(groups, key=lambda g: (-g["units"], g["rule"]))}
    amount = sum((group["amount"] for group in groups if group["amount"] is not None), Decimal(0))
    return Quarantined(sum(by_rule.values()), amount, by_rule)


def quarantine_examples(entity: Entity, rows: DataFrame | None, quarantined: Quarantined) -> tuple[str, ...]:
    """One line for each of the fullest rules: `price_max 40 (e.g. {"user_id": "8f14…"})`; the same on every run."""
    top = list(quarantined.by_rule)[:TOP_RULES]
    if rows is None or not top:
        return ()
    # several rows may carry one record, all with the same hash and text
    first = rows.where(f.col("rule").isin(top)).groupBy("rule").agg(f.min_by("raw_record", "record_hash"))
    records = {row[0]: row[1] for row in first.collect()}
    return tuple(f"{rule} {quarantined.by_rule[rule]} (e.g. {shown_record(entity, records[rule])})" for rule in top)


def column_faults(entity: Entity, found: StructType) -> dict[str, str]:
    """Columns of the contract that are missing or of another type, each with what is wrong, in words."""
    types = {field.name: field.dataType.simpleString() for field in found}
    faults: dict[str, str] = {}
    for field in spark_schema(entity.columns):
        wanted = field.dataType.simpleString()
        if field.name not in types:
            faults[field.name] = f"{field.name} is missing"
        elif types[field.name] != wanted:
            faults[field.name] = f"{field.name} is {types[field.name]}, not {wanted}"
    return faults
