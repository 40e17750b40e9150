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
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import psycopg
import psycopg.errors
from psycopg import pq, sql
from psycopg.conninfo import conninfo_to_dict

from deftunes_contract.entity import Entity
from deftunes_contract.exits import DataRefused, UsageError
from deftunes_extract.figures import Totals
from deftunes_extract.patience import Deadline, SourceFault

_BATCH = 1 << 16
"""Bytes handed on at once: with 96 KiB the allocator returns memory to the system after every batch, a third slower."""
_READS_AT_ONCE = 16
"""libpq takes at most 16 KiB from the socket at a time; taking more before looking halves this side's work."""
_SILENCE_SECONDS = 60.0
"""A server that says nothing for so long in the middle of a copy is given up."""
_LOCK_SECONDS = 60.0
_NUMBERS = frozenset({"int2", "int4", "int8", "numeric", "float4", "float8"})
_TEXTS = frozenset({"text", "varchar", "bpchar", "uuid", "citext"})
_EXACT = {"string": _TEXTS, "double": _NUMBERS, "int": frozenset({"int2", "int4"})}
_NEAR = {"string": frozenset[str](), "double": frozenset[str](), "int": _NUMBERS - {"int2", "int4"}}
"""Types that mostly read as the contract's: let through with a warning, the transform judges each value."""

_COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), base.typname
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
JOIN pg_catalog.pg_type base ON base.oid = CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END
WHERE a.attrelid = %s::text::regclass AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""
_MISCONFIGURED = (
    "password authentication failed",
    "no password supplied",
    "authentication failed",
    "does not exist",
    "no pg_hba.conf entry",
    "permission denied",
    "certificate",
    "Servname not supported",
    "invalid integer value",
    "invalid port number",
    "invalid sslmode value",
)
"""How the refusals of a connection read that no waiting cures; libpq gives no code for them."""


class SongsSource:
    """The table that the contract names, in the database that the DSN names."""

    def __init__(self, dsn: str, entity: Entity) -> None:
        self._dsn, self._entity = dsn, entity
        try:
            given = conninfo_to_dict(dsn)
        except psycopg.Error:
            raise UsageError(
                "DEFTUNES_SONGS_DSN: expected a libpq URI like postgresql://user@host:5432/database, found another form"
            ) from None  # libpq's own message would quote the secret
        self._password = str(given.get("password") or "")
        self._table = sql.Identifier(*entity.record_name.split("."))
        self._names = [field.name for field in entity.record]
        self.name = f"{_place(given)} {entity.record_name}"

    def read(self, deadline: Deadline, put: Callable[[bytes, int], None]) -> Totals:
        """Put the whole table. Raises SourceFault, UsageError, DataRefused or (time is up) Temporary."""
        deadline.check(self.name)
        with self._faults(), self._connect(deadline) as cursor:
            _prepare(cursor, deadline)
            warnings = self._check_columns(cursor)
            found, sent = self._copy(cursor, deadline, put)
        if found != sent:
            raise SourceFault(f"{self.name}: the server has sent {sent:,} rows, but {found:,} arrived")
        return Totals(records=found, units=found, warnings=warnings)

    @contextmanager
    def _connect(self, deadline: Deadline) -> Iterator[psycopg.Cursor]:
        """The one place where the database client is made."""
        given = conninfo_to_dict(self._dsn)
        defaults = {
            "connect_timeout": max(2, int(min(10, deadline.remaining))),
            "application_name": "deftunes-extract",
            # a peer that vanished without a word is noticed within a minute
            "keepalives_idle": 20,
            "keepalives_interval": 10,
            "keepalives_count": 3,
        }
        options = {name: value for name, value in defaults.items() if name not in given}
        connection = psycopg.connect(self._dsn, client_encoding="UTF8", **options)  # type: ignore[arg-type]
        try:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            yield connection.cursor()
        finally:
            # no good-bye that waits: after a fault in the middle of a copy, psycopg would read it to its end
            connection.pgconn.finish()

    def _check_columns(self, cursor: psycopg.Cursor) -> tuple[str, ...]:
        """Compare the table with the contract. Returns warnings; raises DataRefused."""
        cursor.execute(_COLUMNS, [self._entity.record_name])
        found = {str(name): (str(shown), str(base)) for name, shown, base in cursor.fetchall()}
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
            raise DataRefused(
                f"{self.name}: expected the columns of contract {self._entity.name} {self._entity.version}, found: "
                f"{'; '.join(faults)}. Nothing was delivered and the earlier delivery is intact; "
                "correct the table, or change the contract"
            )
        return (*warnings, *(f"unknown field {name}" for name in found if name not in self._names))

    def _copy(self, cursor: psycopg.Cursor, deadline: Deadline, put: Callable[[bytes, int], None]) -> tuple[int, int]:
        """Copy the table out; the number of rows that arrived, and that the server says it has sent."""
        wanted = sql.SQL(", ").join(map(sql.Identifier, self._names))
        query = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT").format(wanted, self._table)
        connection = cursor.connection.pgconn
        rows = 0
        with cursor.copy(query):
            try:
                for batch in _batches(connection, deadline, self.name):
                    rows += len(batch)
                    put(b"".join(batch), len(batch))
                return rows, _rows_sent(connection)
            except BaseException:
                connection.finish()  # or psycopg would read the copy to its end before it lets go
                raise

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Names what psycopg found."""
        try:
            yield
        except psycopg.OperationalError as error:
            text = self._text(error)
            if (error.sqlstate or "")[:2] in ("28", "3D") or (not error.sqlstate and _is_misconfigured(text)):
                raise UsageError(f"{self.name}: cannot connect: {text}; correct DEFTUNES_SONGS_DSN or PG*") from None
            raise SourceFault(f"{self.name}: {text}") from None
        except psycopg.DataError as error:
            raise DataRefused(f"{self.name}: {self._text(error)}; correct the row") from None
        except psycopg.Error as error:
            raise UsageError(
                f"{self.name}: expected to read the table, found: {self._text(error)}; correct the database, its "
                "rights or DEFTUNES_SONGS_DSN"
            ) from None

    def _text(self, error: psycopg.Error) -> str:
        text = " ".join(str(error).split())
        return text.replace(self._password, "***") if self._password else text


def _prepare(cursor: psycopg.Cursor, deadline: Deadline) -> None:
    """Settings of this transaction: nothing waits beyond the deadline, and nothing is left out or rounded silently."""
    settings = {
        "statement_timeout": f"{max(1, int(deadline.remaining * 1000))}ms",
        "lock_timeout": f"{_LOCK_SECONDS:g}s",
        "row_security": "off",  # a policy that hides rows is an error, not a smaller catalogue
        "extra_float_digits": "3",  # numbers in full, whatever the role's default
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
                raise SourceFault(f"{name} is silent for {seconds:.0f} s")
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


def _is_misconfigured(text: str) -> bool:
    return any(phrase in text for phrase in _MISCONFIGURED)


def _place(given: Mapping[str, object]) -> str:
    """Host, port and database as libpq will choose them, from the DSN, PG* and its defaults; no user, no password."""
    defaults = {o.keyword.decode(): o.val.decode() for o in pq.Conninfo.get_defaults() if o.val is not None}
    host, port, database = (str(given.get(k) or defaults.get(k) or "") for k in ("host", "port", "dbname"))
    if host.startswith("/"):
        return f"postgresql:///{database}?host={host}"
    return f"postgresql://{host or 'localhost'}:{port}/{database}"
