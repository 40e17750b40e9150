"""Refuse suspicious success: a delivery that is empty, or far smaller than the last one, is not handed over.

The numbers are the contract's rules of kind `arrived`; `--allow-empty` and `--allow-shrink` say that the caller knows.
"""

from __future__ import annotations

from deftunes_contract.entity import Entity
from deftunes_contract.exits import DataRefused
from deftunes_contract.receipt import Receipt


def check_arrival(
    entity: Entity,
    records: int,
    source: str,
    earlier: tuple[Receipt | None, ...],
    allow_empty: bool,
    allow_shrink: bool,
) -> None:
    """Raises DataRefused when `records` are too few by themselves or against one of the earlier receipts."""
    for rule in entity.rules_of("arrived"):
        least = int(rule.parameters.get("minRows", 0))
        if records < least and not allow_empty:
            raise DataRefused(
                f"{entity.name}: expected at least {least:,} records, found {records:,} at {source}; nothing was "
                f"delivered and the earlier delivery is intact. If this is true, add --allow-empty (rule {rule.id})"
            )
        ratio = float(rule.parameters.get("minRatio", 0))
        for receipt in earlier:
            if receipt is not None and records < ratio * receipt.records and not allow_shrink:
                raise DataRefused(
                    f"{entity.name}: expected at least {ratio:.0%} of the {receipt.records:,} records delivered for "
                    f"{receipt.interval}, found {records:,} at {source}; nothing was delivered and the earlier "
                    f"delivery is intact. If the source has really shrunk, add --allow-shrink (rule {rule.id})"
                )
