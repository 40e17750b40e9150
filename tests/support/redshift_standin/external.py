"""What Spectrum would show: the published Iceberg tables, copied into tables of the same names."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import duckdb
from psycopg import sql

from deftunes_contract.registry import load, registry
from deftunes_contract.settings import LakeSettings
from deftunes_serving.lake_views import SCHEMA, attach, sql_type
from redshift_standin.server import OWNER, RedshiftStandin


def fill(redshift: RedshiftStandin, settings: LakeSettings, months: Sequence[str] = ()) -> None:
    """Let the external tables show what main of each table holds now, in one transaction.

    Rows are exchanged and tables kept, since views hang on them. `months`: ingest_on of the partitions to exchange,
    all of them without.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        duckdb.connect() as lake,
        redshift.direct() as warehouse,
        warehouse.transaction(),
    ):
        attach(lake, settings)
        warehouse.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        warehouse.execute(f"GRANT USAGE ON SCHEMA {SCHEMA} TO {OWNER}")
        for name in registry().tables:
            columns = [(column.name, sql_type(column.type)) for column in load(name).columns]
            listed = ", ".join(f'"{column}" {kind}' for column, kind in columns)
            warehouse.execute(f"CREATE TABLE IF NOT EXISTS {SCHEMA}.{name} ({listed})")
            # what partition pruning does for Spectrum
            warehouse.execute(f"CREATE INDEX IF NOT EXISTS {name}_ingest_on ON {SCHEMA}.{name} (ingest_on)")
            warehouse.execute(f"GRANT SELECT ON {SCHEMA}.{name} TO {OWNER}")
            where = f"WHERE ingest_on IN ({', '.join(repr(month) for month in months)})" if months else ""
            warehouse.execute(f"DELETE FROM {SCHEMA}.{name} {where}")
            names = sql.SQL(", ").join(sql.Identifier(column) for column, _ in columns)
            copy = sql.SQL("COPY {}.{} ({}) FROM STDIN (FORMAT csv)").format(
                sql.Identifier(SCHEMA), sql.Identifier(name), names
            )
            chosen = ", ".join(f'"{column}"' for column, _ in columns)
            # as a file: a million rows take seconds; whatever is not null is quoted, so an empty text is no null
            lake.execute(
                f"COPY (SELECT {chosen} FROM {SCHEMA}.{name} {where}) TO '{folder}/rows.csv' "
                "(FORMAT csv, HEADER false, FORCE_QUOTE *, NULLSTR '')"
            )
            with Path(folder, "rows.csv").open("rb") as file, warehouse.cursor() as cursor, cursor.copy(copy) as rows:
                while part := file.read(1 << 20):
                    rows.write(part)
