"""The songs database as a source: the whole catalogue as PostgreSQL's own COPY text, one row a line.

check of the table's columns ─► COPY (SELECT the contract's columns) TO STDOUT, in one read-only snapshot

The server ends a copy with the number of rows it has sent; a delivery of any other number is not signed for. (A
count(*) of the same snapshot would tell the same and cost a tenth of the copy.)

COPY gives rows in the table's physical order. It is not sorted: that would cost more than the copy, and every later
stage compares contents without regard to order. So equal tables give equal object names unless rows were moved in
between (an update, a VACUUM FULL, another load).
"""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psycopg
import psycopg.errors
from psycopg import pq, sql

from deftunes_contract.entity import Entity
from deftunes_contract.errors import DataRejected, StageError, UsageError
from deftunes_contract.retry import Deadline
from deftunes_extract.dsn import Dsn
from deftunes_extract.pg_connect import connect, is_temporary
from deftunes_extract.source import LoadTotals, SourceError

_BATCH = 1 << 16
"""Bytes handed on at once: with 96 KiB the allocator returns memory to the system after every batch, a third slower."""
_READS_AT_ONCE = 16
"""libpq takes at most 16 KiB from the socket at a time; taking more before looking halves this side's work."""
_SILENCE_SECONDS = 60.0
"""A server that says nothing for so long in the middle of a copy is given up."""
_LOCK_SECONDS = 60.0
_CONNECT_SECONDS = 10.0
_NUMBERS = frozenset({"int2", "int4", "int8", "numeric", "float4", "float8"})
_TEXTS = frozenset({"text", "varchar", "bpchar", "uuid", "citext", "name"})
_EXACT = {"string": _TEXTS, "double": _NUMBERS, "int": frozenset({"int2", "int4"})}
_NEAR = {"string": frozenset[str](), "double": frozenset[str](), "int": _NUMBERS - {"int2", "int4"}}
"""Types that mostly read as the contract's: let through with a warning, the transform judges each value."""

_COLUMNS = """
WITH RECURSIVE bases AS (
    SELECT oid AS type, oid, typname, typtype, typbasetype FROM pg_catalog.pg_type
    UNION ALL  -- a domain may be over another domain
    SELECT b.type, t.oid, t.typname, t.typtype, t.typbasetype FROM bases b
    JOIN pg_catalog.pg_type t ON b.typtype = 'd' AND t.oid = b.typbasetype
)
SELECT a.attname, format_type(a.atttypid, a.atttypmod), CASE b.typtype WHEN 'e' THEN 'text' ELSE b.typname END
FROM pg_catalog.pg_attribute a
JOIN bases b ON b.type = a.atttypid AND b.typtype <> 'd'
WHERE a.attrelid = %s::text::regclass AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""


class PostgresSource:
    """The table that the contract names, in the database that the DSN names."""

    def __init__(self, dsn: str, entity: Entity, allow_unverified: bool = False) -> None:
        """Nothing is asked yet. Raises UsageError when the DSN is wrong, or its server need not prove itself."""
        self._dsn, self._entity = Dsn.parse(dsn), entity
        self._dsn.check_verified(allow_unverified)
        self._table = sql.Identifier(*entity.record_name.split("."))
        self._names = [field.name for field in entity.record]
        self._arrived = 0
        self.name = f"{self._dsn.place} {entity.record_name}"

    def read(self, deadline: Deadline, put: Callable[[bytes, int], None]) -> LoadTotals:
        """Put the whole table. Raises SourceError, UsageError, DataRejected or (time is up) RetryableError."""
        deadline.check(self.name)
        self._arrived = 0
        with self._translate_errors(deadline), self._connect(deadline) as cursor:
            _prepare(cursor, deadline)
            warnings = self._check_columns(cursor)
            found, sent = self._copy(cursor, deadline, put)
        if found != sent:
            raise SourceError(f"{self.name}: the server has sent {sent:,} rows, but {found:,} arrived")
        return LoadTotals(records=found, units=found, warnings=warnings)

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

    def _check_columns(self, cursor: psycopg.Cursor) -> tuple[str, ...]:
        """Compare the table with the contract. Returns warnings; raises DataRejected."""
        cursor.execute(_COLUMNS, [self._table.as_string(cursor)])
        found = {str(name): (str(shown), str(base)) for name, shown, base in cursor.fetchall()}
        self._padded = frozenset(name for name, (_, base) in found.items() if base == "bpchar")
        faults, warnings = [], []
        for field in self._entity.record:
            if field.name not in found:
                faults.append(f"column {field.name} is missing")
                continue
            shown, base = found[field.name]
            if base in _NEAR[field.type]:
                warnings.append(f"column {field.name} is {shown}, the contract says {field.type}")
            elif base not in _EXACT[field.type]:
                faults.append(f"column {field.name} is {shown}, the contract says {field.type}")
        if faults:
            raise DataRejected(
                f"{self.name}: expected the columns of contract {self._entity.name} {self._entity.version}, found: "
                f"{'; '.join(faults)}. Nothing was delivered and the earlier delivery is intact; "
                "correct the table, or change the contract"
            )
        return (*warnings, *(f"unknown field {name}" for name in found if name not in self._names))

    def _copy(self, cursor: psycopg.Cursor, deadline: Deadline, put: Callable[[bytes, int], None]) -> tuple[int, int]:
        """Copy the table out; the number of rows that arrived, and that the server says it has sent."""
        wanted = sql.SQL(", ").join(map(self._column, self._names))
        query = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT").format(wanted, self._table)
        connection = cursor.connection.pgconn
        rows = 0
        with cursor.copy(query):
            try:
                for batch in _batches(connection, deadline, self.name):
                    rows = self._arrived = rows + len(batch)
                    put(b"".join(batch), len(batch))
                return rows, _rows_sent(connection)
            except BaseException:
                connection.finish()  # or psycopg would read the copy to its end before it lets go
                raise

    def _column(self, name: str) -> sql.Composable:
        """A column as it is copied. The blanks with which char(n) is filled up are no part of its value."""
        column = sql.Identifier(name)
        return sql.SQL("{}::text").format(column) if name in self._padded else column

    def _row(self, deadline: Deadline) -> str:
        """Which row comes after those that arrived, by its place and its key; empty when that cannot be found out."""
        shown = ""
        key = sql.Identifier(self._entity.key[0])
        for place in (sql.SQL("ctid::text"), sql.SQL("NULL::text")):  # a view has no ctid
            query = sql.SQL(
                "SELECT {}, encode(convert_to({}::text, getdatabaseencoding()), 'escape') FROM {} OFFSET {} LIMIT 1"
            )
            with suppress(psycopg.Error, StageError, SourceError), self._connect(deadline) as cursor:
                _prepare(cursor, deadline)
                cursor.execute("SET LOCAL client_encoding = SQL_ASCII")
                found = cursor.execute(query.format(place, key, self._table, self._arrived)).fetchone()
                if found:
                    ctid, value = (
                        part.decode("ascii", "replace") if isinstance(part, bytes) else part for part in found
                    )
                    shown = (
                        f"row {self._arrived + 1:,}, {self._entity.key[0]} {value!r}{f', ctid {ctid}' if ctid else ''}"
                    )
                    break
        return shown

    @contextmanager
    def _translate_errors(self, deadline: Deadline) -> Iterator[None]:
        """Names what psycopg found."""
        try:
            yield
        except psycopg.DataError as error:
            row = self._row(deadline)
            raise DataRejected(f"{self.name}: {f'{row}: ' if row else ''}{_text(error)}; correct the row") from None
        except psycopg.Error as error:
            # without a code the connection broke: the server itself names what lasts
            if is_temporary(error.sqlstate) if error.sqlstate else isinstance(error, psycopg.OperationalError):
                raise SourceError(f"{self.name}: {_text(error)}") from None
            raise UsageError(
                f"{self.name}: expected to read the table, found: {_text(error)}; correct the database, its "
                "rights or DEFTUNES_SONGS_DSN"
            ) from None


def _text(error: psycopg.Error) -> str:
    return " ".join(str(error).split())


def _prepare(cursor: psycopg.Cursor, deadline: Deadline) -> None:
    """Settings of this transaction: nothing waits beyond the deadline, and nothing is left out or rounded silently."""
    settings = {
        "statement_timeout": f"{max(1, int(deadline.remaining * 1000))}ms",
        "lock_timeout": f"{_LOCK_SECONDS:g}s",
        "row_security": "off",  # a policy that hides rows is an error, not a smaller catalogue
        "extra_float_digits": "3",  # numbers in full, whatever the role's default
        # rows in the table's own order, so that a row that cannot be read is the one after those that arrived
        "synchronize_seqscans": "off",
        "max_parallel_workers_per_gather": "0",
    }
    for name, value in settings.items():
        cursor.execute("SELECT set_config(%s, %s, true)", [name, value])


def _batches(connection: pq.abc.PGconn, deadline: Deadline, name: str) -> Iterator[list[memoryview]]:
    """Rows of the running copy, about 64 KiB at a time.

    The loop of psycopg's Copy.read(), without its price per row and with a limit on how long it waits.
    """
    waiting = select.poll()
    waiting.register(connection.socket, select.POLLIN)
    batch: list[memoryview] = []
    size = 0
    while True:
        length, row = connection.get_copy_data(1)
        if length > 0:
            batch.append(row)
            size += length
            if size >= _BATCH:
                yield batch
                batch, size = [], 0
        elif length == 0:
            deadline.check(name)
            seconds = min(_SILENCE_SECONDS, deadline.remaining)
            if not waiting.poll(seconds * 1000):
                raise SourceError(f"{name} is silent for {seconds:.0f} s")
            for _ in range(_READS_AT_ONCE):
                connection.consume_input()
                if not waiting.poll(0):
                    break
        else:
            break
    if batch:
        yield batch


def _rows_sent(connection: pq.abc.PGconn) -> int:
    """How the copy ended: the server's own number of rows. Raises psycopg's error when it ended badly."""
    rows = -1
    while (result := connection.get_result()) is not None:
        if result.status != pq.ExecStatus.COMMAND_OK:
            raise psycopg.errors.error_from_result(result)
        rows = -1 if result.command_tuples is None else result.command_tuples
    return rows
