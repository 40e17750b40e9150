"""The catalog `lake` and the file systems below it, as Spark settings.

Data flow: none. For a lake in a folder the catalog is Iceberg's JdbcCatalog on a SQLite file, for AWS it is Glue; both
hold the same tables to every reader. What protects the SQLite file: processes wait for each other, and its tables are
made in one transaction.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from deftunes_contract.errors import UsageError
from deftunes_contract.paths import in_s3
from deftunes_lake.settings import SparkSettings

CATALOG = "lake"
"""Name of the catalog in SQL, and the catalog_name in the SQLite file that other readers must use."""
BUSY_MILLISECONDS = 120_000
"""How long a process waits for the SQLite file while others commit; a commit holds it for milliseconds."""
IDENTITY = "spark.deftunes.lake"
"""Session setting that names the lake of a session's catalog."""


def catalog_conf(settings: SparkSettings) -> dict[str, str]:
    """Settings of the catalog `lake`. Raises UsageError when the lake or catalog is of an unknown form."""
    own = {
        "warehouse": settings.warehouse,
        # a cached table hides branches and tags that another process made
        "cache-enabled": "false",
    }
    if settings.is_glue:
        # Glue keeps 100 000 table versions; Iceberg's own history is the one that counts
        own |= {"type": "glue", "glue.skip-archive": "true"}
    else:
        own |= {
            "type": "jdbc",
            "uri": sqlite_url(Path(settings.catalog_file)),
            "jdbc.schema-version": "V1",
        }
    own |= _io_conf(settings)
    prefix = f"spark.sql.catalog.{CATALOG}"
    conf = {prefix: "org.apache.iceberg.spark.SparkCatalog"} | {f"{prefix}.{key}": v for key, v in own.items()}
    return conf | {IDENTITY: f"{own['type']} {own.get('uri', own.get('glue.endpoint', ''))} {own['warehouse']}"}


def _io_conf(settings: SparkSettings) -> dict[str, str]:
    on_s3 = in_s3(settings.lake)
    own = {"io-impl": "org.apache.iceberg.aws.s3.S3FileIO" if on_s3 else "org.apache.iceberg.hadoop.HadoopFileIO"}
    if settings.region:
        own["client.region"] = settings.region
    if on_s3 and (s3 := settings.s3_endpoint or settings.endpoint):
        own |= {"s3.endpoint": s3, "s3.path-style-access": "true"}
    if settings.is_glue and (glue := settings.glue_endpoint or settings.endpoint):
        own["glue.endpoint"] = glue
    return own


def s3a_conf(settings: SparkSettings, prefix: str = "spark.hadoop.") -> dict[str, str]:
    """Hadoop's own settings: its S3 client, which Spark's readers of landing files use, or who may read local files."""
    if not in_s3(settings.lake):
        # Hadoop's local files have a umask of their own, and it is not the process's
        return {} if settings.shared else {f"{prefix}fs.permissions.umask-mode": "077"}
    conf = {
        "fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        "fs.AbstractFileSystem.s3.impl": "org.apache.hadoop.fs.s3a.S3A",
        # the default chain of the AWS SDK: environment, web identity of a pod, instance
        "fs.s3a.aws.credentials.provider": "software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider",
    }
    if settings.region:
        conf["fs.s3a.endpoint.region"] = settings.region
    if endpoint := settings.s3_endpoint or settings.endpoint:
        conf |= {"fs.s3a.endpoint": endpoint, "fs.s3a.path.style.access": "true"}
    return {f"{prefix}{key}": value for key, value in conf.items()}


def sqlite_url(file: Path) -> str:
    """JDBC URL of the catalog file; concurrent processes wait for each other instead of failing."""
    return f"jdbc:sqlite:file:{quote(str(file))}?busy_timeout={BUSY_MILLISECONDS}"


def prepare_catalog_file(file: Path) -> None:
    """Make the SQLite file with the tables that Iceberg expects (catalog schema V1); no change when they are there.

    Iceberg would make them itself, in steps that two processes starting at once can trip over.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with closing(sqlite3.connect(file, timeout=BUSY_MILLISECONDS / 1000)) as connection, connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS iceberg_tables (catalog_name VARCHAR(255) NOT NULL, "
                "table_namespace VARCHAR(255) NOT NULL, table_name VARCHAR(255) NOT NULL, "
                "metadata_location VARCHAR(1000), previous_metadata_location VARCHAR(1000), iceberg_type VARCHAR(5), "
                "PRIMARY KEY (catalog_name, table_namespace, table_name))"
            )
            connection.execute(
                "CREATE TABLE IF NOT EXISTS iceberg_namespace_properties (catalog_name VARCHAR(255) NOT NULL, "
                "namespace VARCHAR(255) NOT NULL, property_key VARCHAR(255) NOT NULL, property_value VARCHAR(1000), "
                "PRIMARY KEY (catalog_name, namespace, property_key))"
            )
    except sqlite3.DatabaseError as error:
        raise UsageError(f"DEFTUNES_CATALOG: expected a SQLite file at {file}, found: {error}") from None
