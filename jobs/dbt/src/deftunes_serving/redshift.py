"""Redshift while a build is at work: one build at a time, and a schema of its own for what is not public yet.

Data flow: (lock) -> empty schema deftunes_building, external schema over the catalog -> the build ->
`redshift_publish`.

What protects a reader: dbt writes to deftunes_building and deftunes_staging only; deftunes_serving changes in the one
transaction of `redshift_publish`. What protects a build from another: an exclusive lock on
`deftunes_staging.build_lock`, held by a transaction that lasts as long as the build. Redshift drops it when the
connection ends, however it ends, and the publication queries that connection before it commits, so a build that lost
its lock publishes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from deftunes_contract.errors import RetryableError, StageError
from deftunes_serving.lake_views import SCHEMA
from deftunes_serving.settings import AwsSettings, ServingSettings

if TYPE_CHECKING:
    from redshift_connector.core import Connection

BUILDING = "deftunes_building"
"""Schema of a build's models until they are public; dropped by the next build."""
SERVING = "deftunes_serving"
"""Schema that readers know."""
STAGING = "deftunes_staging"
"""Schema of staging views, and of state shared by builds."""
LOCK = f"{STAGING}.build_lock"
APPLICATION = "deftunes-dbt"
"""Name of a build's connections, in Redshift's connection log."""

log = structlog.get_logger("deftunes-dbt")


def connect(settings: ServingSettings) -> Connection:
    """A connection as dbt makes its own (dbt-redshift's settings, IAM included), each statement a transaction.

    Raises RetryableError when nobody answers or the credentials are refused.
    """
    # two seconds of import, and only for this target
    from dbt.adapters.redshift.connections import RedshiftCredentials, UserSSLMode, get_connection_method
    from dbt_common.helper_types import Port

    _set_application_name()
    is_iam = settings.redshift_auth == "iam"
    credentials = RedshiftCredentials(
        method=("iam" if settings.redshift_user else "iam_role") if is_iam else "database",
        host=settings.redshift_host,
        port=Port(settings.redshift_port),
        database=settings.redshift_database,
        schema=BUILDING,
        user=settings.redshift_user,
        password=settings.redshift_password.get_secret_value(),
        cluster_id=settings.redshift_cluster,
        serverless_work_group=settings.redshift_workgroup,
        is_serverless=bool(settings.redshift_workgroup),
        region=AwsSettings().region or "",
        sslmode=UserSSLMode(settings.redshift_sslmode),
        query_group=settings.redshift_query_group,
    )
    try:
        connection: Connection = get_connection_method(credentials)()
    except Exception as error:  # the driver, botocore and sockets each have errors of their own
        raise RetryableError(
            f"no connection to Redshift {settings.redshift_host}:{settings.redshift_port}, database "
            f"{settings.redshift_database}: {message_of(error)}; nothing was changed"
        ) from None
    return connection


def _set_application_name() -> None:
    """Give the driver the application's name, which it would else look for among the source texts of the whole stack.

    Each of dbt's connections, one a node, would pay for that, and the connection log would name a module of dbt's.
    """
    import redshift_connector

    if not isinstance(redshift_connector.connect, partial):
        redshift_connector.connect = partial(redshift_connector.connect, application_name=APPLICATION)


def message_of(error: BaseException) -> str:
    """What the database said; its driver hands over a dict of single letters (M is the message)."""
    said = error.args[0] if error.args else error
    return " ".join(str(said.get("M", said) if isinstance(said, dict) else said).split())


def query(connection: Connection, sql: str, *values: object) -> list[tuple[Any, ...]]:
    """Run one statement; returns its rows, none for one that has none."""
    with closing(connection.cursor()) as cursor:
        cursor.execute(sql, values or None)
        return [tuple(row) for row in cursor.fetchall()] if cursor.description else []


@contextmanager
def build_lock(settings: ServingSettings) -> Iterator[Connection]:
    """Hold the warehouse for one build: an empty deftunes_building, the external schema, nobody else at work.

    Yields the connection that holds the lock. Raises RetryableError when another build holds it for longer than
    `lock_seconds`.
    """
    with closing(connect(settings)) as holder:
        try:
            _create_schema(holder, STAGING)
            if not _has_table(holder, STAGING, LOCK.rpartition(".")[2]):
                _create(holder, f"create table if not exists {LOCK} (held_by integer)")
            _lock(holder, settings)
            with closing(connect(settings)) as worker:
                query(worker, f"drop schema if exists {BUILDING} cascade")
                for schema in (BUILDING, SERVING):
                    _create_schema(worker, schema)
                _create(worker, external_schema(settings))
            yield holder
        except StageError:
            raise
        except Exception as error:
            if is_driver_error(error):
                raise RetryableError(
                    f"Redshift {settings.redshift_host}: {message_of(error)}; nothing was published"
                ) from error
            raise


def external_schema(settings: ServingSettings) -> str:
    """The statement that makes the published tables readable: Spectrum over the Glue database.

    https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_EXTERNAL_SCHEMA.html
    """
    role = settings.redshift_spectrum_role
    region = AwsSettings().region
    return (
        f"create external schema if not exists {SCHEMA} from data catalog database '{settings.database}' "
        f"iam_role {role if role == 'default' else repr(role)}" + (f" region '{region}'" if region else "")
    )


def has_public(connection: Connection, relation: str) -> bool:
    """Whether readers have a relation of this name."""
    return _has_table(connection, SERVING, relation)


def _lock(holder: Connection, settings: ServingSettings) -> None:
    """Begin the transaction that holds the lock. Redshift has no NOWAIT: the server's own timeout ends the waiting."""
    began = time.monotonic()
    # 0 would mean for ever
    query(holder, f"set statement_timeout to {max(1, round(settings.lock_seconds * 1000))}")
    query(holder, "begin")
    try:
        query(holder, f"lock table {LOCK}")
    except Exception as error:
        if not is_driver_error(error):
            raise
        raise RetryableError(
            f"another build has held {LOCK} of Redshift {settings.redshift_host} for {settings.lock_seconds:.0f} s; "
            f"nothing was built, run the same command again when it is done ({message_of(error)})"
        ) from None
    query(holder, "set statement_timeout to 0")
    if (waited := time.monotonic() - began) > 1:
        log.info(f"waited {waited:.0f} s for another build")


def _create_schema(connection: Connection, name: str) -> None:
    if not query(connection, "select 1 from pg_namespace where nspname = %s", name):
        _create(connection, f"create schema if not exists {name}")


def _create(connection: Connection, statement: str) -> None:
    """Run `create ... if not exists`; of two builds that do so at once the server may refuse one: it looks again."""
    try:
        query(connection, statement)
    except Exception as error:
        if not is_driver_error(error):
            raise
        query(connection, statement)


def _has_table(connection: Connection, schema: str, name: str) -> bool:
    found = query(
        connection,
        "select 1 from pg_class join pg_namespace on pg_namespace.oid = pg_class.relnamespace "
        "where nspname = %s and relname = %s",
        schema,
        name,
    )
    return bool(found)


def is_driver_error(error: BaseException) -> bool:
    """Whether an error came from the driver or the connection, not from a program."""
    from redshift_connector.error import Error

    return isinstance(error, (Error, OSError))
