"""Tables follow their contracts: made once, grown without touching a row, refused when they contradict."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from lake_cases import JANUARY, LakeCase
from pyspark.sql import SparkSession
from pyspark.sql import types as t

from deftunes_contract.entity import QUARANTINE, Entity, Field
from deftunes_contract.errors import DataRejected
from deftunes_contract.registry import load, registry
from deftunes_lake import tables as tables_module
from deftunes_lake.catalog import prepare_catalog_file
from deftunes_lake.iceberg_java import load_table
from deftunes_lake.settings import SparkSettings
from deftunes_lake.snapshots import main_head
from deftunes_lake.tables import ensure_tables, spark_schema, table_name

ALL = registry().tables


def test_every_table_is_what_its_contract_says(spark: SparkSession, settings: SparkSettings) -> None:
    done = ensure_tables(spark, settings)
    assert len(done) == len(ALL)
    for name in ALL:
        table, contract = load_table(spark, table_name(settings, name)), load(name)
        columns = [(c.name(), c.type().toString().replace(" ", ""), c.isRequired()) for c in table.schema().columns()]
        assert columns == [(c.name, c.type.replace(" ", ""), c.required) for c in contract.columns]
        assert [c.doc() for c in table.schema().columns()] == [c.description or None for c in contract.columns]
        assert tuple(f.name() for f in table.spec().fields()) == contract.partition
        properties = dict(table.properties())
        assert table.operations().current().formatVersion() == 2
        assert properties["write.delete.mode"] == properties["write.merge.mode"] == "copy-on-write"
        assert properties["write.parquet.compression-codec"] == "zstd"
        assert main_head(spark, table_name(settings, name)) is not None, "branches need a first snapshot"


def test_making_them_again_does_nothing(spark: SparkSession, settings: SparkSettings) -> None:
    ensure_tables(spark, settings)
    heads = [main_head(spark, table_name(settings, name)) for name in ALL]
    assert ensure_tables(spark, settings) == ()
    assert [main_head(spark, table_name(settings, name)) for name in ALL] == heads


def test_many_makers_at_once_make_one(spark: SparkSession, settings: SparkSettings) -> None:
    with ThreadPoolExecutor(4) as pool:
        for made in [pool.submit(ensure_tables, spark, settings, ["users", QUARANTINE]) for _ in range(4)]:
            made.result()
    assert ensure_tables(spark, settings, ["users", QUARANTINE]) == ()
    assert main_head(spark, table_name(settings, "users")) is not None


@pytest.fixture
def change(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the contract of users differ from the packaged one."""

    def apply(**changes: object) -> None:
        changed = dataclasses.replace(load("users"), **changes)  # type: ignore[arg-type]
        monkeypatch.setattr(tables_module, "load", lambda name: changed if name == "users" else load(name))

    return apply


def _with(entity: Entity, *extra: Field, **types: str) -> tuple[Field, ...]:
    """The columns of a contract with other types, and further ones."""
    changed = (dataclasses.replace(c, type=types.get(c.name, c.type)) for c in entity.columns)
    return (*changed, *extra)


def _column(name: str, type_name: str, *, required: bool = False) -> Field:
    return Field(name, type_name, required, key=False, pii=False, audit=False, description="It's new.")


def test_a_new_column_is_added_and_old_rows_stay(case: LakeCase, change: Callable[..., None]) -> None:
    case.stage_and_gate("users", 5)
    case.publish(["users"])
    before = case.public("users")
    change(columns=_with(load("users"), _column("nickname", "string"), _column("seen", "timestamp")), version="1.1.0")
    (done,) = ensure_tables(case.spark, case.settings, ["users"])
    assert "contract version 1.1.0" in done
    assert case.public("users") == before
    frame = case.spark.table(case.table("users"))
    assert frame.where("nickname IS NULL AND seen IS NULL").count() == 5
    assert isinstance(frame.schema["seen"].dataType, t.TimestampNTZType)
    assert ensure_tables(case.spark, case.settings, ["users"]) == ()


def test_a_column_is_widened_and_may_become_optional(case: LakeCase, change: Callable[..., None]) -> None:
    case.table("songs")
    case.table("sessions")
    sessions = load("sessions")
    wide = dataclasses.replace(sessions, columns=_with(sessions, price="decimal(12,2)", item_no="long"))
    loose = tuple(dataclasses.replace(c, required=c.required and c.name != "currency") for c in wide.columns)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables_module, "load", lambda _: dataclasses.replace(wide, columns=loose))
        ensure_tables(case.spark, case.settings, ["sessions"])
    schema = case.spark.table(case.table("sessions")).schema
    assert schema["price"].dataType == t.DecimalType(12, 2)
    assert schema["item_no"].dataType == t.LongType()
    assert schema["currency"].nullable


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"columns": _with(load("users"), latitude="string")}, "latitude is double, the contract has string"),
        ({"columns": _with(load("users"), latitude="float")}, "latitude is double, the contract has float"),
        ({"columns": _with(load("users"), _column("vip", "boolean", required=True))}, "vip is new and required"),
        (
            {"columns": load("users").columns[:-1]},
            "the table has a column processing_timestamp that the contract lacks",
        ),
        ({"partition": ("country_code",)}, "partitioned by ingest_on, not by country_code"),
        (
            {"columns": tuple(dataclasses.replace(c, required=True) for c in load("users").columns)},
            "latitude may be null in older rows",
        ),
    ],
)
def test_a_contradiction_is_refused_before_anything_changes(
    case: LakeCase, change: Callable[..., None], changes: dict[str, object], reason: str
) -> None:
    before = load_table(case.spark, case.table("users")).schema().toString()
    change(**changes)
    with pytest.raises(DataRejected, match=rf"\(users\.yaml\) contradicts: .*{reason}.*correct users\.yaml"):
        ensure_tables(case.spark, case.settings, ["users"])
    assert load_table(case.spark, case.table("users")).schema().toString() == before


def test_a_landed_record_has_nested_types() -> None:
    schema = spark_schema(load("sessions").record)
    items = schema["session_items"].dataType
    assert isinstance(items, t.ArrayType)
    assert isinstance(items.elementType, t.StructType)
    assert items.elementType["price"].dataType == t.DoubleType()
    assert spark_schema(load("users").record)["user_location"].dataType == t.ArrayType(t.StringType())
    assert spark_schema(load("users").columns)["user_since"].dataType == t.TimestampNTZType()
    assert not spark_schema(load("users").columns)["user_id"].nullable


def test_a_type_that_no_contract_may_have_is_named() -> None:
    with pytest.raises(ValueError, match="unknown type 'uuid'"):
        spark_schema([_column("x", "uuid")])


def test_the_catalog_file_is_made_by_many_at_once(tmp_path: Path) -> None:
    file = tmp_path / "new folder" / "catalog.db"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(prepare_catalog_file, [file] * 8))
    with sqlite3.connect(file) as connection:
        found = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert found == {"iceberg_tables", "iceberg_namespace_properties"}


def test_a_table_made_here_is_there_for_pyiceberg(case: LakeCase) -> None:
    """The serving room reads the same SQLite catalog without a JVM."""
    from pyiceberg.catalog.sql import SqlCatalog

    case.stage_and_gate("sessions", 5, JANUARY)
    case.publish(["sessions"])
    catalog = SqlCatalog("lake", uri=f"sqlite:///{case.settings.catalog_file}", warehouse=case.settings.warehouse)
    table = catalog.load_table(f"{case.settings.database}.sessions")
    assert table.scan().to_arrow().num_rows == 5
    assert "interval_20200201" in table.refs()
