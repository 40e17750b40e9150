"""The folder of a table, looked at without its catalog: which files lie there, and whose metadata they are.

Data flow: none; reads names, and a metadata file where one must be looked into. It distinguishes a table that the
catalog has lost from a table that never was (`check_not_lost`), and from what killed writes leave behind.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyspark.sql import SparkSession

from deftunes_contract.errors import UsageError
from deftunes_contract.settings import LakeSettings
from deftunes_lake.catalog import CATALOG
from deftunes_lake.iceberg_java import JAVA_ERRORS, causes, jvm

METADATA_FILE = re.compile(r"(?:v?(\d+)(?:-[^/]*)?(?:\.gz)?\.metadata\.json(?:\.gz)?)$")
"""`00003-<uuid>.metadata.json` of a catalog, `v3.metadata.json` of Hadoop's; the number is the version."""


@dataclass(frozen=True)
class Metadata:
    """One metadata file: the table's id, the number of its commits, whether any snapshot has rows."""

    file: str
    uuid: str
    sequence: int
    rows: bool


def check_not_lost(spark: SparkSession, settings: LakeSettings, entity: str) -> None:
    """Raises UsageError when the folder where a table would be made holds a table already.

    Called when the catalog names no such table: a lost, emptied or foreign catalog would otherwise begin an empty one
    beside the old, and everything after it would take the empty one for the truth. A create that was killed leaves a
    metadata file too, written before the catalog's entry: it counts no row and has no data file beside it, so nothing
    can be lost and the table is made.
    """
    try:
        location, io = _where(spark, settings, entity)
    except JAVA_ERRORS as error:
        if "AlreadyExistsException" in causes(error):
            # another process has made it since the catalog was read
            return
        raise
    data = next(_files(spark, io, f"{location}/data"), None)
    found = data or next((one.file for one in metadata_files(spark, io, location) if one.rows), None)
    if found is None:
        return
    catalog = "the Glue catalog" if settings.is_glue else f"the catalog {settings.catalog_file}"
    raise UsageError(
        f"expected no table in {location}, because {catalog} names none called {settings.database}.{entity}, found the "
        f"files of one ({found.removeprefix(f'{location}/')}): the catalog was lost, emptied, or is another lake's. "
        "Nothing was made. Restore the catalog from its backup, or name the right one (DEFTUNES_CATALOG, "
        "DEFTUNES_DATABASE) or another DEFTUNES_LAKE; to begin anew here, move the folder away first"
    )


def metadata_files(
    spark: SparkSession, io: Any, location: str, only: Collection[str] | None = None
) -> Iterator[Metadata]:
    """The metadata files of a folder, newest version first; `only` these, when given."""
    named = [(METADATA_FILE.search(file), file) for file in only or _files(spark, io, f"{location}/metadata")]
    versions = [(int(match.group(1)), file) for match, file in named if match]
    for version, file in sorted(versions, reverse=True):
        try:
            read = jvm(spark).org.apache.iceberg.TableMetadataParser.read(io, file)
        except JAVA_ERRORS:
            # cut short by a kill: the first file of a create that never was, or one of a table that has later ones
            yield Metadata(file, "", version, rows=version > 0)
            continue
        rows = any(snapshot.summary().get("total-records") != "0" for snapshot in read.snapshots())
        yield Metadata(file, str(read.uuid()), int(read.lastSequenceNumber()), rows)


def count_files(spark: SparkSession, table: Any) -> int:
    """How many files lie in the folder of a loaded table, data and metadata."""
    files = table.io().listPrefix(f"{str(table.location()).rstrip('/')}/")
    return int(jvm(spark).java.util.stream.StreamSupport.stream(files.spliterator(), False).count())


def had_branch(spark: SparkSession, table: Any, branch: str, moment: datetime) -> bool:
    """Whether a loaded table had a branch at a moment, as far back as it keeps metadata files; False before."""
    now, then = table.operations().current(), int(moment.timestamp() * 1000)
    if now.lastUpdatedMillis() <= then:
        return bool(now.refs().containsKey(branch))
    earlier = [entry.file() for entry in now.previousFiles() if entry.timestampMillis() <= then]
    if not earlier:
        return False
    read = jvm(spark).org.apache.iceberg.TableMetadataParser.read(table.io(), earlier[-1])
    return bool(read.refs().containsKey(branch))


def _where(spark: SparkSession, settings: LakeSettings, entity: str) -> tuple[str, Any]:
    """Where the catalog would make a table, and the means to look there. Its namespace must be there."""
    catalog = spark._jsparkSession.sessionState().catalogManager().catalog(CATALOG).icebergCatalog()
    name = jvm(spark).org.apache.iceberg.catalog.TableIdentifier.parse(f"{settings.database}.{entity}")
    schema = jvm(spark).org.apache.iceberg.Schema(jvm(spark).java.util.ArrayList())
    # begun and thrown away: a transaction writes nothing before its commit
    table = catalog.buildTable(name, schema).createTransaction().table()
    return str(table.location()).rstrip("/"), table.io()


def _files(spark: SparkSession, io: Any, folder: str) -> Iterator[str]:
    """Full names of the files below a folder; none where there is no folder."""
    try:
        found = io.listPrefix(f"{folder}/").iterator()
        while found.hasNext():
            yield str(found.next().location())
    except JAVA_ERRORS as error:
        if "FileNotFoundException" not in causes(error):
            raise
