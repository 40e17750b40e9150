"""What became of a delivery, counted: good rows, quarantined units by rule, money on both sides.

Data flow: validated rows → one small aggregation → `RowCounts`. `reconcile` compares it with the receipt, so that a row
or a cent that went missing on the way stops the run before anything is staged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from deftunes_contract.entity import Entity
from deftunes_contract.errors import DataRejected
from deftunes_contract.receipt import Receipt
from deftunes_contract.record_path import ITEM_NO
from deftunes_transform.rules import VALID, QuarantineRules

_NO_MONEY = Decimal("0.00")


@dataclass(frozen=True)
class RowCounts:
    """Counts of validated rows. Amounts: None without money. rules: units by the rule they are filed under."""

    records: int
    rows: int
    amount: Decimal | None
    quarantined_units: int
    quarantined_amount: Decimal | None
    rules: Mapping[str, int]


def first_of_record(entity: Entity) -> str:
    """SQL condition that one validated row of every landed record meets."""
    return f"{ITEM_NO} IS NULL OR {ITEM_NO} = 0" if entity.explode else "true"


def count_rows(validated: DataFrame, entity: Entity, rules: QuarantineRules) -> RowCounts:
    """Count validated rows, in one Spark job. Every row stands for one unit."""
    amount = f.sum(entity.amount) if entity.amount else f.lit(None)
    groups = (
        validated.groupBy("failed_rules")
        .agg(
            f.count("*").alias("units"),
            f.count_if(f.expr(first_of_record(entity))).alias("records"),
            amount.alias("amount"),
        )
        .collect()
    )
    by_rule: Counter[str] = Counter()
    units, money = {True: 0, False: 0}, {True: _NO_MONEY, False: _NO_MONEY}
    for group in groups:
        good = group.failed_rules == VALID
        units[good] += group.units
        money[good] += group.amount or _NO_MONEY
        if not good:
            by_rule[rules.first(group.failed_rules)] += group.units
    return RowCounts(
        records=sum(group.records for group in groups),
        rows=units[True],
        amount=money[True] if entity.amount else None,
        quarantined_units=units[False],
        quarantined_amount=money[False] if entity.amount else None,
        rules=dict(by_rule.most_common()),
    )


def reconcile(counts: RowCounts, receipt: Receipt) -> None:
    """Raises DataRejected when what was read is not what was landed, in records, units or money."""
    read = (counts.records, counts.rows + counts.quarantined_units, _sum(counts))
    landed = (receipt.records, receipt.units, receipt.amount)
    if read != landed:
        raise DataRejected(
            f"{receipt.entity} for {receipt.interval} does not add up: expected {_figures(*landed)} as landed, found "
            f"{_figures(*read)}, of them {counts.quarantined_units:,} units in quarantine; nothing was staged. "
            "Extract and transform read a record differently: please report this with the landed objects"
        )


def _sum(counts: RowCounts) -> Decimal | None:
    if counts.amount is None or counts.quarantined_amount is None:
        return None
    return counts.amount + counts.quarantined_amount


def _figures(records: int, units: int, amount: Decimal | None) -> str:
    money = "" if amount is None else f" worth {amount:,}"
    return f"{records:,} records of {units:,} units{money}"
