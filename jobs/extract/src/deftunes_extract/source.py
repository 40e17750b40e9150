"""The seam between a source and the delivery made of it: what every kind of source offers and raises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol, runtime_checkable

from deftunes_contract.errors import RetryableError, StageError
from deftunes_contract.redaction import printable, redact
from deftunes_contract.retry import Deadline

Put = Callable[[bytes, int], None]
"""Takes a block of whole lines and their number."""


@dataclass(frozen=True)
class LoadTotals:
    """What was landed; the fields mean what they mean in the receipt."""

    records: int
    units: int
    amount: Decimal | None = None
    min_time: datetime | None = None
    max_time: datetime | None = None
    warnings: tuple[str, ...] = ()


class SourceError(Exception):
    """A fault of a source that may pass, so the source is read again from the beginning.

    error_class: how the stage ends when the fault does not pass. retry_after: seconds the source asks to wait.
    """

    def __init__(
        self, message: str, error_class: type[StageError] = RetryableError, retry_after: float | None = None
    ) -> None:
        super().__init__(printable(redact(message)))
        self.error_class, self.retry_after = error_class, retry_after


class Source(Protocol):
    """Where records come from. `name` is written into the receipt, without credentials."""

    name: str

    def read(self, deadline: Deadline, put: Put) -> LoadTotals:
        """Put everything, in blocks of whole lines; may be called again after a SourceError."""


@runtime_checkable
class SlicedSource(Source, Protocol):
    """A source that can be read in slices, each by itself. Together they are what `read` puts.

    A fingerprint stands for the records that the source holds of a slice: equal fingerprints, equal records.
    """

    def slices(self) -> Sequence[str]:
        """A name of each slice, in order; fewer than two: it is not read in slices."""

    def read_slice(self, number: int, deadline: Deadline, put: Put) -> tuple[int, str]:
        """Put one slice, as `read` does; the number of its records and its fingerprint."""

    def summary(self, deadline: Deadline) -> tuple[LoadTotals, Sequence[str]]:
        """Totals of all slices and the fingerprint of each, as the source holds them now, at one moment."""
