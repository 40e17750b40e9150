"""References between entities: which share of the staged rows names something that nobody has published.

Data flow: staged rows + main of the referenced table (+ the run's own branch) → `Unmatched` per rule. One aggregation
for all rules; a second look, for examples, only where a rule is broken.

What counts as known: an entity with an event time arrives month by month, so everything published of it counts, with
the judged month as this run staged it (a person may buy in the month of joining). An entity without one is delivered
whole each month, so its latest published partition is all there is, and an id that only an older one had is unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from deftunes_contract.entity import Entity, Rule
from deftunes_contract.layout import branch
from deftunes_contract.registry import load
from deftunes_contract.settings import LakeSettings
from deftunes_lake.snapshot_reader import read_snapshot
from deftunes_lake.snapshots import branch_head, main_head
from deftunes_lake.tables import table_name
from deftunes_quality.privacy import EXAMPLES, shown_value
from deftunes_quality.staged import Staged


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
    spark: SparkSession, settings: LakeSettings, staged: Staged, rows: DataFrame
) -> dict[str, Unmatched]:
    """Rule id → answer, for the reference rules whose entity is known at all; the others are left out."""
    # a column that is not there is the matter of the rule `conform`
    rules = [rule for rule in staged.entity.rules_of("reference") if rule.column in rows.columns]
    names = sorted({str(rule.parameters["entity"]) for rule in rules})
    known = {name: known_rows(spark, settings, staged, load(name)) for name in names}
    asked = [(rule, frame) for rule in rules if (frame := known[rule.parameters["entity"]]) is not None]
    return _count(staged.entity, rows, asked) if asked else {}


def known_rows(spark: SparkSession, settings: LakeSettings, staged: Staged, referenced: Entity) -> DataFrame | None:
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


def _count(entity: Entity, rows: DataFrame, asked: Sequence[tuple[Rule, DataFrame]]) -> dict[str, Unmatched]:
    joined, sums = rows.select(*{rule.column for rule, _ in asked}), []
    for number, (rule, known) in enumerate(asked):
        match = f"match_{number}"
        ids = known.select(f.col(rule.parameters["references"]).alias(match)).where(f.col(match).isNotNull()).distinct()
        joined = joined.join(ids, f.col(rule.column) == f.col(match), "left")
        sums += [f.count(rule.column), f.count_if(f.col(rule.column).isNotNull() & f.col(match).isNull())]
    counts = joined.agg(*sums).collect()[0]
    answers: dict[str, Unmatched] = {}
    for number, (rule, known) in enumerate(asked):
        answer = Unmatched(rows=counts[2 * number], unmatched=counts[2 * number + 1])
        if answer.share > rule.parameters["maxUnmatched"]:
            answer = Unmatched(answer.rows, answer.unmatched, _examples(entity, rows, known, rule))
        answers[rule.id] = answer
    return answers


def _examples(entity: Entity, rows: DataFrame, known: DataFrame, rule: Rule) -> tuple[str, ...]:
    """The most frequent unmatched values, the same ones on every run."""
    column, key = rule.column, rule.parameters["references"]
    strangers = rows.select(column).join(known.select(f.col(key).alias(column)), column, "left_anti")
    counted = strangers.where(f.col(column).isNotNull()).groupBy(column).count()
    top = counted.orderBy(f.desc("count"), column).limit(EXAMPLES).collect()
    return tuple(shown_value(entity, column, row[0]) for row in top)
