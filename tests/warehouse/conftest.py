"""A published lake without Spark: Iceberg tables made from the contracts with pyiceberg, and builds on top of it."""

from __future__ import annotations

import csv
import re
import shutil
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from pyiceberg.catalog import Catalog
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import NamespaceAlreadyExistsError
from pyiceberg.expressions import And, BooleanExpression, EqualTo
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import (
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    IcebergType,
    IntegerType,
    NestedField,
    StringType,
    TimestampType,
)
from random_shop import sale
from tips_feed import TipsFolder

from deftunes_contract.registry import load
from deftunes_contract.settings import LakeSettings
from deftunes_serving.__main__ import run
from deftunes_serving.runner import DbtProject
from deftunes_serving.settings import ProjectSettings

Row = Mapping[str, Any]

ICEBERG_TYPES: dict[str, IcebergType] = {
    "string": StringType(),
    "int": IntegerType(),
    "double": DoubleType(),
    "boolean": BooleanType(),
    "date": DateType(),
    "timestamp": TimestampType(),
    "decimal(10,2)": DecimalType(10, 2),
    "decimal(38,2)": DecimalType(38, 2),
}

FILLED_IN: dict[str, Any] = {
    "user_lastname": "Doe",
    "user_name": "Jo",
    "user_since": datetime(2020, 1, 1),
    "currency": "USD",
    "session_start_time": datetime(2020, 1, 15, 12),
    "source_from": "postgres_rds",
    "processing_timestamp": datetime(2020, 2, 1),
    "song_id": "SO0",
    "artist_id": "AR0",
    "run_id": "manual",
    "rule": "price_max",
    "units": 1,
    "raw_record": "{}",
    "record_hash": "0",
}
"""What a test's row need not say: values of the required columns."""


@dataclass
class Lake:
    """Published tables of one lake; each publication replaces one partition, as a pipeline run does."""

    root: Path
    catalog: Catalog = field(init=False)
    database: str = "deftunes_transform"
    serving: Path = field(init=False)

    def __post_init__(self) -> None:
        self.serving = self.root / "serving.duckdb"
        (self.root / "transform_zone").mkdir(parents=True, exist_ok=True)
        self.catalog = SqlCatalog(
            "lake", uri=f"sqlite:///{self.root}/catalog.db", warehouse=str(self.root / "transform_zone")
        )
        with_namespace(self.catalog, self.database)

    @property
    def settings(self) -> LakeSettings:
        """As the stages would read them from the environment."""
        return LakeSettings(lake=str(self.root))

    def table(self, name: str) -> Table:
        """The table, made from its contract when it does not exist."""
        return table_of(self.catalog, self.database, name)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask the serving file as a dashboard does: a new read-only connection."""
        with duckdb.connect(str(self.serving), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def value(self, sql: str) -> Any:
        """The one value of a query."""
        ((value,),) = self.query(sql)
        return value

    def content(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every relation in the serving file, sorted: equal contents are equal states."""
        names = self.query("SELECT table_schema || '.' || table_name FROM information_schema.tables ORDER BY 1")
        return {name: self.query(f"SELECT * FROM {name} ORDER BY ALL") for (name,) in names}

    def publish(self, name: str, ingest_on: str | date, rows: Iterable[Row]) -> None:
        """Replace the partition of one interval by these rows; columns they do not name are filled in."""
        publish(self.table(name), name, date.fromisoformat(str(ingest_on)), rows)


def with_namespace(catalog: Catalog, database: str) -> None:
    """Make the catalog database."""
    try:
        catalog.create_namespace(database)
    except NamespaceAlreadyExistsError:
        return


def schema_of(name: str) -> Schema:
    """The Iceberg schema that a contract asks for."""
    return Schema(
        *(
            NestedField(number, column.name, ICEBERG_TYPES[column.type], required=column.required)
            for number, column in enumerate(load(name).columns, start=1)
        )
    )


def table_of(catalog: Catalog, database: str, name: str) -> Table:
    """Load or create one contract's table, partitioned as the contract says."""
    schema = schema_of(name)
    spec = PartitionSpec(
        *(
            PartitionField(schema.find_field(column).field_id, 1000 + number, IdentityTransform(), column)
            for number, column in enumerate(load(name).partition)
        )
    )
    return catalog.create_table_if_not_exists(f"{database}.{name}", schema, partition_spec=spec)


def publish(table: Table, name: str, ingest_on: date, rows: Iterable[Row]) -> None:
    """Replace one partition."""
    full = [{**FILLED_IN, **row, "ingest_on": ingest_on} for row in rows]
    names = [column.name for column in load(name).columns]
    content = pa.table(
        {column: [row.get(column) for row in full] for column in names}, schema=table.schema().as_arrow()
    )
    partition: BooleanExpression = EqualTo("ingest_on", ingest_on.isoformat())
    if name == "quarantine":
        partition = And(partition, EqualTo("entity", str(full[0]["entity"])))
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # a new partition: nothing to delete
        table.overwrite(content, overwrite_filter=partition)


GOLDEN = Path(__file__).parent / "golden"
READ: dict[str, Callable[[str], Any]] = {
    "price": Decimal,
    "item_no": int,
    "year": int,
    "liked": lambda text: text == "true",
    "user_since": datetime.fromisoformat,
    "session_start_time": datetime.fromisoformat,
}


def publish_golden(lake: Lake, *months: str) -> None:
    """Publish the world of golden/README.md, or some months of it."""
    for name in ("users", "songs", "sessions"):
        with (GOLDEN / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            rows = [{c: READ.get(c, str)(text) for c, text in row.items() if text} for row in csv.DictReader(file)]
        for month in months or ("2020-01-01", "2020-02-01"):
            lake.publish(name, month, [row for row in rows if row["ingest_on"] == month])


def work_on(lake: Lake, home: Path, patch: pytest.MonkeyPatch) -> None:
    """Set the environment of a stage that works on `lake`."""
    for name in (
        "DEFTUNES_CONTRACTS",
        "DEFTUNES_CATALOG",
        "DEFTUNES_SERVING",
        "DEFTUNES_DBT_TARGET",
        "DEFTUNES_DBT_PROJECT",
    ):
        patch.delenv(name, raising=False)
    patch.setenv("DEFTUNES_LAKE", str(lake.root))
    patch.setenv("DEFTUNES_DBT_HOME", str(home))
    patch.setenv("DEFTUNES_DBT_THREADS", "1")  # tables this small are not worth a second thread


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty lake: a catalog without tables."""
    return Lake(tmp_path / "lake")


@pytest.fixture
def golden(lake: Lake) -> Callable[..., None]:
    """`golden()` publishes the world of golden/README.md into `lake`, `golden("2020-01-01")` one month of it."""
    return lambda *months: publish_golden(lake, *months)


@pytest.fixture
def sell() -> Callable[..., dict[str, Any]]:
    """Makes rows of sessions."""
    return sale


@pytest.fixture(scope="session")
def dbt_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where dbt keeps its parsed project, once for all tests."""
    return tmp_path_factory.mktemp("dbt")


@pytest.fixture
def environment(lake: Lake, dbt_home: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment of a stage that works on `lake`."""
    work_on(lake, dbt_home, monkeypatch)
    return monkeypatch


@pytest.fixture
def build(environment: pytest.MonkeyPatch) -> Callable[..., str]:
    """`build("2020-01-01", "2020-02-01")` as the command line would; returns the sentence or raises."""

    def build(start: str = "2020-01-01", end: str = "2020-02-01", *options: str) -> str:
        return run(["build", "--start", start, "--end", end, *options])

    return build


@pytest.fixture
def dbt(lake: Lake, dbt_home: Path, environment: pytest.MonkeyPatch) -> DbtProject:
    """dbt itself, without lock, copy and judgement; `lake` is then asked about the file that dbt writes."""
    lake.serving = lake.root / "building.duckdb"
    given = {"DEFTUNES_DBT_FILE": str(lake.serving), "DEFTUNES_DBT_THREADS": "1"}
    return DbtProject(ProjectSettings().dbt_project, dbt_home, "embedded", given)


@pytest.fixture
def publish_month(lake: Lake, sell: Callable[..., Row]) -> Callable[[int], None]:
    """`publish_month(n)` publishes the nth month of a small shop."""

    def publish_it(number: int) -> None:
        month, at = f"2020-0{number + 2}-01", f"2020-0{number + 1}-15T12:00:00"
        lake.publish("users", month, [{"user_id": "u1", "country_code": "FR", "place_name": "Paris"}])
        lake.publish("songs", month, [{"track_id": "TR0", "artist_name": "Queen", "title": "One", "release": "Two"}])
        lake.publish("sessions", month, [sell(f"s{number}", 0, "TR0", "1.25", user="u1", at=at)])

    return publish_it


@pytest.fixture
def wider_project(tmp_path: Path, environment: pytest.MonkeyPatch) -> Callable[[str], None]:
    """`wider_project(after)` adds the contract's `currency` to staging and fact, below the column `after`."""

    def widen(after: str) -> None:
        project = tmp_path / f"after_{after}"
        shutil.copytree(ProjectSettings().dbt_project, project, ignore=shutil.ignore_patterns("src"))
        for name, sql in (
            ("staging/stg_sessions", "    cast(currency as varchar(64)) as currency,"),
            ("star/fact_session", "    currency,"),
        ):
            model = project / "models" / f"{name}.sql"
            text, found = re.subn(
                rf"(?m)^(    (cast\({after} .*|{after}),?)$", rf"{sql}\n\1", model.read_text(), count=1
            )
            assert found == 1
            model.write_text(text)
            described = model.with_suffix(".yml")
            line = "      - {name: currency, data_type: varchar(64), description: ISO 4217 code.}\n"
            described.write_text(described.read_text().replace("    columns:\n", f"    columns:\n{line}", 1))
        environment.setenv("DEFTUNES_DBT_PROJECT", str(project))

    return widen


@pytest.fixture
def contracts(tmp_path: Path, environment: pytest.MonkeyPatch) -> TipsFolder:
    """The folder that DEFTUNES_CONTRACTS names, empty."""
    environment.setenv("DEFTUNES_CONTRACTS", str(tmp_path / "contracts"))
    return TipsFolder(tmp_path / "contracts")


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory, dbt_home: Path) -> Lake:
    """The golden world, published and built once: look at it, or at a copy of its serving file, and change nothing."""
    lake = Lake(tmp_path_factory.mktemp("shop"))
    publish_golden(lake)
    with pytest.MonkeyPatch.context() as patch:
        work_on(lake, dbt_home, patch)
        run(["build", "--start", "2019-12-01", "--end", "2020-02-01"])
    return lake
