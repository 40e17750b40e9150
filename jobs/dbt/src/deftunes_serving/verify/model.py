"""What a verification says: the figures of every hop, what did not agree, and a content fingerprint per table.

Frozen and typed; money is exact decimal and becomes text in JSON. The parts `items`, `total_sales`, `sales` and
`tables` hold nothing that differs between two equal states (no run ids, no clock times, no paths), so two outputs can
be compared with `==`; what varies stands under `runs`.
"""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

CENT = Decimal("0.01")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Figures(_Frozen):
    """How much of an interval is at one hop: table rows (or what stands for them), and USD where there is money."""

    units: int
    amount: Decimal | None = None

    def __add__(self, other: Figures) -> Figures:
        """Both together; money is None only when neither has any."""
        if self.amount is None and other.amount is None:
            return Figures(units=self.units + other.units)
        return Figures(units=self.units + other.units, amount=(self.amount or Decimal()) + (other.amount or Decimal()))

    def __str__(self) -> str:
        """`720 rows, 803.12 USD`."""
        rows = f"{self.units:,} row" + ("" if self.units == 1 else "s")
        return rows if self.amount is None else f"{rows}, {self.amount:,} USD"


def figures(units: int, amount: Decimal | None, has_money: bool) -> Figures:
    """Figures with money in cents: 0.00 where the entity has money and nothing was summed, None where it has none."""
    return Figures(units=units, amount=(amount or Decimal()).quantize(CENT) if has_money else None)


class State(StrEnum):
    """How far an interval has come."""

    PUBLISHED = "published"
    """What is delivered is what is public."""
    PENDING = "pending"
    """A delivery waits that is not public (yet); an older one may be."""
    UNEXPLAINED = "unexplained"
    """Rows are public that no published snapshot accounts for."""


class Discrepancy(_Frozen):
    """One disagreement. `hop` names where the figures part; `sentence` is for people."""

    hop: str
    subject: str
    expected: str
    found: str
    where: str
    advice: str

    @property
    def sentence(self) -> str:
        """Expected, found, where, what to do next."""
        return f"{self.subject}: expected {self.expected}, found {self.found} {self.where}; {self.advice}"


class IntervalCheck(_Frozen):
    """One entity and month, hop by hop. A hop that does not apply, or could not be counted, is None.

    source: as extract counted off the wire (receipt). landed: counted again in the landed files. published: in `main`.
    quarantined: of the run that was published. fact: in the serving star (sessions only). provisional: the month was
    not over when what is public (or what waits, where nothing is) was read.
    """

    entity: str
    month: str
    ingest_on: date
    state: State
    provisional: bool
    source: Figures | None
    landed: Figures | None
    published: Figures | None
    quarantined: Figures | None
    fact: Figures | None


class TableHash(_Frozen):
    """Rows of a table and a fingerprint of their content that does not depend on their order."""

    rows: int
    fingerprint: str


class Sale(_Frozen):
    """Sales of one month and country, USD, as analysts see them."""

    session_year: int | None
    session_month: int | None
    country_code: str | None
    total_sales: Decimal


class PublishedRun(_Frozen):
    """Which run made an interval public and which delivered it: what varies between equal states."""

    entity: str
    ingest_on: date
    published_run: str | None
    snapshot_id: int | None
    delivered_run: str | None
    landed_at: datetime | None


class Verification(_Frozen):
    """Whether the platform's figures agree from the source to the serving star, and what it holds.

    pending, provisional: sentences on deliveries that are not public, and on months that were read before their end.
    """

    faults: tuple[Discrepancy, ...]
    pending: tuple[str, ...]
    provisional: tuple[str, ...]
    intervals: tuple[IntervalCheck, ...]
    items: int
    total_sales: Decimal
    sales: tuple[Sale, ...]
    tables: dict[str, TableHash]
    runs: tuple[PublishedRun, ...]

    @property
    def reconciled(self) -> bool:
        """Whether every figure that was compared agreed."""
        return not self.faults

    @property
    def sentence(self) -> str:
        """The result in one line."""
        published = sum(check.state is State.PUBLISHED for check in self.intervals)
        waiting = f", {len(self.pending)} delivered and not public" if self.pending else ""
        waiting += f", {len(self.provisional)} provisional" if self.provisional else ""
        if self.reconciled:
            return (
                f"source = landed = published + quarantined = facts for {published} published intervals{waiting}: "
                f"{self.items:,} items, {self.total_sales:,} USD"
            )
        first = self.faults[0].sentence
        more = f" (and {len(self.faults) - 1} more; see deftunes verify)" if len(self.faults) > 1 else ""
        return f"figures do not agree: {first}{more}"

    def to_json(self) -> str:
        """The verification as JSON text with a stable order of keys; decimals are text, `faults` have a sentence."""
        values: dict[str, Any] = {"reconciled": self.reconciled, **self.model_dump(mode="json")}
        for fault, dumped in zip(self.faults, values["faults"], strict=True):
            dumped["sentence"] = fault.sentence
        return json.dumps(values, indent=2, ensure_ascii=False) + "\n"
