"""The data interval: one calendar month, half open, UTC.

Every stage takes `--start` and `--end` and means `[start, end)`. `ingest_on`, the partition of landing zone and
Iceberg tables, is the END of the interval (January 2020 is 2020-02-01), never the wall clock, so a catch-up run
finds the input that its own extract wrote.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from deftunes_contract.errors import UsageError


def _next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


@dataclass(frozen=True, order=True)
class Interval:
    """One calendar month `[start, end)`. Raises UsageError for anything else.

    A longer interval would land one sale under two `ingest_on` values when the months are also run one by one.
    """

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.start.day != 1 or self.end != _next_month(self.start):
            raise UsageError(
                f"expected one calendar month, found --start {self.start} --end {self.end}; "
                f"use e.g. --start {self.start.replace(day=1)} --end {_next_month(self.start)}, "
                "or `deftunes run` for several months"
            )

    @property
    def ingest_on(self) -> date:
        """Partition value of this interval: its end."""
        return self.end

    @property
    def last_day(self) -> date:
        """Last day inside, for sources whose end is inclusive."""
        return self.end - timedelta(days=1)

    @property
    def month(self) -> str:
        """`YYYY-MM`, for people."""
        return f"{self.start:%Y-%m}"

    @property
    def previous(self) -> Interval:
        """The month before."""
        return Interval((self.start - timedelta(days=1)).replace(day=1), self.start)

    @property
    def following(self) -> Interval:
        """The month after."""
        return Interval(self.end, _next_month(self.end))

    def holds(self, moment: datetime) -> bool:
        """Whether a zone-less UTC moment lies in `[start, end)`."""
        return self.start <= moment.date() < self.end

    def __str__(self) -> str:
        return f"[{self.start}, {self.end})"

    @classmethod
    def parse(cls, start: str, end: str) -> Interval:
        """Read two ISO dates. Raises UsageError when they are no dates or no month."""
        return cls(parse_day(start, "--start"), parse_day(end, "--end"))

    @classmethod
    def of_ingest_on(cls, ingest_on: date) -> Interval:
        """The interval that ends on `ingest_on`."""
        return cls((ingest_on - timedelta(days=1)).replace(day=1), ingest_on)

    @classmethod
    def of_month(cls, text: str, name: str = "--month") -> Interval:
        """The month written `YYYY-MM`; `name` is the option it came from. Raises UsageError."""
        try:
            start = date.fromisoformat(f"{text}-01")
        except ValueError:
            raise UsageError(f"{name}: expected a month like 2020-01, found {text!r}") from None
        return cls(start, _next_month(start))

    @classmethod
    def months(cls, start: date, end: date) -> Iterator[Interval]:
        """Every calendar month of `[start, end)`, oldest first. Raises UsageError when a month would be cut."""
        if not start < end:
            raise UsageError(f"expected --start before --end, found {start} and {end}")
        day = start
        while day < end:
            month = cls(day, _next_month(day))
            if month.end > end:
                raise UsageError(f"--end {end} cuts {month.month}; intervals are whole months, e.g. --end {month.end}")
            yield month
            day = month.end


def parse_day(text: str, name: str) -> date:
    """An ISO date from argv; `name` is the option it came from. Raises UsageError."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{name}: expected a date like 2020-01-01, found {text!r}") from None
