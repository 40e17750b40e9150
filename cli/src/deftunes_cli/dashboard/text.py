"""Text for people: data made visible, numbers with separators, months by name."""

from __future__ import annotations

import unicodedata
from datetime import timedelta
from decimal import Decimal


def visible(text: str) -> str:
    """Data without characters that do something: control characters as symbols, direction changes as `�`.

    Line breaks become their symbol as well, so a value stays on its line.
    """
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    return "�" if unicodedata.category(character) in ("Cc", "Cf", "Cs") else character


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
