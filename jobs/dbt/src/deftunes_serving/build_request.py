"""What a build is called for: months, selection, and the guards that its caller lifts by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from deftunes_contract.allowances import NONE_ALLOWED, Allowances
from deftunes_contract.interval import Interval

EVERYTHING = "1 = 1"
"""The condition of a full load."""


@dataclass(frozen=True)
class BuildRequest:
    """What to build: whole months [start, end); everything published with `full_refresh`; dbt selectors.

    allowances: entities of which readers may see fewer members than before.
    """

    start: date
    end: date
    full_refresh: bool = False
    select: tuple[str, ...] = ()
    allowances: Allowances = NONE_ALLOWED

    @property
    def partitions(self) -> str:
        """The condition on ingest_on that names the partitions to build; as macros/intervals.sql says it."""
        if self.full_refresh:
            return EVERYTHING
        return f"ingest_on > date '{self.start}' and ingest_on <= date '{self.end}'"

    @property
    def months(self) -> list[Interval]:
        """The requested months."""
        return list(Interval.months(self.start, self.end))

    @property
    def variables(self) -> Mapping[str, date]:
        """The vars that macros/intervals.sql reads."""
        return {"start": self.start, "end": self.end}
