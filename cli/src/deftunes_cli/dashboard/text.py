"""Text for people: numbers with separators, durations, plurals."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal


def count(number: int | None) -> str:
    """`12,345`; an en dash for what was not counted."""
    return "–" if number is None else f"{number:,}"


def money(amount: Decimal | None) -> str:
    """`12,345.60`; an en dash where there is no money."""
    return "–" if amount is None else f"{amount:,.2f}"


def seconds(value: float) -> str:
    """`0.4 s`, `12 s`, `3 min 05 s`."""
    if value < 10:
        return f"{value:.1f} s"
    if value < 60:
        return f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else str(timedelta(seconds=round(value)))


def plural(number: int, noun: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
