"""A catalog that has lost its tables is noticed before an empty table begins beside the old one."""

from __future__ import annotations

import itertools
import re
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from lake_cases import JANUARY, LakeCase
from pyspark.sql import SparkSession

from deftunes_contract.errors import UsageError
from deftunes_contract.registry import registry
from deftunes_lake.__main__ import main
from deftunes_lake.iceberg_java import load_table
from deftunes_lake.settings import SparkSettings
from deftunes_lake.tables import ensure_tables, table_name

NUMBERS = itertools.count(1)


@pytest.fixture
def case(spark: SparkSession, spark_settings: SparkSettings, tmp_path: Path) -> LakeCase:
    """A lake with a catalog file of its own, all tables made, January of users public."""
    lake = tmp_path / f"lost {next(NUMBERS)}"
    case = LakeCase.open(spark_settings.model_copy(update={"lake": str(lake), "catalog": ""}))
    ensure_tables(case.spark, case.settings)
    case.stage_and_gate("users", 5)
    case.publish(["users"])
    return case


def _sql(case: LakeCase, statement: str) -> None:
    with sqlite3.connect(case.settings.catalog_file) as connection:
        connection.execute(statement)


def _empty(case: LakeCase) -> None:
    _sql(case, "DELETE FROM iceberg_tables")


def _empty_and_forget_the_database(case: LakeCase) -> None:
    _sql(case, "DELETE FROM iceberg_tables")
    _sql(case, "DELETE FROM iceberg_namespace_properties")


def _lose_one(case: LakeCase) -> None:
    _sql(case, "DELETE FROM iceberg_tables WHERE table_name = 'users'")


def _files(case: LakeCase) -> dict[str, int]:
    folder = Path(case.settings.warehouse)
    return {str(f.relative_to(folder)): f.stat().st_size for f in folder.rglob("*") if f.is_file()}


def _named(case: LakeCase) -> set[str]:
    with sqlite3.connect(case.settings.catalog_file) as connection:
        return {name for (name,) in connection.execute("SELECT table_name FROM iceberg_tables")}


def test_a_catalog_file_that_is_gone_is_refused(case: LakeCase, tmp_path: Path) -> None:
    """In a folder of its own: this process would go on reading a file that is only unlinked."""
    other = shutil.copytree(case.settings.lake, tmp_path / "copy", ignore=shutil.ignore_patterns("catalog.db*"))
    gone = LakeCase.open(case.settings.model_copy(update={"lake": str(other)}))
    before = _files(gone)
    with pytest.raises(UsageError, match=re.escape(f"{other}/catalog.db")):
        ensure_tables(gone.spark, gone.settings)
    assert _files(gone) == before
    assert _named(gone) == set()


@pytest.mark.parametrize("lose", [_empty, _empty_and_forget_the_database, _lose_one])
def test_a_lost_catalog_is_refused_and_nothing_is_made(
    case: LakeCase, lose: Callable[[LakeCase], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    before, rows = _files(case), case.public("users")
    backup = shutil.copy(case.settings.catalog_file, f"{case.settings.catalog_file}.backup")
    lose(case)
    monkeypatch.setenv("DEFTUNES_LAKE", case.settings.lake)
    assert main(["create"]) == 2
    again = LakeCase.open(case.settings)
    with pytest.raises(UsageError) as refused:
        ensure_tables(again.spark, again.settings)
    said = str(refused.value)
    for part in (case.settings.warehouse, case.settings.catalog_file, "users", "backup", "DEFTUNES_CATALOG"):
        assert part in said
    assert _files(case) == before
    assert _named(case) <= {*registry().names, "quarantine"} - {"users"}
    # what the sentence says helps
    shutil.copy(backup, case.settings.catalog_file)
    assert ensure_tables(again.spark, again.settings) == ()
    assert case.public("users") == rows


def test_no_other_table_is_made_when_one_is_lost(case: LakeCase) -> None:
    """Songs were never filled: of a lost catalog they could be made, and would hide the loss."""
    _empty(case)
    shutil.rmtree(Path(case.settings.warehouse) / case.settings.database / "songs")
    with pytest.raises(UsageError, match="users"):
        ensure_tables(case.spark, case.settings, ("songs", "users"))
    assert _named(case) == set()


def test_data_without_any_metadata_is_a_lost_table_too(case: LakeCase) -> None:
    _empty(case)
    shutil.rmtree(Path(case.settings.warehouse) / case.settings.database / "users" / "metadata")
    with pytest.raises(UsageError, match="data/"):
        ensure_tables(case.spark, case.settings, ["users"])


def test_a_quarantine_with_rows_is_a_table_too(case: LakeCase) -> None:
    table = table_name(case.settings, "quarantine")
    case.frame("quarantine", 3, JANUARY, "x").writeTo(table).append()
    _sql(case, "DELETE FROM iceberg_tables WHERE table_name = 'quarantine'")
    with pytest.raises(UsageError, match="quarantine"):
        ensure_tables(case.spark, case.settings)


def test_what_a_killed_create_leaves_does_not_jam_the_lake(case: LakeCase) -> None:
    """Iceberg writes the first metadata file before it tells the catalog; a kill between leaves it, or half of it."""
    folder = Path(case.settings.warehouse) / case.settings.database / "songs" / "metadata"
    (first,) = folder.glob("00000-*.metadata.json")
    _sql(case, "DELETE FROM iceberg_tables WHERE table_name = 'songs'")
    for file in folder.iterdir():
        if file != first:
            file.unlink()
    half = folder / "00000-1b3a1a9e-0000-4000-8000-000000000000.metadata.json"
    half.write_bytes(first.read_bytes()[:100])
    assert [re.sub(" .*", "", done) for done in ensure_tables(case.spark, case.settings)] == ["made"]
    assert case.stage("songs", 3)


def test_a_dropped_table_may_be_made_again_once_its_files_are_gone(case: LakeCase) -> None:
    name = table_name(case.settings, "users")
    case.spark.sql(f"DROP TABLE {name}")
    with pytest.raises(UsageError, match="move the folder away"):
        ensure_tables(case.spark, case.settings, ["users"])
    case.spark.sql(f"DROP TABLE {table_name(case.settings, 'sessions')} PURGE")
    shutil.rmtree(Path(case.settings.warehouse) / case.settings.database / "users")
    ensure_tables(case.spark, case.settings, ["users", "sessions"])
    assert load_table(case.spark, name).currentSnapshot() is not None


def test_a_table_that_another_process_made_meanwhile_is_no_lost_one(
    case: LakeCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deftunes_lake import tables

    real, answers = tables._is_there, iter([False])
    monkeypatch.setattr(tables, "_is_there", lambda *given: next(answers, None) is not False and real(*given))
    assert ensure_tables(case.spark, case.settings, ["users"]) == ()
    assert next(answers, None) is None


def test_hadoop_catalogs_files_count(case: LakeCase) -> None:
    folder = Path(case.settings.warehouse) / case.settings.database / "users" / "metadata"
    newest = max(folder.glob("*.metadata.json"))
    shutil.rmtree(folder.parent / "data")
    content = newest.read_bytes()
    for file in folder.iterdir():
        file.unlink()
    (folder / "v7.metadata.json").write_bytes(content)
    (folder / "version-hint.text").write_text("7")
    _sql(case, "DELETE FROM iceberg_tables WHERE table_name = 'users'")
    with pytest.raises(UsageError, match=r"v7\.metadata\.json"):
        ensure_tables(case.spark, case.settings, ["users"])
