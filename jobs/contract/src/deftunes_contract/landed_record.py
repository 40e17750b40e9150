"""How a landed JSON record is read: its value, the table rows it stands for, and the money in it.

One reader for extract (which writes the receipt) and `deftunes verify` (which counts again), so that an odd record
cannot stand for two things. The transform reads the same lines in Spark; tests/transform/test_agreement.py compares all
three. The rules: docs/architecture.md, "The hand-overs".
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from deftunes_contract.entity import Entity, Field

MOST_DIGITS = 4300
"""Python makes no int of more digits (CVE-2020-10735); JSON has no such limit, and a longer one becomes a float."""
_LARGEST_PRICE = 10**8


def parse(text: bytes) -> Any:
    """The value of one record. Of a field given twice the last one counts, as in every reader of the landing zone.

    NaN, which is no JSON and never lands, is a number that no price can be. Raises ValueError for any other text that
    is no JSON, RecursionError for one that is nested beyond a thread's whole stack.
    """
    try:
        return _DECODER.decode(text.decode())
    except RecursionError:
        # the caller's own stack counts too: in a new thread every caller has the same room
        with ThreadPoolExecutor(1) as fresh:
            return fresh.submit(_DECODER.decode, text.decode()).result()


def integer(digits: str) -> int | float:
    """A JSON number without fraction and exponent."""
    return int(digits) if len(digits) <= MOST_DIGITS else float(digits)


def cents(price: object) -> int:
    """Cents of a readable price: a JSON number (no bool) below 10^8 with at most two decimals; 0 for anything else.

    `cents / 100 == price` says the same as `round(price, 2) == price` and takes a quarter of the time: both ask whether
    the number is the one nearest to a whole number of cents.
    """
    if isinstance(price, bool) or not isinstance(price, int | float) or not abs(price) < _LARGEST_PRICE:
        return 0
    whole = round(price * 100)
    return whole if whole / 100 == price else 0


class RecordMeasure:
    """Units and money of the records of one entity."""

    def __init__(self, entity: Entity) -> None:
        self._amount = entity.amount
        self.items = items_field(entity)

    def items_of(self, record: Any) -> list[Any] | None:
        """The items of a record that has some field of items and a list in it."""
        found = record.get(self.items.name) if self.items and isinstance(record, dict) else None
        return found if isinstance(found, list) else None

    def of(self, record: Any) -> tuple[int, int]:
        """Table rows that a record stands for (its items, at least 1), and the cents of its readable prices."""
        items = self.items_of(record)
        if items is None:
            return 1, 0
        prices = (item.get(self._amount) for item in items if isinstance(item, dict)) if self._amount else ()
        return max(1, len(items)), sum(map(cents, prices))

    def of_line(self, line: bytes) -> tuple[int, int]:
        """The same of a landed line; one that cannot be read stands for one row without money."""
        try:
            record = parse(line)
        except (ValueError, RecursionError):
            return 1, 0
        return self.of(record)


def items_field(entity: Entity) -> Field | None:
    """The field of a record that holds its items: the first array of objects, if there is one."""
    return next((f for f in entity.record if f.type == "array" and f.children[0].type == "struct"), None)


_DECODER = json.JSONDecoder(parse_int=integer)
