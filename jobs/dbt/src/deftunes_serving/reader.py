"""What readers see, for programs that compare it: `open_serving` reads the serving schema of the target in use.

Data flow: DuckDB file | copy of the S3 object | Redshift, by the settings that dbt uses -> rows. Reads only: the file
is opened read-only, Redshift in a read-only transaction, so one reader sees one state.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from deftunes_contract.errors import RetryableError
from deftunes_serving.lake_views import identifier
from deftunes_serving.redshift import SERVING, connect, is_driver_error, message_of, query
from deftunes_serving.s3_file import client_of, fetch
from deftunes_serving.settings import ServingSettings

if TYPE_CHECKING:
    from redshift_connector.core import Connection

MEMORY = "2GB"
"""What DuckDB may use before it spills: a verification must fit beside the JVM of a run."""
LARGEST_COPY = 200_000
"""Rows of a Redshift relation that `in_duckdb` copies to this machine; they become Python values on the way."""


class NotBuilt(RetryableError):
    """Nothing is served yet: there is no serving file at `where`."""

    def __init__(self, where: str) -> None:
        super().__init__(f"expected a serving database at {where}, found none; run deftunes-dbt build")
        self.where = where


Table = tuple[list[str], list[tuple[Any, ...]]]
"""Column names and rows."""


@dataclass(frozen=True)
class ServingReader:
    """One state of schema `deftunes_serving`. `where` names the place for messages.

    select: runs one SELECT that both engines understand. file: the open DuckDB file, None on Redshift.
    """

    where: str
    select: Callable[[str], Table]
    file: duckdb.DuckDBPyConnection | None = None

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of one SELECT."""
        return self.select(sql)[1]

    def relations(self) -> set[str]:
        """Names of all tables and views; none when nothing was built."""
        if self.file is not None:
            found = self.rows(f"select table_name from information_schema.tables where table_schema = '{SERVING}'")
        else:
            # information_schema shows a user no view without schema binding
            found = self.rows(
                "select relname from pg_class join pg_namespace on pg_namespace.oid = pg_class.relnamespace "
                f"where nspname = '{SERVING}' and relkind in ('r', 'v')"
            )
        return {str(name) for (name,) in found}

    def facts(self, table: str, amount: str | None) -> dict[date, tuple[int, Decimal | None]]:
        """ingest_on -> rows and sum of the column `amount` (None without one) of a fact table."""
        total = f"sum({identifier(amount)})" if amount else "null"
        found = self.rows(f"select ingest_on, count(*), {total} from {identifier(SERVING, table)} group by ingest_on")
        return {day: (int(rows), None if value is None else Decimal(value)) for day, rows, value in found}

    def total(self, relation: str, expression: str) -> Decimal:
        """An aggregate over a relation, such as `sum(total_sales)`; 0 for that of no rows."""
        ((value,),) = self.rows(f"select {expression} from {identifier(SERVING, relation)}")
        return Decimal(str(value or 0))

    @contextmanager
    def in_duckdb(self, select: str) -> Iterator[tuple[duckdb.DuckDBPyConnection, str] | None]:
        """A SELECT's rows where DuckDB's functions reach them: a connection, and the SQL of a relation in it.

        Those of a file stay in it. Redshift's are copied, up to LARGEST_COPY rows; None for more.
        """
        if self.file is not None:
            yield self.file, f"({select})"
            return
        ((count,),) = self.rows(f"select count(*) from ({select}) as counted")
        if count > LARGEST_COPY:
            yield None
            return
        import pyarrow as pa  # type: ignore[import-untyped]

        names, rows = self.select(select)
        columns = zip(*rows, strict=True) if rows else ([] for _ in names)
        with duckdb.connect() as connection:
            connection.register("copied", pa.table({n: _array(list(c)) for n, c in zip(names, columns, strict=True)}))
            yield connection, "copied"


def _array(values: list[Any]) -> Any:
    """A column; money with all digits before the point, because DuckDB prints a narrow decimal without its zero."""
    import pyarrow as pa

    scales = [-int(value.as_tuple().exponent) for value in values if isinstance(value, Decimal)]
    return pa.array(values, pa.decimal128(38, max(0, *scales)) if scales else None)


@contextmanager
def open_serving(settings: ServingSettings | Path) -> Iterator[ServingReader]:
    """The serving schema of the target in use, read-only, in one state; that of a file for a path.

    Raises NotBuilt when there is no file yet (Redshift without the schema has no relations), RetryableError when the
    place does not answer, UsageError when a setting is missing.
    """
    if isinstance(settings, Path):
        with _file(settings, str(settings)) as reader:
            yield reader
        return
    settings.check_target()
    if settings.target == "redshift":
        with _redshift(settings) as reader:
            yield reader
    elif settings.is_remote:
        with tempfile.TemporaryDirectory(prefix="deftunes-serving-") as folder:
            file = Path(folder) / settings.serving_file
            fetch(client_of(), settings.serving, file)
            with _file(file, settings.serving) as reader:
                yield reader
    else:
        with _file(settings.serving_file, str(settings.serving_file)) as reader:
            yield reader


@contextmanager
def _file(file: Path, where: str) -> Iterator[ServingReader]:
    if not file.is_file():
        raise NotBuilt(where)
    try:
        connection = duckdb.connect(str(file), read_only=True)
    except duckdb.Error as error:
        raise RetryableError(
            f"expected a serving database that can be read, found {error} at {where}; wait for a build that is "
            "running, or remove the file and run deftunes-dbt build"
        ) from error
    with connection:
        connection.execute("set memory_limit = $1", [MEMORY])
        yield ServingReader(where, partial(_select_duckdb, connection), connection)


@contextmanager
def _redshift(settings: ServingSettings) -> Iterator[ServingReader]:
    where = f"Redshift {settings.redshift_host}, schema {SERVING}"
    with closing(connect(settings)) as connection:
        try:
            query(connection, "begin read only")
            yield ServingReader(where, partial(_select_redshift, connection))
        except Exception as error:
            if not is_driver_error(error):
                raise
            raise RetryableError(f"{where} cannot be read: {message_of(error)}; try again") from error


def _select_duckdb(connection: duckdb.DuckDBPyConnection, sql: str) -> Table:
    found = connection.execute(sql)
    return [column[0] for column in found.description or ()], found.fetchall()


def _select_redshift(connection: Connection, sql: str) -> Table:
    with closing(connection.cursor()) as cursor:
        cursor.execute(sql)
        return [str(column[0]) for column in cursor.description or ()], [tuple(row) for row in cursor.fetchall()]
