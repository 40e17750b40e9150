"""What the warehouse's readers cannot, or should not, read does not become public, and a sentence says why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lake_cases import FEBRUARY, JANUARY, LakeCase
from pyspark.sql import SparkSession

from deftunes_contract.errors import DataRejected, ExitCode
from deftunes_contract.layout import branch
from deftunes_contract.registry import registry
from deftunes_lake import publish as publish_module
from deftunes_lake.engine_compat import column_faults, incompatibilities, partition_faults, property_faults
from deftunes_lake.iceberg_java import load_table
from deftunes_lake.snapshots import branch_head, main_head

PROPERTIES = "ALTER TABLE {table} SET TBLPROPERTIES ({0})"
MERGE_ON_READ = "'write.delete.mode' = 'merge-on-read'"


def change(case: LakeCase, entity: str, statement: str, *given: str) -> None:
    case.spark.sql(statement.format(*given, table=case.table(entity))).collect()


def delete_one_row(case: LakeCase, entity: str) -> None:
    """A delete on main that writes a delete file; the table then says copy-on-write again."""
    change(case, entity, PROPERTIES, MERGE_ON_READ)
    row = case.spark.table(case.table(entity)).first()
    assert row is not None
    change(case, entity, f"DELETE FROM {{table}} WHERE user_id = '{row['user_id']}'")
    change(case, entity, PROPERTIES, MERGE_ON_READ.replace("merge-on-read", "copy-on-write"))


def refused(case: LakeCase, *entities: str, run_id: str = "one", interval: Any = JANUARY) -> str:
    """The sentence of a publish that is refused; no main moved, and the branches are still there to be looked at."""
    before = {entity: main_head(case.spark, case.table(entity)) for entity in entities}
    with pytest.raises(DataRejected) as caught:
        case.publish(entities, interval, run_id)
    assert {entity: main_head(case.spark, case.table(entity)) for entity in entities} == before
    assert all(branch_head(case.spark, case.table(entity), branch(run_id, interval)) for entity in entities)
    assert caught.value.exit_code == ExitCode.REFUSED
    return str(caught.value)


def only(sentence: str) -> str:
    """What is wrong, when it is one thing only."""
    (fault,) = sentence.split(": ", 2)[2].split(". Nothing of it")[0].split("; expected")
    return fault


def test_what_the_contracts_make_is_read(case: LakeCase) -> None:
    for entity in registry().names:
        snapshot = case.stage_and_gate(entity, 4)
        assert list(incompatibilities(case.spark, load_table(case.spark, case.table(entity)), snapshot)) == []
    assert all(done.changed for done in case.publish(registry().names))


@pytest.mark.parametrize(
    ("statement", "given", "wrong"),
    [
        (PROPERTIES, "'format-version' = '3'", "expected format version 2, found 3 (no table goes back"),
        ("ALTER TABLE {table} ADD COLUMNS ({0})", "extra struct<a: int>", "expected columns of the types"),
        ("ALTER TABLE {table} ADD COLUMNS ({0})", "Extra string", "expected column names in lower case, found Extra"),
        ("ALTER TABLE {table} ADD PARTITION FIELD {0}", "bucket(4, user_id)", "found bucket[4] as user_id"),
        (PROPERTIES, "'write.parquet.compression-codec' = 'brotli'", "or snappy or uncompressed or zstd, found brotli"),
    ],
    ids=["version", "type", "name", "transform", "codec"],
)  # fmt: skip
def test_a_table_that_was_changed_behind_the_contract(case: LakeCase, statement: str, given: str, wrong: str) -> None:
    case.stage_and_gate("users", 3)
    change(case, "users", statement, given)
    if "PARTITION" in statement:
        # in use only for files that are written after it
        case.stage_and_gate("users", 3)
    assert wrong in only(refused(case, "users"))


def test_the_sentence_says_who_where_and_what_to_do(case: LakeCase) -> None:
    snapshot = case.stage_and_gate("users", 3)
    change(case, "users", "ALTER TABLE {table} ADD COLUMNS (photo binary)")
    sentence = refused(case, "users")
    assert sentence.startswith(f"users {JANUARY} of run one: Redshift Spectrum and Athena could not")
    assert f"snapshot {snapshot} of {case.table('users')}" in sentence
    assert "found photo binary (give it a plain type in the contract" in sentence
    assert sentence.endswith("main is as it was; mend this, then run transform and quality again")


def test_files_of_another_format_that_the_run_wrote(case: LakeCase) -> None:
    change(case, "users", PROPERTIES, "'write.format.default' = 'orc'")
    case.stage_and_gate("users", 3)
    change(case, "users", PROPERTIES, "'write.format.default' = 'parquet'")
    assert only(refused(case, "users")).startswith("expected Parquet data files, found 2 of ORC")


def test_delete_files_of_other_intervals_and_their_cure(case: LakeCase) -> None:
    case.stage_and_gate("users", 4)
    case.publish(["users"])
    delete_one_row(case, "users")
    case.stage_and_gate("users", 3, FEBRUARY, "two")
    fault = only(refused(case, "users", run_id="two", interval=FEBRUARY))
    assert fault.startswith("expected no delete files, found 1 ")
    case.spark.sql(fault[fault.index("CALL") : -1]).collect()
    case.stage_and_gate("users", 3, FEBRUARY, "two")
    case.publish(["users"], FEBRUARY, "two")
    assert {day: rows for day, (rows, *_) in case.public("users").items()} == {str(JANUARY): 3, str(FEBRUARY): 3}


def test_files_of_an_older_partition_spec_and_their_cure(case: LakeCase) -> None:
    case.stage_and_gate("users", 3)
    case.publish(["users"])
    change(case, "users", "ALTER TABLE {table} ADD PARTITION FIELD country_code")
    case.stage_and_gate("users", 3, FEBRUARY, "two")
    fault = only(refused(case, "users", run_id="two", interval=FEBRUARY))
    assert fault.startswith("expected all data files in the table's present partition spec, found 2 in an older one")
    case.spark.sql(fault[fault.index("CALL") : -1]).collect()
    case.stage_and_gate("users", 3, FEBRUARY, "two")
    assert case.publish(["users"], FEBRUARY, "two")[0].changed


def test_no_entity_moves_when_one_cannot_be_read(case: LakeCase) -> None:
    case.stage_and_gate("users", 3)
    case.stage_and_gate("sessions", 3)
    change(case, "sessions", "ALTER TABLE {table} ADD COLUMNS (extra array<int>)")
    assert "found extra list<int>" in refused(case, "users", "sessions")


def test_what_came_to_main_meanwhile_is_asked_before_any_table_moves(case: LakeCase) -> None:
    case.stage_and_gate("sessions", 3, JANUARY, "one")
    case.stage_and_gate("users", 3, JANUARY, "one")
    case.stage_and_gate("sessions", 4, FEBRUARY, "two")
    case.publish(["sessions"], FEBRUARY, "two")
    delete_one_row(case, "sessions")
    assert only(refused(case, "users", "sessions")).startswith("expected no delete files, found 1 ")


def test_what_came_to_main_at_the_last_moment_is_asked_too(case: LakeCase, monkeypatch: pytest.MonkeyPatch) -> None:
    case.stage_and_gate("users", 3, JANUARY, "one")
    case.stage_and_gate("users", 4, FEBRUARY, "two")
    case.publish(["users"], FEBRUARY, "two")
    original = publish_module.replace_partition

    def late(*args: Any) -> Any:
        monkeypatch.setattr(publish_module, "replace_partition", original)
        delete_one_row(case, "users")
        return original(*args)

    monkeypatch.setattr(publish_module, "replace_partition", late)
    with pytest.raises(DataRejected, match="put onto the new main: .* expected no delete files, found 1 "):
        case.publish(["users"], JANUARY, "one")
    assert case.public("users").keys() == {str(FEBRUARY)}


def test_files_that_were_public_before_are_not_looked_at_again(case: LakeCase, monkeypatch: pytest.MonkeyPatch) -> None:
    """So the cost is the month's, not the history's; each file was looked at when it became public."""
    change(case, "users", PROPERTIES, "'write.format.default' = 'orc'")
    case.stage_and_gate("users", 3)
    with monkeypatch.context() as patched:
        patched.setattr(publish_module, "check_engine_compatibility", lambda *_: None)
        case.publish(["users"])
    change(case, "users", PROPERTIES, "'write.format.default' = 'parquet'")
    case.stage_and_gate("users", 3, FEBRUARY, "two")
    assert case.publish(["users"], FEBRUARY, "two")[0].changed


Kind = Callable[[Any], Any]


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (lambda t: t.UUIDType.get(), "uuid"),
        (lambda t: t.TimeType.get(), "time"),
        (lambda t: t.FixedType.ofLength(3), "fixed[3]"),
        (lambda t: t.TimestampType.withZone(), "timestamptz"),
        (lambda t: t.TimestampNanoType.withoutZone(), "timestamp_ns"),
        (lambda t: t.VariantType.get(), "variant"),
        (lambda t: t.GeometryType.crs84(), "geometry(OGC:CRS84)"),
        (lambda t: t.UnknownType.get(), "unknown"),
        (lambda t: t.MapType.ofOptional(2, 3, t.StringType.get(), t.IntegerType.get()), "map<string, int>"),
        (lambda t: t.TimestampType.withoutZone(), None),
        (lambda t: t.DecimalType.of(38, 2), None),
    ],
)
def test_types(spark: SparkSession, kind: Kind, wrong: str | None) -> None:
    faults = list(column_faults(schema(spark, "a", kind)))
    assert [fault.split("found a ")[1].split(" (give")[0] for fault in faults] == ([wrong] if wrong else [])


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("a" * 128, "expected at most 127 bytes in a column's name, found 128"),
        ("ä" * 64, "found 128"),
        ("ä" * 63, None),
        ("ctid", "expected column names that Redshift allows, found 'ctid'"),
        ("a\tb", r"found 'a\tb'"),
        ("userId", "expected column names in lower case, found userId"),
    ],
)
def test_names(spark: SparkSession, name: str, wrong: str | None) -> None:
    faults = list(column_faults(schema(spark, name, lambda t: t.StringType.get())))
    assert len(faults) == (1 if wrong else 0)
    assert wrong is None or wrong in faults[0]


def test_a_void_transform_is_not_read(spark: SparkSession) -> None:
    jvm: Any = spark._jvm
    columns = schema(spark, "a", lambda t: t.StringType.get())
    spec = jvm.org.apache.iceberg.PartitionSpec.builderFor(columns).alwaysNull("a").build()
    (fault,) = partition_faults(spec)
    assert "found void as a_null" in fault


def test_properties_that_the_next_writer_would_obey() -> None:
    assert list(property_faults({})) == []
    assert list(property_faults({"write.parquet.compression-codec": "GZIP"})) == []
    faults = property_faults({"write.format.default": "avro", "write.parquet.page-version": "v2"})
    assert [fault.split(" (")[0] for fault in faults] == [
        "expected write.format.default to be parquet, found avro",
        "expected write.parquet.page-version to be v1, found v2",
    ]


def schema(spark: SparkSession, name: str, kind: Kind) -> Any:
    """An Iceberg schema of one column."""
    jvm: Any = spark._jvm
    types = jvm.org.apache.iceberg.types.Types
    fields = jvm.java.util.ArrayList()
    fields.add(types.NestedField.optional(1, name, kind(types)))
    return jvm.org.apache.iceberg.Schema(fields)
