"""The published tables as DuckDB views, for the embedded target: the stand-in of Redshift's external schema.

Data flow: catalog (SQLite or Glue) -> current metadata file of each table -> view on `iceberg_scan(that file)`.

A view names one metadata file, so everything that reads it sees the snapshot that was public when `attach` was
called, however long it reads; branches are never visible. `iceberg_scan` prunes partitions by ingest_on. DuckDB's
extensions are loaded from installed wheels: nothing is downloaded.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import duckdb

from deftunes_contract.aws import aws_session
from deftunes_contract.entity import Entity, Field
from deftunes_contract.errors import RetryableError, StageError, UsageError
from deftunes_contract.registry import load, registry
from deftunes_contract.settings import LakeSettings
from deftunes_serving.catalog import metadata_locations

SCHEMA = "deftunes_transform"
"""Schema of the views; Redshift's external schema has the same name."""

EXTENSIONS = ("avro", "iceberg")
"""In the order in which DuckDB can load them; `httpfs` comes before them where the lake is in S3."""

SQL_TYPES = {
    "string": "varchar",
    "int": "integer",
    "long": "bigint",
    "double": "double precision",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamp",
}
"""Iceberg type -> SQL type that DuckDB and Redshift both know; decimals keep their own text."""


def sql_type(iceberg_type: str) -> str:
    """The SQL type of a contract's column type. Raises KeyError for one that serving does not know."""
    return iceberg_type if iceberg_type.startswith("decimal") else SQL_TYPES[iceberg_type]


def attach(connection: duckdb.DuckDBPyConnection, settings: LakeSettings, database: str | None = None) -> None:
    """Make schema `deftunes_transform` with one view per table of the contracts.

    A table that does not exist yet, or that has nothing on `main`, becomes a view without rows but with the
    contract's columns and types; an optional column that the contract has and the table never had is null. With
    `database`, the schema goes into a new in-memory database of that name (`DATABASE.deftunes_transform.TABLE`), so
    that the file that is open stays as it is. A connection that is open read-only cannot take views: open an in-
    memory one and ATTACH the file.

    Raises UsageError (catalog, credentials, extensions), RetryableError (nothing to connect to), StageError (a table
    that breaks its contract).
    """
    locations = metadata_locations(settings, registry().tables)
    read_lake(connection, locations)
    schema = SCHEMA
    if database is not None:
        connection.execute(f"ATTACH IF NOT EXISTS ':memory:' AS {database}")
        schema = f"{database}.{SCHEMA}"
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    for name in registry().tables:
        entity, location = load(name), locations.get(name)
        view = f"CREATE OR REPLACE VIEW {schema}.{identifier(name)} AS"
        try:
            if location is None:
                connection.execute(f"{view} {_empty(entity)}")
                continue
            try:
                connection.execute(f"{view} {_scan(entity, location)}")
            except duckdb.BinderException:
                absent = new_columns(entity, read_metadata(connection, location))
                connection.execute(f"{view} {_scan(entity, location, absent)}")
        except duckdb.IOException as error:  # HTTPException is one
            raise RetryableError(f"published table {name} at {location} cannot be read: {error}") from None
        except duckdb.Error as error:
            raise StageError(
                f"published table {name} at {location} cannot be read with the columns of contract {entity.version}: "
                f"{error}"
            ) from None


def read_metadata(connection: duckdb.DuckDBPyConnection, location: str) -> dict[str, Any]:
    """A table's metadata file, by a connection that `read_lake` has prepared."""
    ((text,),) = connection.execute("SELECT content FROM read_text($1)", [location]).fetchall()
    metadata: dict[str, Any] = json.loads(text)
    return metadata


def new_columns(entity: Entity, metadata: Mapping[str, Any]) -> set[str]:
    """Optional columns of the contract that no schema of the table ever had: nothing was published since they came."""
    known = {field["name"] for schema in metadata.get("schemas", ()) for field in schema["fields"]}
    return {column.name for column in entity.columns if column.name not in known and not column.required}


def read_lake(connection: duckdb.DuckDBPyConnection, locations: Mapping[str, str]) -> None:
    """Enable a connection to read metadata files and data where they lie: extensions and, for S3, credentials."""
    distant = any(location.startswith("s3://") for location in locations.values())
    # each takes a tenth of a second or two, so a lake in a folder does without the one for the network
    _load_extensions(connection, ("httpfs", *EXTENSIONS) if distant else EXTENSIONS)
    if distant:
        _create_s3_secret(connection)


def _scan(entity: Entity, location: str, absent: Collection[str] = ()) -> str:
    columns = ", ".join(
        _null(column) if column.name in absent else identifier(column.name) for column in entity.columns
    )
    return f"SELECT {columns} FROM iceberg_scan({quoted(location)})"


def _empty(entity: Entity) -> str:
    return f"SELECT {', '.join(map(_null, entity.columns))} WHERE false"


def _null(column: Field) -> str:
    return f"CAST(NULL AS {sql_type(column.type)}) AS {identifier(column.name)}"


def identifier(*names: str) -> str:
    """Names as one SQL identifier, `"schema"."table"`; Redshift reads it alike."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def quoted(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def _load_extensions(connection: duckdb.DuckDBPyConnection, names: Sequence[str]) -> None:
    # LOAD by path: INSTALL would write below the home directory, which a pod mounts read-only
    connection.execute("SET autoinstall_known_extensions = false")
    for name in names:
        package = importlib.import_module(f"duckdb_extension_{name}")
        folder = Path(str(package.__file__)).parent / "extensions" / f"v{duckdb.__version__}"
        file = folder / f"{name}.duckdb_extension"
        if not file.is_file():
            raise UsageError(
                f"expected DuckDB's extension {name} at {file}, found none; install duckdb-extension-{name} of the "
                f"same version as duckdb {duckdb.__version__}"
            )
        connection.execute(f"LOAD {quoted(str(file))}")


def _create_s3_secret(connection: duckdb.DuckDBPyConnection) -> None:
    """Hand AWS's own chain (environment, web identity, pod identity) and endpoint to DuckDB, for this process only."""
    session = aws_session()
    client, credentials = session.client("s3"), session.get_credentials()
    if credentials is None:
        raise UsageError("the lake is in S3 and AWS's credential chain found no credentials; see docs/settings.md")
    frozen, endpoint = credentials.get_frozen_credentials(), urlparse(client.meta.endpoint_url)
    options = {"KEY_ID": frozen.access_key, "SECRET": frozen.secret_key, "SESSION_TOKEN": frozen.token}
    options["REGION"] = client.meta.region_name
    if not (endpoint.hostname or "").endswith((".amazonaws.com", ".amazonaws.com.cn")):
        # a stand-in of S3 (AWS_ENDPOINT_URL): no DNS name per bucket, often no TLS
        options |= {"ENDPOINT": endpoint.netloc, "URL_STYLE": "path"}
    listed = "".join(f", {name} {quoted(value)}" for name, value in options.items() if value)
    secure = "true" if endpoint.scheme == "https" else "false"
    try:
        connection.execute(f"CREATE OR REPLACE SECRET deftunes_lake (TYPE s3, USE_SSL {secure}{listed})")
    except duckdb.Error:
        # the database's message may quote the statement, and the statement holds the secret
        raise UsageError("DuckDB refused the S3 credentials that AWS's chain gave") from None
