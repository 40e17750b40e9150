"""Metrics of a delivery: units, money, first and last event time, and fields the contract does not expect.

records ─► sums. Nothing is validated here: a record of any shape is landed, and the transform validates it.

A record that has exactly the contract's fields in the contract's types is read by a decoder compiled from the contract;
any other record takes the longer way through the standard library. Both ways count the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from copy import copy
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain
from operator import attrgetter
from typing import Any

import msgspec

from deftunes_contract.entity import Entity, Field
from deftunes_contract.errors import DataRejected
from deftunes_contract.landed_record import RecordMeasure, parse
from deftunes_contract.record_path import RecordPath, find_path
from deftunes_extract.json_array import Record, shown
from deftunes_extract.source import LoadTotals, SourceError

_TYPES: dict[str, type] = {"double": float, "boolean": bool, "int": int, "long": int}
"""Declared type → what the decoder must find; every other scalar is a text, times included."""
_PRICES_KEPT = 10_000
_NAMES_KEPT = 1000
_NAMES_SHOWN = 20
_LONGEST_NAME = 64
"""A source gone wild may send a new field name in every record: few are remembered, fewer are named."""


class RecordMetrics:
    """Running metrics over the records of one reply."""

    def __init__(self, entity: Entity) -> None:
        self._entity = entity.name
        self._fields = frozenset(field.name for field in entity.record)
        self._measure = RecordMeasure(entity)
        self._items = self._measure.items
        self._item_fields = frozenset(f.name for f in self._items.children[0].children) if self._items else frozenset()
        self._amount = self._measure.amount
        self._time = find_path(entity, entity.column(entity.event_time)) if entity.event_time else None
        needed = {path.root for path in (self._amount, self._time) if path} | (
            {self._items.name} if self._items else set()
        )
        self._decode = msgspec.json.Decoder(_struct("Record", entity.record, needed)).decode
        self._is_simple = all(map(_is_simple, (self._amount, self._time))) and not (self._time and self._time.in_item)
        self._cents_cache = _CentsCache(self._measure)
        self._records = self._units = self._cents = 0
        self._min_time: datetime | None = None
        self._max_time: datetime | None = None
        self._schema_drift: Counter[tuple[str, str]] = Counter()
        identifying = (find_path(entity, column) for column in entity.columns if _identifies(column, entity))
        self._keys = frozenset(path.root for path in identifying if path is not None and not path.in_item)
        self._stray: Record | None = None
        self._last: Record = b"{"

    @property
    def totals(self) -> LoadTotals:
        """The metrics so far. Warnings name what was noticed and let through, most frequent first."""
        warnings = [
            f"{what} in {count:,} {where}" for (what, where), count in self._schema_drift.most_common(_NAMES_SHOWN)
        ]
        if (more := len(self._schema_drift) - len(warnings)) > 0:
            warnings.append(f"and {more:,} more fields of this kind")
        return LoadTotals(
            records=self._records,
            units=self._units,
            amount=None if self._amount is None else Decimal(self._cents).scaleb(-2),
            min_time=self._min_time,
            max_time=self._max_time,
            warnings=tuple(warnings),
        )

    def of_page(self) -> RecordMetrics:
        """Metrics of a page, which counts for nothing until it is merged."""
        page = copy(self)
        page._records = page._units = page._cents = 0
        page._min_time = page._max_time = page._stray = None
        page._schema_drift, page._last = Counter(), b"{"
        return page

    def merge(self, page: RecordMetrics) -> None:
        """Count the records of a page."""
        self._records, self._units, self._cents = (
            self._records + page._records,
            self._units + page._units,
            self._cents + page._cents,
        )
        for (what, where), count in page._schema_drift.items():
            self._notice(what, where, count)
        self._update_time_range([str(moment) for moment in (page._min_time, page._max_time) if moment is not None])

    def add(self, records: Sequence[Record]) -> None:
        """Count records, given as their JSON text."""
        self._records += len(records)
        self._last = records[-1] if records else self._last
        expected = []
        for text in records:
            if not self._is_simple:
                self._add_slowly(text)
                continue
            try:
                expected.append(self._decode(text))
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                self._add_slowly(text)
        self._add_expected(expected)

    def _add_slowly(self, text: Record) -> None:
        record = _parsed(text)
        if self._stray is None and self._is_stray(record):
            self._stray = text
        self._add_other(record)

    def check_strays(self, at_end: bool = False) -> None:
        """Raises SourceError (refused) when an element is not a record but the message of a failing server.

        A bad record is landed and set aside later. An object without any of the fields that identify a record is none,
        nor is an array of objects (a page in the place of a record), nor whatever but an object stands last, where a
        server that fails half way writes its error: what should have come after it, or in it, is missing.
        """
        found, where = self._stray, "in the array"
        if found is None and at_end and not bytes(self._last).lstrip().startswith(b"{"):
            found, where = self._last, "as the last element of the array"
        if found is not None:
            raise SourceError(
                f"{self._entity}: expected records with {' and '.join(sorted(self._keys))}, found {where} what is no "
                f"record, so others are missing: {shown(bytes(found).decode(errors='replace'))}",
                DataRejected,
            )

    def _is_stray(self, record: Any) -> bool:
        """Whether an element is no record at all; a record that lacks one field, even its id, is a bad record."""
        if isinstance(record, list):
            return any(isinstance(one, dict) for one in record)
        return isinstance(record, dict) and not self._keys & record.keys() and len(self._fields - record.keys()) > 1

    def _add_expected(self, records: Sequence[Any]) -> None:
        """Records as the contract has them, in loops that run in C: this is where an extract's time goes."""
        if self._time is not None:
            self._update_time_range([getattr(record, self._time.root) for record in records])
        if self._items is None:
            self._units += len(records)
            if self._amount is not None:
                self._cents += sum(map(self._cents_cache.__getitem__, map(attrgetter(self._amount.root), records)))
            return
        items = [getattr(record, self._items.name) for record in records]
        lengths = [len(one) for one in items]
        self._units += sum(lengths) + lengths.count(0)
        if self._amount is not None:
            self._cents += sum(
                map(self._cents_cache.__getitem__, map(attrgetter(self._amount.root), chain.from_iterable(items)))
            )

    def _add_other(self, record: Any) -> None:
        """A record with unknown or missing fields or other types, or no object at all."""
        units, cents_in_it = self._measure.of(record)
        self._units += units
        self._cents += cents_in_it
        if isinstance(record, dict):
            self._compare("records", record, self._fields, "")
            if self._time is not None:
                holders = self._measure.items_of(record) or () if self._time.in_item else (record,)
                self._update_time_range([self._time.find(holder) for holder in holders])
        else:
            self._notice("no JSON object", "records")
        for item in self._measure.items_of(record) or ():
            if isinstance(item, dict):
                self._compare("items", item, self._item_fields, f"{self._items.name}[]." if self._items else "")

    def _compare(self, where: str, found: dict[str, Any], expected: frozenset[str], prefix: str) -> None:
        if found.keys() != expected:
            for name in found.keys() - expected:
                shown = name if name.isidentifier() and len(name) <= _LONGEST_NAME else repr(name[:_LONGEST_NAME])
                self._notice(f"unknown field {prefix}{shown}", where)
            for name in expected - found.keys():
                self._notice(f"missing field {prefix}{name}", where)

    def _notice(self, what: str, where: str, count: int = 1) -> None:
        known = (what, where) in self._schema_drift or len(self._schema_drift) < _NAMES_KEPT
        self._schema_drift[(what, where) if known else ("further unknown fields", where)] += count

    def _update_time_range(self, texts: Sequence[Any]) -> None:
        """Widen the span of event times."""
        try:
            moments = list(map(datetime.fromisoformat, texts))
            extremes = [min(moments), max(moments)] if moments else []
        except (ValueError, TypeError):  # some are no times, or some have a zone and others none
            extremes = [moment for moment in map(_time, texts) if moment is not None]
        for moment in extremes:
            if moment.tzinfo is not None and self._time is not None and self._time.type == "timestamptz":
                moment = moment.astimezone(UTC).replace(tzinfo=None)
            if moment.tzinfo is None:
                self._min_time = min(moment, self._min_time or moment)
                self._max_time = max(moment, self._max_time or moment)


class _CentsCache(dict[float | str, int]):
    """Cents by price, remembered: a shop has few prices, and looking one up is faster than reckoning."""

    def __init__(self, measure: RecordMeasure) -> None:
        super().__init__()
        self._cents_of = measure.cents_of

    def __missing__(self, price: float | str) -> int:
        found = self._cents_of(price)
        if len(self) < _PRICES_KEPT:
            self[price] = found
        return found


def _time(text: Any) -> datetime | None:
    """A time; None for what is none, which is the transform's affair."""
    try:
        return datetime.fromisoformat(text)
    except (ValueError, TypeError):
        return None


def _identifies(column: Field, entity: Entity) -> bool:
    """Whether a column is of the key, or a required reference to a key of another entity."""
    return column.key or (column.required and any(r.column == column.name for r in entity.rules_of("reference")))


def _parsed(text: Record) -> Any:
    try:
        return parse(bytes(text))
    except (ValueError, RecursionError):  # at the edge of what the stream reader could still read
        return None


def _struct(name: str, fields: Iterable[Field], needed: Collection[str]) -> type[msgspec.Struct]:
    """A record type that takes exactly these fields; any of them may be null but those that are needed here."""
    # gc=False: JSON has no cycles, and the collector need not look
    types = [(f.name, _type(f, needed) if f.name in needed else _type(f, needed) | None) for f in fields]
    return msgspec.defstruct(name, types, forbid_unknown_fields=True, gc=False)


def _type(field: Field, needed: Collection[str]) -> Any:
    if field.type == "array":
        return list[_type(field.children[0], needed)]  # type: ignore[misc]  # a type made at run time
    if field.type == "struct":
        return _struct(field.name.title(), field.children, needed)
    return _TYPES.get(field.type, str)


def _is_simple(path: RecordPath | None) -> bool:
    """Whether a value is a field of its own, which the fast way can read."""
    return path is None or len(path.steps) == 1
