"""Refuse suspicious success: a delivery that is empty, or far smaller than the last one, is not handed over.

The numbers are the contract's rules of kind `arrived`; `--allow-empty` and `--allow-shrink` lift them for one entity.
A delivery of a month that was not over is no measure for the ones after it.
"""

from __future__ import annotations

from deftunes_contract.allowances import Allowances, Guard
from deftunes_contract.entity import Entity
from deftunes_contract.errors import DataRejected
from deftunes_contract.interval import Interval
from deftunes_contract.receipt import Receipt


def check_row_count(
    entity: Entity,
    interval: Interval,
    records: int,
    source: str,
    earlier: tuple[Receipt | None, ...],
    allowances: Allowances,
) -> None:
    """Raises DataRejected when `records` are too few by themselves or against one of the earlier receipts."""
    allow_empty = allowances.allows(Guard.EMPTY, entity.name, interval)
    allow_shrink = allowances.allows(Guard.SHRINK, entity.name, interval)
    for rule in entity.rules_of("arrived"):
        least = int(rule.parameters.get("minRows", 0))
        if records < least and not allow_empty:
            raise DataRejected(
                f"{entity.name}: expected at least {least:,} records, found {records:,} at {source}; nothing was "
                "delivered and the earlier delivery is intact. If this is true, add "
                f"--allow-empty {entity.name}:{interval.month} (rule {rule.id})"
            )
        ratio = float(rule.parameters.get("minRatio", 0))
        for receipt in earlier:
            if receipt is None or not _is_measure(receipt, entity, interval):
                continue
            if records < ratio * receipt.records and not allow_shrink:
                raise DataRejected(
                    f"{entity.name}: expected at least {ratio:.0%} of the {receipt.records:,} records delivered for "
                    f"{receipt.interval}, found {records:,} at {source}; nothing was delivered and the earlier "
                    f"delivery is intact. If the source has really shrunk, add "
                    f"--allow-shrink {entity.name}:{interval.month} (rule {rule.id})"
                )


def _is_measure(receipt: Receipt, entity: Entity, interval: Interval) -> bool:
    """Whether a delivery may be expected to be matched by a later one.

    A provisional one is replaced whatever it held. That of another month counts where each delivery is a full snapshot
    (the entity has no event time): a catalogue is whole on every day of the month.
    """
    return not receipt.partial or (receipt.interval != interval and entity.event_time is None)
