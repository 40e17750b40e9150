"""A PostgreSQL database as a source: the rows of one relation as PostgreSQL's own COPY text, one row a line.

columns compared with the contract ─► money, times, key measured ─► COPY (SELECT …) TO STDOUT; in one snapshot

The server ends a copy with the number of rows it has sent; a delivery of any other number is refused. (A
count(*) of the same snapshot would tell the same and cost a tenth of the copy.)

COPY gives rows in the relation's physical order. It is not sorted: that would cost more than the copy, and every later
stage compares contents without regard to order. So equal tables give equal object names unless rows were moved in
between (an update, a VACUUM FULL, another load).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime

import psycopg
import psycopg.errors
from psycopg import sql

from deftunes_contract.entity import Entity
from deftunes_contract.errors import DataRejected, StageError, UsageError
from deftunes_contract.interval import Interval
from deftunes_contract.postgres_source import PostgresSource
from deftunes_contract.retry import Deadline
from deftunes_extract.dsn import Dsn
from deftunes_extract.pg_connect import connect, is_temporary
from deftunes_extract.pg_copy import read_batches, rows_sent
from deftunes_extract.pg_relation import Bounds, Measures, Relation
from deftunes_extract.postgres_settings import PostgresServerSettings
from deftunes_extract.source import LoadTotals, Put, SourceError

_LOCK_SECONDS = 60.0
_CONNECT_SECONDS = 10.0
_REPLICA_CONFLICT = frozenset({"40001", "40P01", "57014"})
"""Codes with which a read replica cancels a query that is in the way of replay; see `_advice`."""


class PostgresReader:
    """One entity of a PostgreSQL database for one interval."""

    def __init__(self, settings: PostgresServerSettings, entity: Entity, interval: Interval) -> None:
        """Nothing is asked yet. Raises UsageError when the DSN is wrong, or its server need not prove itself."""
        assert isinstance(entity.source, PostgresSource)
        self._settings, self._entity, self._interval, self._source = settings, entity, interval, entity.source
        self._copied: int | None = None
        self._copying: Bounds | None = None
        self.name = f"{self._dsn.display} {self._source.name}"

    @property
    def _dsn(self) -> Dsn:
        """Read anew for each connection: a mounted password may have been replaced."""
        dsn = Dsn.parse(self._settings.uri, self._settings.variable("dsn"))
        dsn.check_verified(self._settings.allow_unverified)
        return dsn

    def read(self, deadline: Deadline, put: Put) -> LoadTotals:
        """Put all rows of the interval. Raises SourceError, UsageError, DataRejected or (time is up) RetryableError."""
        with self._snapshot(deadline) as (cursor, relation):
            warnings = relation.inspect(cursor)
            measures = relation.measure(cursor)
            records = self._copy(cursor, relation, None, deadline, put)
        if measures.rows not in (records, None):
            raise SourceError(f"{self.name}: the server has counted {measures.rows:,} rows, but {records:,} arrived")
        return self._totals(records, measures, warnings)

    def slices(self) -> list[str]:
        """See SlicedSource; slices are ranges of the increment's column."""
        return [f"{start:%Y-%m-%dT%H:%M}" for start, _ in self._bounds]

    def read_slice(self, number: int, deadline: Deadline, put: Put) -> tuple[int, str]:
        """See SlicedSource. The fingerprint is taken in the snapshot that is copied."""
        bounds = self._bounds[number]
        with self._snapshot(deadline) as (cursor, relation):
            relation.inspect(cursor)
            _, fingerprint = relation.fingerprint(cursor, bounds)
            return self._copy(cursor, relation, bounds, deadline, put), fingerprint

    def summary(self, deadline: Deadline) -> tuple[LoadTotals, list[str]]:
        """See SlicedSource."""
        with self._snapshot(deadline) as (cursor, relation):
            warnings = relation.inspect(cursor)
            measures = relation.measure(cursor)
            found = [relation.fingerprint(cursor, bounds) for bounds in self._bounds]
        return self._totals(sum(count for count, _ in found), measures, warnings), [text for _, text in found]

    @property
    def _bounds(self) -> list[tuple[datetime, datetime]]:
        increment = self._source.incremental
        return increment.slices(self._interval) if increment else []

    def _totals(self, records: int, measures: Measures, warnings: tuple[str, ...]) -> LoadTotals:
        return LoadTotals(
            records=records,
            units=records,
            amount=measures.amount,
            min_time=measures.min_time,
            max_time=measures.max_time,
            warnings=(*warnings, *measures.warnings),
        )

    @contextmanager
    def _snapshot(self, deadline: Deadline) -> Iterator[tuple[psycopg.Cursor, Relation]]:
        """A transaction in which the relation is the same for every query."""
        deadline.check(self.name)
        self._copied = None
        relation = Relation(self._entity, self._source, self._interval)
        with self._translate_errors(relation, deadline), self._connect(deadline) as cursor:
            _prepare(cursor, deadline)
            yield cursor, relation

    @contextmanager
    def _connect(self, deadline: Deadline) -> Iterator[psycopg.Cursor]:
        """The one place where the database client is made."""
        connection = connect(self._dsn, self.name, max(2, int(min(_CONNECT_SECONDS, deadline.remaining))))
        try:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            yield connection.cursor()
        finally:
            # no good-bye that waits: after a fault in the middle of a copy, psycopg would read it to its end
            connection.pgconn.finish()

    def _copy(
        self, cursor: psycopg.Cursor, relation: Relation, bounds: Bounds | None, deadline: Deadline, put: Put
    ) -> int:
        """Copy the rows out; their number. Raises SourceError when it is not the one that the server has sent."""
        query = sql.SQL("COPY ({}) TO STDOUT").format(relation.select(bounds))
        connection = cursor.connection.pgconn
        rows = self._copied = 0
        self._copying = bounds
        with cursor.copy(query):
            try:
                for batch in read_batches(connection, deadline, self._settings.timeout, self.name):
                    rows = self._copied = rows + len(batch)
                    put(b"".join(batch), len(batch))
                sent = rows_sent(connection)
            except BaseException:
                connection.finish()  # or psycopg would read the copy to its end before it lets go
                raise
        if rows != sent:
            raise SourceError(f"{self.name}: the server has sent {sent:,} rows, but {rows:,} arrived")
        return rows

    def _next_row(self, relation: Relation, deadline: Deadline) -> str:
        """Which row comes after those that arrived, by its place and its key; empty when that cannot be found out."""
        if self._copied is None or not relation.key:
            return ""
        key = relation.key[0]
        for place in (sql.SQL("ctid::text"), sql.SQL("NULL::text")):  # a view has no ctid
            query = sql.SQL(
                "SELECT {}, encode(convert_to({}::text, getdatabaseencoding()), 'escape') FROM {}{} OFFSET {} LIMIT 1"
            ).format(place, sql.Identifier(key), relation.identifier, relation.condition(self._copying), self._copied)
            with suppress(psycopg.Error, StageError, SourceError), self._connect(deadline) as cursor:
                _prepare(cursor, deadline)
                cursor.execute("SET LOCAL client_encoding = SQL_ASCII")
                if found := cursor.execute(query).fetchone():
                    ctid, value = (
                        part.decode("ascii", "replace") if isinstance(part, bytes) else part for part in found
                    )
                    return f"row {self._copied + 1:,}, {key} {value!r}{f', ctid {ctid}' if ctid else ''}: "
        return ""

    @contextmanager
    def _translate_errors(self, relation: Relation, deadline: Deadline) -> Iterator[None]:
        """Raise what psycopg found as SourceError (may pass), DataRejected (a row) or UsageError (the rest)."""
        try:
            yield
        except psycopg.DataError as error:
            row = self._next_row(relation, deadline)
            raise DataRejected(f"{self.name}: {row}{_text(error)}; correct the row") from None
        except psycopg.Error as error:
            # without a code the connection broke: the server itself names what lasts
            if is_temporary(error.sqlstate) if error.sqlstate else isinstance(error, psycopg.OperationalError):
                raise SourceError(f"{self.name}: {_text(error)}{_advice(error)}") from None
            raise UsageError(
                f"{self.name}: expected to read the table, found: {_text(error)}; correct the database, its "
                f"rights, {self._settings.variable('dsn')} or the relation of contract {self._entity.name}"
            ) from None


def _text(error: psycopg.Error) -> str:
    return " ".join(str(error).split())


def _advice(error: psycopg.Error) -> str:
    """What helps when a read replica cancels queries again and again, where the error is of that kind."""
    if error.sqlstate in _REPLICA_CONFLICT and "recovery" in _text(error):
        return "; if it stays, raise max_standby_streaming_delay on the replica or set hot_standby_feedback"
    return ""


def _prepare(cursor: psycopg.Cursor, deadline: Deadline) -> None:
    """Settings of this transaction: nothing waits beyond the deadline, and nothing is left out or rounded silently."""
    settings = {
        "statement_timeout": f"{max(1, int(deadline.remaining * 1000))}ms",
        "lock_timeout": f"{_LOCK_SECONDS:g}s",
        "row_security": "off",  # a policy that hides rows is an error, not fewer rows
        # values in full and in one form, whatever the role's defaults
        "extra_float_digits": "3",
        "TimeZone": "UTC",
        "DateStyle": "ISO, YMD",
        "standard_conforming_strings": "on",
        # rows in the table's own order, so that a row that cannot be read is the one after those that arrived
        "synchronize_seqscans": "off",
        "max_parallel_workers_per_gather": "0",
    }
    for name, value in settings.items():
        cursor.execute("SELECT set_config(%s, %s, true)", [name, value])
