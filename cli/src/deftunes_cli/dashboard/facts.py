"""Facts beside those of the packaged star: rows and money of each month, for every fact that contracts add.

`Verification` (what verify read of the serving tables in use) ─► one table a fact. The packaged star has pages of its
own.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from deftunes_contract.entity import Entity, Role
from deftunes_contract.registry import registry
from deftunes_serving.verify import Verification
from deftunes_serving.verify.serving_tables import star_entity


@dataclass(frozen=True)
class FactMonth:
    """One month of a fact as it is served; None where it is published and not served."""

    month: str
    rows: int | None
    amount: Decimal | None


@dataclass(frozen=True)
class AddedFact:
    """A fact that is not the packaged star's. relation: the serving table it adds up to, empty when none was named."""

    entity: str
    purpose: str
    relation: str
    months: tuple[FactMonth, ...]

    @property
    def rows(self) -> int:
        """Over all months."""
        return sum(month.rows or 0 for month in self.months)

    @property
    def amount(self) -> Decimal:
        """Over all months."""
        return sum((month.amount or Decimal() for month in self.months), Decimal())


def added_facts(verification: Verification | None) -> tuple[AddedFact, ...]:
    """Every added fact of which something was delivered or published, in publish order."""
    if verification is None:
        return ()
    star = star_entity()
    facts = [one for one in registry().entities.values() if one.role is Role.FACT and one.name != star]
    found = (_fact(entity, verification) for entity in facts)
    return tuple(fact for fact in found if fact.months)


def _fact(entity: Entity, verification: Verification) -> AddedFact:
    months = []
    for check in verification.intervals:
        if check.entity == entity.name:
            # without a serving table, what is published is all that can be shown
            served = check.fact if entity.serving_table else check.published
            amount = None if served is None else served.amount
            months.append(FactMonth(check.month, None if served is None else served.units, amount))
    return AddedFact(entity.name, entity.purpose, entity.serving_table or "", tuple(months))
