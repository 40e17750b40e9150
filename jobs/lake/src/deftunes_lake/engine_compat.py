"""What the warehouse's readers accept: checked for a snapshot before it becomes main.

Data flow: snapshot → nothing, or DataRejected. Reads the table's metadata, the snapshot's manifest list and the
manifests that it added: never a row, and of the table's history no more than one line a manifest.

Redshift (Spectrum on RA3, its own compute on RG and Serverless) and Athena read `main` through the Glue catalog. What
both read is the rule, and each rule names its source, a page of AWS's documentation:

* [R] Redshift, "Using Apache Iceberg tables with Amazon Redshift" (querying-iceberg), and its pages
  [R types] querying-iceberg-supported-data-types, [R v3] iceberg-v3-features, [R sql] iceberg-writes-sql-syntax,
  [R files] c-spectrum-data-files, [R names] r_names
* [A] Athena, "Query Apache Iceberg tables" (querying-iceberg), [A codecs] compression-support-iceberg,
  [A names] tables-databases-columns-names

Where a reader could and we still refuse, the reason stands at the rule.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from pyspark.sql import SparkSession

from deftunes_contract.errors import DataRejected
from deftunes_lake.catalog import CATALOG
from deftunes_lake.iceberg_java import jvm

FORMAT_VERSION = 2
"""[A]: Athena works on v2 tables only. [R]: Redshift reads 1, 2 and, since August 2026 on Graviton clusters and
Serverless, 3; there is no way back from 3 [R v3]."""
TYPES = frozenset({"BOOLEAN", "INTEGER", "LONG", "FLOAT", "DOUBLE", "DECIMAL", "DATE", "TIMESTAMP", "STRING"})
"""[R types] without those that read otherwise than they were written: list, map and struct become SUPER, which needs
other SQL (and is not read from v3 tables), binary becomes varbyte(64000). uuid, time, fixed and all that v3 brought
have no Redshift type."""
DECIMAL_DIGITS = 38
"""Redshift's DECIMAL ends there; so does Iceberg's own."""
CODECS = frozenset({"zstd", "snappy", "gzip", "uncompressed"})
"""[A codecs] for Parquet; [R files] names zstd for Iceberg tables; [R sql] knows brotli too, which Athena does not."""
NAME_BYTES = 127
"""[R names]; Glue itself takes 255 [A names]."""
SYSTEM_NAMES = frozenset({"oid", "tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})
"""No column of Redshift may be called so [R names]."""


def check_engine_compatibility(
    spark: SparkSession, what: str, table: Any, snapshot_id: int, onto: int | None = None
) -> None:
    """Raise DataRejected when a snapshot of a loaded table could not be read, or not as cheaply, by the warehouse.

    what: how the message begins. onto: the main that the snapshot's files will be put onto, when it is not
    the one that they stand on; what readers would find there is checked too. Changes nothing.
    """
    found = list(dict.fromkeys(incompatibilities(spark, table, snapshot_id, onto)))
    if found:
        raise DataRejected(
            f"{what}: Redshift Spectrum and Athena could not, or should not, read snapshot {snapshot_id} of "
            f"{table.name()}: {'; '.join(found)}. Nothing of it was published, main is as it was; mend this, then run "
            "transform and quality again"
        )


def incompatibilities(spark: SparkSession, table: Any, snapshot_id: int, onto: int | None = None) -> Iterator[str]:
    """What the readers cannot or should not read, one clause each: expected, found, and how to mend it."""
    version = jvm(spark).org.apache.iceberg.TableUtil.formatVersion(table)
    if version != FORMAT_VERSION:
        mend = "set it" if version < FORMAT_VERSION else "no table goes back: load into another DEFTUNES_DATABASE"
        yield f"expected format version {FORMAT_VERSION}, found {version} ({mend})"
    yield from column_faults(table.schema())
    yield from partition_faults(table.spec())
    yield from property_faults(dict(table.properties()))
    yield from _manifest_faults(table, snapshot_id)
    if onto is not None:
        yield from _manifest_faults(table, onto)
    yield from _file_faults(spark, table, snapshot_id)


def column_faults(schema: Any) -> Iterator[str]:
    """Columns of an Iceberg schema whose type or name the readers do not take."""
    for column in schema.columns():
        name, kind = str(column.name()), column.type()
        if _unread(kind):
            yield (
                f"expected columns of the types that Redshift reads, found {name} {kind.toString()} "
                "(give it a plain type in the contract; a time is a timestamp without zone, anything nested a string)"
            )
        if name != name.lower():
            # Glue and Athena fold names, and two that differ in case only become one
            yield f"expected column names in lower case, found {name} (rename it)"
        if (size := len(name.encode())) > NAME_BYTES:
            yield f"expected at most {NAME_BYTES} bytes in a column's name, found {size}: {name} (rename it)"
        if name.lower() in SYSTEM_NAMES or not name.isprintable():
            yield f"expected column names that Redshift allows, found {name!r} (rename it)"


def _unread(kind: Any) -> bool:
    identity = kind.typeId().name()
    if identity == "TIMESTAMP":
        # Redshift shows timestamptz of a v2 table without its zone, of a v3 table with it [R v3]; see ADR 4
        return bool(kind.shouldAdjustToUTC())
    if identity == "DECIMAL":
        return bool(kind.precision() > DECIMAL_DIGITS)
    return identity not in TYPES


def partition_faults(spec: Any) -> Iterator[str]:
    """Partition fields that are no plain column.

    Redshift reads every transform of v2 but void [R sql], Athena all that it can create. Only identity is let through:
    serving filters a month by `ingest_on = D`, and publish counts and moves that month as one whole partition.
    """
    for field in spec.fields():
        if not field.transform().isIdentity():
            yield (
                f"expected partitions by plain columns, found {field.transform().toString()} as {field.name()} "
                f"(ALTER TABLE … DROP PARTITION FIELD {field.name()})"
            )


def property_faults(properties: dict[str, str]) -> Iterator[str]:
    """Properties by which the next writer, compaction too, would write files that the readers do not read.

    A codec stands in each file's footer, which is data; the property is what our writers obey.
    """
    allowed = (
        ("write.format.default", "parquet", {"parquet"}),  # [R sql], [R files]; ORC and Avro: Athena 3 only
        ("write.parquet.compression-codec", "zstd", CODECS),
        ("write.parquet.page-version", "v1", {"v1"}),  # [R files]: Redshift reads the Parquet v1 data file format
    )
    for key, default, values in allowed:
        found = properties.get(key, default)
        if found.lower() not in values:
            yield f"expected {key} to be {' or '.join(sorted(values))}, found {found} (set the table's property)"


def _manifest_faults(table: Any, snapshot_id: int) -> Iterator[str]:
    """Delete files, and files of another partition spec, by the counts in the manifest list: one small file is read."""
    deletes, specs = 0, Counter[int]()
    for manifest in table.snapshot(snapshot_id).allManifests(table.io()):
        # a v1 table's list need not count
        live = (manifest.addedFilesCount() or 0) + (manifest.existingFilesCount() or 0)
        if manifest.content().name() == "DELETES":
            deletes += live
        else:
            specs[manifest.partitionSpecId()] += live
    if deletes:
        # [R] and [A] read those of v2, but each query pays anew for merging them, and the row counts by which publish
        # proves what it moves do not know them
        yield (
            f"expected no delete files, found {deletes} (set write.delete.mode, write.update.mode and write.merge.mode "
            f"to copy-on-write; {_rewrite(table, 'delete-file-threshold', '1', 'remove-dangling-deletes', 'true')})"
        )
    others = specs.total() - specs[table.spec().specId()]
    if others:
        # [R] follows a changed spec by itself; but a month that is not one partition cannot be replaced as one
        yield (
            f"expected all data files in the table's present partition spec, found {others} in an older one "
            f"({_rewrite(table, 'rewrite-all', 'true')})"
        )


def _rewrite(table: Any, *options: str) -> str:
    """The statement that writes main's files anew."""
    written = ", ".join(f"'{option}'" for option in options)
    return f"CALL {CATALOG}.system.rewrite_data_files(table => '{table.name()}', options => map({written}))"


def _file_faults(spark: SparkSession, table: Any, snapshot_id: int) -> Iterator[str]:
    """Files that are no Parquet among those that the snapshot added.

    Older files were looked at when they became public, and a run's branch is one commit on main (staging.py), so this
    costs what the month costs, however long the history is.
    """
    added = jvm(spark).org.apache.iceberg.SnapshotChanges.builderFor(table).snapshot(table.snapshot(snapshot_id))
    formats = Counter(file.format().name() for file in added.build().addedDataFiles())
    for name, count in sorted(formats.items()):
        if name != "PARQUET":
            # [R sql] wants Parquet; Athena 3 reads ORC and Avro as well
            yield f"expected Parquet data files, found {count} of {name} (set write.format.default to parquet)"
