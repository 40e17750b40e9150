"""Keys of a staged interval that are public in another one: records that moved from month to month.

Data flow: staged key column + the same column of the published months near it → `Elsewhere` per month. One read of one
column of at most twice `months` partitions, so the cost does not grow with the history; a record that moves farther is
found by dbt's test of the star, which serves nothing then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from deftunes_contract.entity import Rule
from deftunes_contract.interval import Interval
from deftunes_lake.snapshot_reader import read_snapshot
from deftunes_quality.figures import column_faults
from deftunes_quality.privacy import EXAMPLES, shown_row
from deftunes_quality.staged import Staged


@dataclass(frozen=True)
class Elsewhere:
    """Keys that are staged here and public in another month."""

    interval: Interval
    keys: int
    examples: tuple[str, ...]


def near(interval: Interval, months: int, published: Iterable[date]) -> tuple[date, ...]:
    """`ingest_on` of the published intervals at most so many months before or after this one, oldest first."""
    before, after, found = interval, interval, set[date]()
    for _ in range(months):
        before, after = before.previous, after.following
        found |= {before.ingest_on, after.ingest_on}
    return tuple(sorted(found & set(published)))


def find_elsewhere(spark: SparkSession, staged: Staged, rows: DataFrame) -> Mapping[str, tuple[Elsewhere, ...]]:
    """Rule id → other months that show a staged key, oldest first; without rules that have no published month near."""
    found: dict[str, tuple[Elsewhere, ...]] = {}
    for rule in staged.entity.rules_of("unique_across_intervals"):
        months = near(staged.interval, rule.parameters["months"], staged.public.others)
        if months and rule.column not in column_faults(staged.entity, rows.schema):
            found[rule.id] = _find(spark, staged, rows, rule, months)
    return found


def _find(
    spark: SparkSession, staged: Staged, rows: DataFrame, rule: Rule, months: tuple[date, ...]
) -> tuple[Elsewhere, ...]:
    key = rule.column
    public = read_snapshot(spark, staged.table, staged.public.main).where(f.col("ingest_on").isin(*months))
    both = public.select("ingest_on", key).join(rows.select(key), key, "left_semi").distinct()
    ordered = f.slice(f.sort_array(f.collect_set(key)), 1, EXAMPLES)
    groups = both.groupBy("ingest_on").agg(f.count("*").alias("keys"), ordered.alias("examples")).collect()
    return tuple(
        Elsewhere(
            Interval.of_ingest_on(group["ingest_on"]),
            group["keys"],
            tuple(shown_row(staged.entity, {key: value}) for value in group["examples"]),
        )
        for group in sorted(groups, key=lambda group: group["ingest_on"])
    )
