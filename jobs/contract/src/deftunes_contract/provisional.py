"""Months that are not over: refused, unless the caller asks for what there is so far.

    --partial     the month may still be running; what is read of it is provisional

Only extract and `deftunes run` compare an interval with the clock; downstream the receipt and the staged summary carry
`partial`, and `status`, `verify` and the dashboard call the month provisional until it is run again after its end.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection
from datetime import UTC, date, datetime, time

from deftunes_contract.errors import UsageError
from deftunes_contract.interval import Interval

FLAG = "--partial"
HELP = "a month that is not over yet may be read; it is provisional until it is run again after its end"


def utc_now() -> datetime:
    """The machine's clock, with its zone (UTC)."""
    return datetime.now(UTC)


def add_partial(parser: argparse.ArgumentParser) -> None:
    """Add --partial; harmless for a month that is over."""
    parser.add_argument(FLAG, action="store_true", help=HELP)


def is_over(interval: Interval, now: datetime) -> bool:
    """Whether the interval's end has been reached. now: with its zone."""
    return now >= _midnight(interval.end)


def running(intervals: Collection[Interval], now: datetime, allowed: bool) -> tuple[Interval, ...]:
    """The intervals that are not over. now: with its zone.

    Raises UsageError when there is one and the caller did not allow it, or when one has not even begun.
    """
    found = tuple(interval for interval in intervals if not is_over(interval, now))
    clock = f"it is {now.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    for interval in found:
        if now < _midnight(interval.start):
            raise UsageError(
                f"expected a month that has begun, found {interval.month}, which begins on {interval.start} ({clock}); "
                "correct --start and --end"
            )
        if not allowed:
            raise UsageError(
                f"expected a month that is over, found {interval.month}, which is not over before {interval.end} 00:00 "
                f"UTC ({clock}); run it from then on, or add {FLAG} to have what there is so far, as provisional"
            )
    return found


def advice(interval: Interval, now: datetime) -> str:
    """What to do about a provisional month: `provisional: …; run it again: …`."""
    again = f"deftunes run --start {interval.start} --end {interval.end}"
    if is_over(interval, now):
        return f"provisional: read before the month was over, which it is now; run it again: {again}"
    return f"provisional: the month is not over; run it again from {interval.end} on: {again}"


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
