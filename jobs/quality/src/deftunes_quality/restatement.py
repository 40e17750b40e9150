"""A month that is run again, against its own public rows: what would be lost by publishing it.

Data flow: public rows of the interval + staged keys → `Restatement`; one anti-join over the key columns, the amount and
the event time, and none when the month was never public or the same delivery is validated again. Keys are compared, not
numbers of rows: a month whose sales are replaced by as many others has lost them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as f

from deftunes_contract.entity import Entity
from deftunes_contract.load_metrics import LoadMetrics
from deftunes_lake.snapshot_reader import read_snapshot
from deftunes_quality.interval_under_test import PublicState, StagedInterval
from deftunes_quality.masking import EXAMPLES, shown_row
from deftunes_quality.metrics import column_faults


@dataclass(frozen=True)
class Restatement:
    """Public rows and amount of an interval, and those of them whose key is not staged again.

    expired: lost rows whose event is older than what the source still promises to deliver. Amounts are None for
    entities without money.
    """

    rows: int
    amount: Decimal | None = None
    lost_rows: int = 0
    lost_amount: Decimal | None = None
    expired: int = 0
    examples: tuple[str, ...] = ()

    def loss(self, staged_rows: int, staged_amount: Decimal | None) -> float:
        """Share of the public interval that would be lost, 0 to 1: the greatest of keys, rows and money.

        Money counts twice: what the lost rows were worth, and how much less the whole month is worth.
        """
        shares = [self.lost_rows / self.rows, (self.rows - staged_rows) / self.rows] if self.rows else []
        if self.amount:
            less = [self.lost_amount or Decimal(0), self.amount - (staged_amount or Decimal(0))]
            shares += [float(part / self.amount) for part in less]
        return max([0.0, *shares])

    def words(self, entity: Entity, staged_rows: int, staged_amount: Decimal | None) -> str:
        """Both figures, before and after: `240 → 11 rows (229 public ones are gone), price 269.30 → 12.34 USD`."""
        gone = f" ({self.lost_rows:,} public ones are gone)" if self.lost_rows else ""
        rows = f"{self.rows:,} → {staged_rows:,} rows{gone}"
        if self.amount is None:
            return rows
        unit = f" {currency}" if (currency := _currency(entity)) else ""
        return f"{rows}, {entity.amount} {self.amount:,.2f} → {staged_amount or Decimal(0):,.2f}{unit}"


def compare(spark: SparkSession, staged: StagedInterval, rows: DataFrame) -> Restatement | None:
    """The staged rows against what main shows of their interval; None when it shows none, or keys cannot be read."""
    entity, public = staged.entity, staged.public
    if not public.rows or not entity.rules_of("restatement", "same_source"):
        return None
    measured = [*entity.key, *([entity.amount] if entity.amount else [])]
    if column_faults(entity, rows.schema).keys() & set(measured):
        # the rule `conform` closes the gate
        return None
    before = read_snapshot(spark, staged.table, public.main).where(
        f.col("ingest_on") == f.lit(staged.interval.ingest_on)
    )
    amount = _public_amount(entity, public, before)
    if same_delivery(public.summary, staged.summary):
        return Restatement(public.rows, amount)
    lost = before.join(rows.select(*entity.key), [*entity.key], "left_anti")
    (found,) = lost.agg(
        f.count("*"), f.sum(entity.amount) if entity.amount else f.lit(None), _count_expired(entity, staged)
    ).collect()
    return Restatement(
        rows=public.rows,
        amount=amount,
        lost_rows=found[0],
        lost_amount=found[1],
        expired=found[2],
        examples=_examples(entity, lost) if found[0] else (),
    )


def same_delivery(public: LoadMetrics | None, staged: LoadMetrics) -> bool:
    """Whether the public rows were made of the very objects that the staged ones were made of."""
    return public is not None and (public.receipt, public.contract_version, public.rows, public.amount) == (
        staged.receipt,
        staged.contract_version,
        staged.rows,
        staged.amount,
    )


def promised_since(entity: Entity, landed_at: datetime | None) -> datetime | None:
    """The moment (UTC) from which on the source still delivers events; None when it promises all of them."""
    days: Sequence[int] = [
        int(rule.parameters["retentionDays"])
        for rule in entity.rules_of("restatement")
        if "retentionDays" in rule.parameters
    ]
    if not days or landed_at is None or entity.event_time is None:
        return None
    return landed_at.astimezone(UTC) - timedelta(days=min(days))


def _count_expired(entity: Entity, staged: StagedInterval) -> Column:
    since = promised_since(entity, staged.summary.landed_at)
    if since is None or entity.event_time is None:
        return f.lit(0)
    # the column has no zone and holds UTC
    moment = f.lit(since.replace(tzinfo=None).isoformat(sep=" ")).cast("timestamp_ntz")
    return f.count_if(f.col(entity.event_time) < moment)


def _public_amount(entity: Entity, public: PublicState, before: DataFrame) -> Decimal | None:
    if entity.amount is None:
        return None
    summary = public.summary
    if summary is not None and summary.rows == public.rows and summary.amount is not None:
        return summary.amount
    (found,) = before.agg(f.sum(entity.amount)).collect()
    return Decimal(0) if found[0] is None else Decimal(found[0])


def _examples(entity: Entity, lost: DataFrame) -> tuple[str, ...]:
    """The first lost keys, the same ones on every run."""
    top = lost.select(*entity.key).orderBy(*entity.key).limit(EXAMPLES).collect()
    return tuple(shown_row(entity, row.asDict()) for row in top)


def _currency(entity: Entity) -> str:
    """The one currency that the contract allows; empty when there is none or more than one."""
    allowed = [rule.parameters["values"] for rule in entity.rules_of("allowed") if rule.columns == ("currency",)]
    return str(allowed[0][0]) if allowed and len(allowed[0]) == 1 else ""
