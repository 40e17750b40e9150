"""Staged keys looked up in published tables: references to other entities, other months, another source.

* references: which share of the staged rows names an id that no published row has. An entity with an event time arrives
  month by month, so everything published of it counts, and the same month as this run staged it (a person may buy in
  the month of joining). An entity without one is delivered whole each month, so only its latest published partition
  counts. One aggregation for all rules; a second query, for examples, only where a rule fails.
* other months: keys that are staged here and public in another month. One read of one column of at most twice `months`
  partitions, so the cost does not grow with the history; a record that moves farther is found by dbt's tests.
* another source: two shops must not share one table. A shop that moved to another address delivers what it delivered
  before; another shop's keys are others. Measured only when the sources differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import reduce

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from deftunes_contract.entity import Entity, Rule
from deftunes_contract.interval import Interval
from deftunes_contract.layout import branch
from deftunes_contract.registry import load
from deftunes_contract.settings import LakeSettings
from deftunes_lake.snapshot_reader import read_snapshot
from deftunes_lake.snapshots import branch_head, main_head
from deftunes_lake.tables import table_name
from deftunes_quality.interval_under_test import PublicState, StagedInterval
from deftunes_quality.masking import EXAMPLES, shown_row, shown_value
from deftunes_quality.metrics import column_faults
from deftunes_quality.restatement import Restatement


@dataclass(frozen=True)
class Unmatched:
    """The answer for one rule: `rows` name something, `unmatched` of them something unknown. Nulls do not count."""

    rows: int
    unmatched: int
    examples: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """Unmatched rows per row, 0 to 1."""
        return self.unmatched / self.rows if self.rows else 0.0


def find_unmatched(
    spark: SparkSession, settings: LakeSettings, staged: StagedInterval, rows: DataFrame
) -> dict[str, Unmatched]:
    """Rule id → answer, for the reference rules whose entity is known at all; the others are left out."""
    # a column that is not there is the matter of the rule `conform`
    rules = [rule for rule in staged.entity.rules_of("reference") if rule.column in rows.columns]
    names = sorted({str(rule.parameters["entity"]) for rule in rules})
    known = {name: known_rows(spark, settings, staged, load(name)) for name in names}
    checked = [(rule, frame) for rule in rules if (frame := known[rule.parameters["entity"]]) is not None]
    return _count(staged.entity, rows, checked) if checked else {}


def known_rows(
    spark: SparkSession, settings: LakeSettings, staged: StagedInterval, referenced: Entity
) -> DataFrame | None:
    """The rows that a reference may name, or None when the entity was never published (nor staged by this run)."""
    table = table_name(settings, referenced.name)
    head = main_head(spark, table)
    public = None if head is None or head.total_rows == 0 else read_snapshot(spark, table, head.id)
    if referenced.event_time is None:
        if public is None:
            return None
        # answered from the manifests: ingest_on is the partition
        (latest,) = public.agg(f.max("ingest_on")).collect()[0]
        return public.where(f.col("ingest_on") == f.lit(latest))
    own = branch_head(spark, table, branch(staged.run_id, staged.interval.ingest_on))
    if own is None:
        return public
    this_month = f.col("ingest_on") == f.lit(staged.interval.ingest_on)
    parts = [read_snapshot(spark, table, own.id).where(this_month)]
    parts += [] if public is None else [public.where(~this_month)]
    return reduce(DataFrame.unionByName, parts)


def _count(entity: Entity, rows: DataFrame, checked: Sequence[tuple[Rule, DataFrame]]) -> dict[str, Unmatched]:
    joined, sums = rows.select(*{rule.column for rule, _ in checked}), []
    for number, (rule, known) in enumerate(checked):
        match = f"match_{number}"
        ids = known.select(f.col(rule.parameters["references"]).alias(match)).where(f.col(match).isNotNull()).distinct()
        joined = joined.join(ids, f.col(rule.column) == f.col(match), "left")
        sums += [f.count(rule.column), f.count_if(f.col(rule.column).isNotNull() & f.col(match).isNull())]
    counts = joined.agg(*sums).collect()[0]
    answers: dict[str, Unmatched] = {}
    for number, (rule, known) in enumerate(checked):
        answer = Unmatched(rows=counts[2 * number], unmatched=counts[2 * number + 1])
        if answer.share > rule.parameters["maxUnmatched"]:
            answer = Unmatched(answer.rows, answer.unmatched, _examples(entity, rows, known, rule))
        answers[rule.id] = answer
    return answers


def _examples(entity: Entity, rows: DataFrame, known: DataFrame, rule: Rule) -> tuple[str, ...]:
    """The most frequent unmatched values, the same ones on every run."""
    column, key = rule.column, rule.parameters["references"]
    unmatched = rows.select(column).join(known.select(f.col(key).alias(column)), column, "left_anti")
    counted = unmatched.where(f.col(column).isNotNull()).groupBy(column).count()
    top = counted.orderBy(f.desc("count"), column).limit(EXAMPLES).collect()
    return tuple(shown_value(entity, column, row[0]) for row in top)


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


def find_elsewhere(spark: SparkSession, staged: StagedInterval, rows: DataFrame) -> Mapping[str, tuple[Elsewhere, ...]]:
    """Rule id → other months that show a staged key, oldest first; without rules that have no published month near."""
    found: dict[str, tuple[Elsewhere, ...]] = {}
    for rule in staged.entity.rules_of("unique_across_intervals"):
        months = near(staged.interval, rule.parameters["months"], staged.public.others)
        if months and rule.column not in column_faults(staged.entity, rows.schema):
            found[rule.id] = _find(spark, staged, rows, rule, months)
    return found


def _find(
    spark: SparkSession, staged: StagedInterval, rows: DataFrame, rule: Rule, months: tuple[date, ...]
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


def origin(source: str) -> str:
    """A receipt's source without the interval in its query: `http://127.0.0.1:8001/users`."""
    return source.partition("?")[0].rstrip("/")


def public_origins(public: PublicState, month: str) -> dict[str, str]:
    """Origin → month: of the interval's own public rows, else of the newest other intervals. Unknown: left out."""
    if public.rows:
        own = origin(public.summary.source) if public.summary else ""
        return {own: month} if own else {}
    return {origin(source): other for other, source in reversed(public.sources)}


def known_share(
    spark: SparkSession, staged: StagedInterval, rows: DataFrame, restated: Restatement | None
) -> float | None:
    """Share of the staged rows whose key is public: in their own month, or for a snapshot in the newest other month.

    None when it cannot be measured, or need not be because the source is the same.
    """
    entity, public, count = staged.entity, staged.public, staged.summary.rows
    if not count or origin(staged.summary.source) in public_origins(public, staged.interval.month):
        return None
    if restated is not None:
        return min(1.0, (restated.rows - restated.lost_rows) / count)
    keys = list(entity.key)
    if entity.event_time is not None or not public.others or column_faults(entity, rows.schema).keys() & set(keys):
        return None
    newest = f.col("ingest_on") == f.lit(max(public.others))
    known = read_snapshot(spark, staged.table, public.main).where(newest).select(*keys)
    return rows.select(*keys).join(known, keys, "left_semi").count() / count
