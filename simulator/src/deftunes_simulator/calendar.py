"""The world's months: which exist, how much happens in each, and how it spreads over days and hours.

A month is cut into cells of one hour. A `Timetable` says which record numbers fall into which cell, by
integer arithmetic alone, so any day of any month is found without generating the days before it.
All times are UTC without zone; record times inside a cell rise with the record number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import accumulate
from typing import NamedTuple

from .seeded_draws import domain_salt, draw

HOUR_US = 3_600_000_000
"""Microseconds in a cell."""

# Share of the day's trade per hour: quiet before dawn, a bump at lunch, the peak after dinner.
_HOUR_WEIGHTS = (5, 3, 2, 1, 1, 2, 4, 7, 9, 10, 11, 13, 15, 13, 12, 12, 13, 15, 18, 22, 25, 24, 18, 10)
# Monday first; people buy music at the weekend.
_DAY_WEIGHTS = (8, 8, 9, 10, 13, 15, 12)
_MONTH_TEXT = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")


class Month(NamedTuple):
    """A calendar month, ordered by time."""

    year: int
    month: int

    @classmethod
    def parse(cls, text: str) -> Month:
        """Read ``YYYY-MM``; raises ValueError saying what was found."""
        match = _MONTH_TEXT.fullmatch(text)
        if match is None or match[1] == "0000":
            raise ValueError(f"expected a month as YYYY-MM, found {text!r}")
        return cls(int(match[1]), int(match[2]))

    def plus(self, months: int) -> Month:
        """Return the month that lies ``months`` later."""
        year, zero_based = divmod(self.year * 12 + self.month - 1 + months, 12)
        return Month(year, zero_based + 1)

    @property
    def first_ordinal(self) -> int:
        """Proleptic ordinal of the month's first day."""
        return date(self.year, self.month, 1).toordinal()

    @property
    def days(self) -> int:
        """Number of days in the month."""
        return self.plus(1).first_ordinal - self.first_ordinal

    def __str__(self) -> str:
        """Return ``YYYY-MM``."""
        return f"{self.year:04d}-{self.month:02d}"


@dataclass(frozen=True)
class Timetable:
    """Where the ``count`` records of one month fall.

    Record 0 happens at the month's first microsecond and record ``count - 1`` at its last (the edges that
    interval logic gets wrong); the records between are spread over the cells: cell ``c`` holds the numbers
    ``1 + bounds[c]`` up to but not including ``1 + bounds[c + 1]``.
    """

    month: Month
    count: int
    bounds: tuple[int, ...]

    @property
    def last_cell(self) -> int:
        """Number of the month's final hour."""
        return len(self.bounds) - 2

    def numbers(self, cell: int) -> range:
        """Record numbers of one cell without the two edge records."""
        return range(1 + self.bounds[cell], 1 + self.bounds[cell + 1]) if self.count else range(0)

    def opens(self, cell: int) -> bool:
        """Tell whether record 0 (first microsecond of the month) lies in this cell."""
        return self.count > 0 and cell == 0

    def closes(self, cell: int) -> bool:
        """Tell whether the last record (last microsecond of the month) lies in this cell."""
        return self.count > 1 and cell == self.last_cell

    def done_before(self, cell: int, offset_us: int) -> int:
        """Return how many records are certainly not later than ``offset_us`` into the cell."""
        if not self.count:
            return 0
        inside = self.bounds[cell + 1] - self.bounds[cell]
        return 1 + self.bounds[cell] + offset_us * inside // HOUR_US


def spread(month: Month, count: int, *, opening: bool = False) -> Timetable:
    """Spread ``count`` records over a month.

    With ``opening`` half of them fall into the first hour: the shop opens with a waiting list, so that
    the first sales already have more than one buyer.
    """
    first = month.first_ordinal
    weights = [
        _DAY_WEIGHTS[(first + day - 1) % 7] * hour_weight for day in range(month.days) for hour_weight in _HOUR_WEIGHTS
    ]
    if opening:
        weights[0] += sum(weights)
    reached = list(accumulate(weights, initial=0))
    inner = max(0, count - 2)
    return Timetable(month, count, tuple(inner * part // reached[-1] for part in reached))


def offset_in_cell(position: int, size: int, word: int) -> int:
    """Return the microsecond of record ``position`` of ``size`` in its hour, drawn by a 64 bit word.

    Each record has its own slice of the hour, hence times never fall back.
    """
    return (position * HOUR_US + (word * HOUR_US >> 64)) // size


def clock(offset_us: int) -> bytes:
    """Return ``MM:SS.ffffff`` for a microsecond of the hour."""
    minute, rest = divmod(offset_us, 60_000_000)
    second, micro = divmod(rest, 1_000_000)
    return b"%02d:%02d.%06d" % (minute, second, micro)


class Moment(NamedTuple):
    """One record's place in time, with the draws that belong to it."""

    number: int
    """Position in the month."""
    cell: int
    offset_us: int
    stamp: bytes
    """``YYYY-MM-DDTHH:MM:SS.ffffff``."""
    words: tuple[int, ...]


def walk(
    timetable: Timetable, first_cell: int, stop_cell: int, draw_record: Callable[[int], tuple[int, ...]]
) -> Iterator[Moment]:
    """Yield the records of the cells ``first_cell`` … ``stop_cell - 1`` in time order.

    ``draw_record`` gives the random words of a position in the month; word 0 decides the time.
    """
    for cell in range(first_cell, stop_cell):
        day, hour = divmod(cell, 24)
        prefix = b"%04d-%02d-%02dT%02d:" % (*timetable.month, day + 1, hour)
        if timetable.opens(cell):
            yield Moment(0, cell, 0, prefix + clock(0), draw_record(0))
        numbers = timetable.numbers(cell)
        size = len(numbers)
        for position, number in enumerate(numbers):
            words = draw_record(number)
            offset = offset_in_cell(position, size, words[0])
            yield Moment(number, cell, offset, prefix + clock(offset), words)
        if timetable.closes(cell):
            number = timetable.count - 1
            yield Moment(number, cell, HOUR_US - 1, prefix + clock(HOUR_US - 1), draw_record(number))


class Span(NamedTuple):
    """The part of a query that lies in one month: its place in the world and a range of cells."""

    number: int
    first_cell: int
    stop_cell: int


class Calendar:
    """All months of a world with the number of sign-ups and sessions in each."""

    def __init__(
        self, seed: int, first: Month, months: int, empty: Sequence[Month], people: int, sessions: int
    ) -> None:
        """Lay out the months; ``people`` and ``sessions`` are the typical counts a month."""
        salt = domain_salt(seed, "months")
        self.months = tuple(first.plus(number) for number in range(months))
        # Volume wavers by at most 8 % so that charts do not look ruled and month-on-month checks still hold.
        wavering = [92 + draw(salt, number)[0] % 17 for number in range(months)]
        open_for_business = [month not in empty for month in self.months]
        self.people = tuple(people if is_open else 0 for is_open in open_for_business)
        self.sessions = tuple(
            max(2, sessions * percent // 100) if is_open else 0
            for is_open, percent in zip(open_for_business, wavering, strict=True)
        )
        self.people_before = tuple(accumulate(self.people, initial=0))
        self.opening = open_for_business.index(True) if any(open_for_business) else -1
        self._timetables: dict[tuple[str, int], Timetable] = {}

    def people_timetable(self, number: int) -> Timetable:
        """Return when the people of month ``number`` sign up."""
        key = ("people", number)
        if key not in self._timetables:
            opening = number == self.opening
            self._timetables[key] = spread(self.months[number], self.people[number], opening=opening)
        return self._timetables[key]

    def sessions_timetable(self, number: int) -> Timetable:
        """Return when the sessions of month ``number`` start."""
        key = ("sessions", number)
        if key not in self._timetables:
            self._timetables[key] = spread(self.months[number], self.sessions[number])
        return self._timetables[key]

    def overlap(self, first: date, last: date) -> Iterator[Span]:
        """Yield the months touched by the days ``first`` … ``last``, both inclusive, in order."""
        low, high = first.toordinal(), last.toordinal()
        for number, month in enumerate(self.months):
            start = month.first_ordinal
            first_day = max(low - start, 0)
            stop_day = min(high - start + 1, month.days)
            if first_day < stop_day:
                yield Span(number, first_day * 24, stop_day * 24)

    def everything(self) -> Iterator[Span]:
        """Yield every month in full."""
        for number, month in enumerate(self.months):
            yield Span(number, 0, month.days * 24)
