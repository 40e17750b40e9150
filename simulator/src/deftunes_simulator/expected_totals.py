"""The truth about a world, month by month: what any honest pipeline must arrive at.

Computed without HTTP and without totals kept on the way: every record is read back from its JSON text and
added up, prices as exact decimals.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from .catalogue import open_catalogue
from .config import WorldConfig
from .people import People
from .sales import Sales


@dataclass(frozen=True)
class MonthTruth:
    """Counts and money of one month. ``sales`` = sum of all item prices in USD."""

    users: int
    sessions: int
    items: int
    likes: int
    sales: Decimal


def truth(config: WorldConfig, start: date, end: date) -> dict[str, MonthTruth]:
    """Return the truth for the days ``[start, end)``, by month ``YYYY-MM``; months outside the world are absent.

    A month only partly inside the interval is counted as far as it lies inside. Takes about as long as
    generating the data twice.
    """
    if end <= start:
        raise ValueError(f"expected start before end (half open), found {start} … {end}")
    calendar = config.calendar()
    people = People(config, calendar)
    sales = Sales(config, calendar, people, open_catalogue(config))
    months = {}
    for span in calendar.overlap(start, end - timedelta(days=1)):
        users = sum(1 for _ in people.records([span]))
        sessions = items = likes = 0
        total = Decimal()
        for record in sales.records([span]):
            session = json.loads(record, parse_float=Decimal)
            sessions += 1
            for item in session["session_items"]:
                items += 1
                likes += item["liked"]
                total += item["price"]
        months[str(calendar.months[span.number])] = MonthTruth(users, sessions, items, likes, total)
    return months
