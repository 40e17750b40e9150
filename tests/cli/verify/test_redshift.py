"""With Redshift as the target, what Redshift shows is verified, and not a serving file that lies about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import duckdb
import pytest
from psycopg import sql
from redshift_standin import RedshiftStandin, standin
from redshift_standin.server import OWNER

from deftunes_serving.settings import ServingSettings
from deftunes_serving.verify import Verification, verify


@pytest.fixture(scope="session")
def redshift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedshiftStandin]:
    """The stand-in; it takes two seconds to start."""
    with standin(tmp_path_factory.mktemp("redshift")) as server:
        yield server


@pytest.fixture
def verify_redshift(platform: Any, redshift: RedshiftStandin) -> Callable[[], Verification]:
    """The platform's serving tables in Redshift; verifies the lake against them."""
    with duckdb.connect(str(platform.serving), read_only=True) as file, redshift.direct() as warehouse:
        warehouse.execute("DROP SCHEMA IF EXISTS deftunes_serving CASCADE")
        warehouse.execute("CREATE SCHEMA deftunes_serving")
        warehouse.execute(f"GRANT USAGE ON SCHEMA deftunes_serving TO {OWNER}")
        for (name,) in file.execute("SELECT table_name FROM information_schema.tables").fetchall():
            rows = file.execute(f"FROM deftunes_serving.{name}").fetchall()
            types = file.execute(f"SELECT column_name, column_type FROM (DESCRIBE deftunes_serving.{name})").fetchall()
            columns = ", ".join(f'"{column}" {kind.replace("DOUBLE", "double precision")}' for column, kind in types)
            warehouse.execute(f"CREATE TABLE deftunes_serving.{name} ({columns})".replace("HUGEINT", "numeric(38, 0)"))
            values = sql.SQL("INSERT INTO {} VALUES ({})").format(
                sql.Identifier("deftunes_serving", name), sql.SQL(", ").join(sql.Placeholder() * len(types))
            )
            with warehouse.cursor() as cursor:
                cursor.executemany(values, rows)
        warehouse.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA deftunes_serving TO {OWNER}")
    settings = ServingSettings(
        lake=platform.settings.lake,
        target="redshift",
        redshift_host=redshift.host,
        redshift_port=redshift.port,
        redshift_database=redshift.database,
        redshift_user=redshift.user,
        redshift_password=redshift.password,
        redshift_sslmode="disable",
    )
    return lambda: verify(platform.settings, settings)


def test_a_good_build_on_redshift_reconciles_and_shows_the_figures_of_the_file(
    platform: Any, verify_redshift: Callable[[], Verification]
) -> None:
    of_file = verify(platform.settings, platform.serving)
    platform.serving.unlink()
    of_redshift = verify_redshift()
    assert of_redshift.reconciled
    assert of_redshift.intervals == of_file.intervals
    assert of_redshift.sales == of_file.sales
    # the same rows have the same fingerprint on both targets
    assert of_redshift.tables == of_file.tables


@pytest.mark.parametrize(
    ("change", "hop"),
    [
        ("DELETE FROM deftunes_serving.fact_session WHERE item_no = 0", "fact"),
        ("UPDATE deftunes_serving.sales_per_artist_vw SET total_sales = total_sales + 1", "view"),
        ("DELETE FROM deftunes_serving.dim_songs WHERE track_id <> 'unknown'", "dimension"),
        ("DROP TABLE deftunes_serving.fact_session", "serving"),
    ],
)
def test_what_differs_on_redshift_is_found_there(
    redshift: RedshiftStandin, verify_redshift: Callable[[], Verification], change: str, hop: str
) -> None:
    with redshift.direct() as warehouse:
        warehouse.execute(change)
    found = verify_redshift()
    assert hop in {fault.hop for fault in found.faults}
    assert any(f"in Redshift {redshift.host}, schema deftunes_serving" in fault.sentence for fault in found.faults)
