"""One relation of a PostgreSQL database as the contract wants it read: what it has, and the queries on it.

catalog ─► columns compared with the contract ─► SELECT of its fields, WHERE of the interval, measures of the key

Names are always quoted and values are literals made by psycopg; the contract's own `where` is the only SQL that comes
from outside of this module, and it is validated where it is parsed (deftunes_contract.postgres_source).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import sql

from deftunes_contract.entity import Entity, Field
from deftunes_contract.errors import DataRejected
from deftunes_contract.interval import Interval
from deftunes_contract.postgres_source import Incremental, PostgresSource

_INTEGERS = frozenset({"int2", "int4"})
_LONGS = _INTEGERS | {"int8"}
_NUMBERS = _LONGS | {"numeric", "float4", "float8"}
_TEXTS = frozenset({"text", "varchar", "bpchar", "uuid", "citext", "name"})
_TIMES = frozenset({"timestamp", "timestamptz"})
_NONE = frozenset[str]()
_TYPES = {
    "string": (_TEXTS, _NONE),
    "double": (_NUMBERS, _NONE),
    "float": (_NUMBERS, _NONE),
    "int": (_INTEGERS, _NUMBERS),
    "long": (_LONGS, _NUMBERS),
    "decimal": (_LONGS | {"numeric"}, _NUMBERS),
    "boolean": (frozenset({"bool"}), _NONE),
    "date": (frozenset({"date"}), _NONE),
    "timestamp": (_TIMES, frozenset({"date"})),
}
"""Type of the contract → types that read as it, and types that mostly do: those are let through with a warning."""

_COLUMNS = """
WITH RECURSIVE bases AS (
    SELECT oid AS type, oid, typname, typtype, typbasetype FROM pg_catalog.pg_type
    UNION ALL  -- a domain may be over another domain
    SELECT b.type, t.oid, t.typname, t.typtype, t.typbasetype FROM bases b
    JOIN pg_catalog.pg_type t ON b.typtype = 'd' AND t.oid = b.typbasetype
)
SELECT a.attname, format_type(a.atttypid, a.atttypmod), CASE b.typtype WHEN 'e' THEN 'text' ELSE b.typname END,
    a.attnotnull
FROM pg_catalog.pg_attribute a
JOIN bases b ON b.type = a.atttypid AND b.typtype <> 'd'
WHERE a.attrelid = %s::text::regclass AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""
_UNIQUE = """
SELECT array_agg(a.attname::text) FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey[:i.indnkeyatts - 1])
WHERE i.indrelid = %s::text::regclass AND i.indisunique AND i.indisvalid AND i.indimmediate
    AND i.indpred IS NULL AND i.indexprs IS NULL
GROUP BY i.indexrelid
"""
"""Columns of each index that makes them unique; not one of a condition, of expressions, or checked late."""


Bounds = tuple[datetime, datetime]
"""First moment, and the first moment after, in UTC."""


@dataclass(frozen=True)
class Column:
    """A column of the relation. shown: its type as people write it; base: the type below all domains."""

    name: str
    shown: str
    base: str
    is_required: bool


@dataclass(frozen=True)
class Measures:
    """Figures of the rows to be read, counted by the server in the snapshot of the copy; None: not counted."""

    rows: int | None = None
    amount: Decimal | None = None
    min_time: datetime | None = None
    max_time: datetime | None = None
    warnings: tuple[str, ...] = ()


class Relation:
    """The relation of one entity for one interval. `inspect` before anything else."""

    def __init__(self, entity: Entity, source: PostgresSource, interval: Interval) -> None:
        self.entity, self.source, self._interval = entity, source, interval
        self.identifier = sql.Identifier(source.schema_, source.table)
        self._columns: dict[str, Column] = {}
        names = {field.name for field in entity.record}
        paths = [column.path or column.name for column in entity.columns if column.key]
        self.key: list[str] = [source.column_of(name) for name in paths if name in names]

    def inspect(self, cursor: psycopg.Cursor) -> tuple[str, ...]:
        """Compare the relation with the contract. Returns warnings; raises DataRejected."""
        cursor.execute(_COLUMNS, [self.identifier.as_string(cursor)])
        self._columns = {str(row[0]): Column(str(row[0]), str(row[1]), str(row[2]), bool(row[3])) for row in cursor}
        faults, warnings = [], []
        for field in self.entity.record:
            fault, warning = self._compare(field)
            faults += fault
            warnings += warning
        increment = self.source.incremental
        if increment and (self._base(increment.column) not in _TIMES | {"date"}):
            found = self._columns.get(increment.column)
            faults.append(f"column {increment.column} is {found.shown if found else 'missing'}, expected a timestamp")
        if faults:
            raise DataRejected(
                f"{self.source.name}: expected the columns of contract {self.entity.name} {self.entity.version}, "
                f"found: {'; '.join(faults)}. Nothing was delivered and the earlier delivery is intact; "
                "correct the table, or change the contract"
            )
        read = {self.source.column_of(field.name) for field in self.entity.record}
        return (*warnings, *(f"unknown field {name}" for name in self._columns if name not in read))

    def _compare(self, field: Field) -> tuple[list[str], list[str]]:
        """What is wrong, and what is only nearly right, with the column of a field."""
        name = self.source.column_of(field.name)
        shown = name if name == field.name else f"{name!r} (for {field.name})"
        found = self._columns.get(name)
        if found is None:
            return [f"column {shown} is missing"], []
        exact, near = _TYPES.get(field.type.partition("(")[0], (_NONE, _NONE))
        text = [f"column {shown} is {found.shown}, the contract says {field.type}"]
        if found.base in exact:
            return [], []
        return ([], text) if found.base in near else (text, [])

    def _base(self, name: str) -> str:
        return self._columns[name].base if name in self._columns else ""

    def _fields(self) -> sql.Composed:
        """The fields of the contract in its order."""
        return sql.SQL(", ").join(self._value(self.source.column_of(field.name)) for field in self.entity.record)

    def select(self, bounds: Bounds | None = None) -> sql.Composed:
        """The rows of the interval, or of a slice."""
        return sql.SQL("SELECT {} FROM {}{}").format(self._fields(), self.identifier, self.condition(bounds))

    def fingerprint(self, cursor: psycopg.Cursor, bounds: Bounds) -> tuple[int, str]:
        """Number of the rows of a slice, and a hash of their set, made by the server."""
        query = sql.SQL("SELECT count(*), sum(hashtextextended(ROW({})::text, 0)) FROM {}{}").format(
            self._fields(), self.identifier, self.condition(bounds)
        )
        count, total = cursor.execute(query).fetchone() or (0, None)
        return count, f"{count}:{total or 0}"

    def condition(self, bounds: Bounds | None = None) -> sql.Composable:
        """` WHERE …` of the contract and the interval, or a slice of it; empty when all rows are wanted."""
        parts: list[sql.Composable] = []
        if self.source.where:
            parts.append(sql.SQL("({})").format(sql.SQL(self.source.where)))
        if self.source.incremental:
            parts.append(self._increment(self.source.incremental, bounds))
        return sql.SQL(" WHERE {}").format(sql.SQL(" AND ").join(parts)) if parts else sql.SQL("")

    def _increment(self, increment: Incremental, bounds: Bounds | None) -> sql.Composed:
        start, end = bounds or increment.bounds(self._interval)
        values: Sequence[date] = (start, end)
        if (base := self._base(increment.column)) == "timestamp":
            values = [bound.replace(tzinfo=None) for bound in (start, end)]
        elif base == "date":
            values = [bound.date() for bound in (start, end)]
        column = sql.Identifier(increment.column)
        return sql.SQL("{} >= {} AND {} < {}").format(column, sql.Literal(values[0]), column, sql.Literal(values[1]))

    def _value(self, name: str) -> sql.Composable:
        """A column as it is copied."""
        column = sql.Identifier(name)
        if self._base(name) == "bpchar":  # the blanks with which char(n) is filled up are no part of its value
            return sql.SQL("{}::text").format(column)
        if self._base(name) == "timestamptz":  # times land in UTC and without a zone
            return sql.SQL("{} AT TIME ZONE 'UTC'").format(column)
        return column

    def measure(self, cursor: psycopg.Cursor) -> Measures:
        """Count what the copy cannot tell: money, times, and whether the key is one. Raises DataRejected (see above).

        Nothing is asked of the table where the contract has neither money nor event time and the database itself keeps
        the key (a unique index and NOT NULL), or the contract says key_check: off.
        """
        amount, time = self._field(self.entity.amount, _NUMBERS), self._field(self.entity.event_time, _TIMES | {"date"})
        nullable = [n for n in self.key if not self._columns[n].is_required] if self._checks_key else []
        faults = self._repeats(cursor) if self._checks_key and self.key else []
        found: tuple[Any, ...] = (None, 0, None, None, None)
        if nullable or amount or time:
            nulls = sql.SQL(" OR ").join(sql.SQL("{} IS NULL").format(sql.Identifier(n)) for n in nullable)
            query = sql.SQL("SELECT count(*), count(*) FILTER (WHERE {}), {}, {}, {} FROM {}{}").format(
                nulls if nullable else sql.SQL("false"),
                _sum(amount),
                *_range(self._value(time) if time else None),
                self.identifier,
                self.condition(),
            )
            found = cursor.execute(query).fetchone() or found
        rows, missing, total, first, last = found
        faults += [f"{missing:,} rows without {', '.join(nullable)}, which is of the key"] if missing else []
        if faults and self.source.key_check == "fail":
            raise DataRejected(
                f"{self.source.name}: expected each row once, by {', '.join(self.key)}, found "
                f"{'; '.join(faults)}. Nothing was delivered and the earlier delivery is intact; correct the table"
            )
        if self.entity.amount is not None:
            total = Decimal(total or 0).quantize(Decimal("0.01"))
        return Measures(rows, total, first, last, (*faults, *self._lost_rows(cursor)))

    @property
    def _checks_key(self) -> bool:
        return self.source.key_check != "off"

    def _field(self, column: str | None, types: frozenset[str]) -> str | None:
        """The relation's column of one of the table's; None when there is none, or it is of another type."""
        if column is None:
            return None
        name = self.source.column_of(self.entity.column(column).path or column)
        return name if self._base(name) in types else None

    def _lost_rows(self, cursor: psycopg.Cursor) -> list[str]:
        """Rows that belong to no interval, because nothing says when they are from."""
        increment = self.source.incremental
        if increment is None or self._columns[increment.column].is_required:
            return []
        column = sql.Identifier(increment.column)
        where = sql.SQL(" AND ({})").format(sql.SQL(self.source.where)) if self.source.where else sql.SQL("")
        query = sql.SQL("SELECT count(*) FROM {} WHERE {} IS NULL{}").format(self.identifier, column, where)
        count = (cursor.execute(query).fetchone() or (0,))[0]
        return [f"{count:,} rows without {increment.column}, which are in no interval"] if count else []

    def _repeats(self, cursor: psycopg.Cursor) -> list[str]:
        """Keys that stand on several rows, where no unique index rules them out."""
        indexes = cursor.execute(_UNIQUE, [self.identifier.as_string(cursor)]).fetchall()
        if any(set(columns) <= set(self.key) for (columns,) in indexes):
            return []
        key = sql.SQL(", ").join(map(sql.Identifier, self.key))
        query = sql.SQL("SELECT count(*) FROM (SELECT 1 FROM {}{} GROUP BY {} HAVING count(*) > 1) repeated").format(
            self.identifier, self.condition(), key
        )
        count = (cursor.execute(query).fetchone() or (0,))[0]
        return [f"{count:,} keys ({', '.join(self.key)}) on several rows"] if count else []


def _sum(name: str | None) -> sql.Composable:
    """The sum of readable prices, as everywhere: |p| < 10^8 with at most two decimals (docs/architecture.md)."""
    if name is None:
        return sql.SQL("NULL::numeric")
    price = sql.SQL("({}::text)::numeric").format(sql.Identifier(name))  # a float by its shortest text
    return sql.SQL("sum({p}) FILTER (WHERE abs({p}) < 1e8 AND round({p}, 2) = {p})").format(p=price)


def _range(time: sql.Composable | None) -> tuple[sql.Composable, sql.Composable]:
    """First and last time, of those that a calendar has: PostgreSQL also knows infinity and the Bronze Age."""
    if time is None:
        return sql.SQL("NULL"), sql.SQL("NULL")
    within = sql.SQL("({}({}) FILTER (WHERE {} BETWEEN '0001-01-01' AND '9999-12-31'))::timestamp")
    first, last = (within.format(sql.SQL(which), time, time) for which in ("min", "max"))
    return first, last
