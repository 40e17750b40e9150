"""Where the current metadata file of each published table is: one look into the catalog, nothing else.

Reads Spark's and pyiceberg's SQL catalog (SQLite) or AWS Glue; both keep one `metadata_location` per table and change
it in one step when something is published.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from deftunes_contract.aws import aws_client
from deftunes_contract.errors import RetryableError, UsageError
from deftunes_contract.settings import LakeSettings
from deftunes_contract.store_errors import aws_errors, in_context

CATALOG_NAME = "lake"
"""Name under which the platform's catalog keeps its tables in the SQL catalog's file."""

BUSY_SECONDS = 30.0
"""How long to wait for a commit that holds SQLite's lock; a commit takes milliseconds."""


def metadata_locations(settings: LakeSettings, tables: Iterable[str]) -> dict[str, str]:
    """Table name -> path or s3:// address of its metadata file; tables that do not exist are left out.

    Raises UsageError or RetryableError when the catalog itself cannot be read.
    """
    read = _from_glue if settings.is_glue else _from_sqlite
    found = read(settings, tuple(tables))
    return {name: location.removeprefix("file://") for name, location in found.items()}


def _from_sqlite(settings: LakeSettings, tables: tuple[str, ...]) -> dict[str, str]:
    file = Path(settings.catalog_file)
    if not file.is_file():
        raise RetryableError(
            f"expected the lake's catalog at {file}, found none: nothing was published yet, or DEFTUNES_LAKE / "
            "DEFTUNES_CATALOG name another place"
        )
    try:
        connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)
        try:
            rows = connection.execute(
                "SELECT table_name, metadata_location FROM iceberg_tables "
                "WHERE catalog_name = ? AND table_namespace = ?",
                (CATALOG_NAME, settings.database),
            ).fetchall()
        finally:
            connection.close()
    except sqlite3.OperationalError as error:
        raise RetryableError(f"the lake's catalog {file} cannot be read: {error}") from None
    except sqlite3.DatabaseError as error:
        raise UsageError(f"DEFTUNES_CATALOG: {file} is no SQL catalog of Iceberg tables: {error}") from None
    return {name: location for name, location in rows if name in tables}


def _from_glue(settings: LakeSettings, tables: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    with in_context(f"to read Glue database {settings.database}", "nothing was changed"), aws_errors("AWS Glue"):
        client = aws_client("glue", mode="adaptive", max_attempts=8)
        for name in tables:
            try:
                table = client.get_table(DatabaseName=settings.database, Name=name)["Table"]
            except client.exceptions.EntityNotFoundException:
                continue
            location = table.get("Parameters", {}).get("metadata_location")
            if location is None:
                raise UsageError(f"Glue table {settings.database}.{name} is no Iceberg table: no metadata_location")
            found[name] = location
    return found
