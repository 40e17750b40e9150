"""How a landed record is read: its value, the table rows it stands for, and the money in it.

One reader for extract (which writes the receipt) and `deftunes verify` (which counts again), so that an odd record
cannot stand for two things. The transform reads the same lines in Spark; tests/transform/test_agreement.py and
test_random_contracts.py compare all three. The rules: docs/architecture.md, "The hand-overs".
"""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from deftunes_contract.copy_text import fields_of
from deftunes_contract.entity import Entity
from deftunes_contract.record_path import amount_path, items_field

MOST_DIGITS = 4300
"""Python makes no int of more digits (CVE-2020-10735); JSON has no such limit, and a longer one becomes a float."""
NUMBER = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?"
"""Pattern of a decimal number given as text."""
_LARGEST_PRICE = 10**8
_NUMBER = re.compile(NUMBER)


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


def cents_of_text(text: object) -> int:
    """Cents of a readable price that a source delivers as text; a JSON number in its place counts as its text."""
    if isinstance(text, str):
        return cents(float(text)) if _NUMBER.fullmatch(text) else 0
    return cents(text)


class RecordMeasure:
    """Rows and money of the records of one entity. Raises ValueError for an amount that no reader can sum."""

    def __init__(self, entity: Entity) -> None:
        self.items = items_field(entity)
        self.amount = amount_path(entity)
        self.cents_of = cents_of_text if self.amount and self.amount.type == "string" else cents
        names = [field.name for field in entity.record]
        self._columns = len(names) if entity.landing_format == "pgcopy" else 0
        self._position = names.index(self.amount.root) if self.amount and self._columns else None

    @property
    def is_constant(self) -> bool:
        """Whether every record stands for one row without money, so that none has to be read."""
        return self.items is None and self.amount is None

    def items_of(self, record: Any) -> list[Any] | None:
        """The items of a record that has some field of items and a list in it."""
        found = record.get(self.items.name) if self.items and isinstance(record, dict) else None
        return found if isinstance(found, list) else None

    def of(self, record: Any) -> tuple[int, int]:
        """Table rows that a JSON record stands for (its items, at least 1), and the cents of its readable prices."""
        if self.items is None:
            return 1, self.cents_of(self.amount.find(record)) if self.amount else 0
        items = self.items_of(record) or ()
        return max(1, len(items)), sum(self.cents_of(self.amount.find(item)) for item in items) if self.amount else 0

    def of_line(self, line: bytes) -> tuple[int, int]:
        """The same of a landed line of either format; one that cannot be read stands for one row without money."""
        if self._columns:
            return 1, self._of_copy(line)
        try:
            record = parse(line)
        except (ValueError, RecursionError):
            return 1, 0
        return self.of(record)

    def _of_copy(self, line: bytes) -> int:
        if self._position is None:
            return 0
        fields = fields_of(line.removesuffix(b"\n"), self._columns)
        return 0 if fields is None else cents_of_text(fields[self._position])


_DECODER = json.JSONDecoder(parse_int=integer)
