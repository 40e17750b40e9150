"""An entity that DEFTUNES_CONTRACTS adds has a table like the packaged ones: made, published, maintained, not lost."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from contract_texts import PAYMENTS
from lake_cases import FEBRUARY, JANUARY, LakeCase

from deftunes_contract.errors import UsageError
from deftunes_contract.registry import registry
from deftunes_lake.__main__ import main
from deftunes_lake.maintain import maintain
from deftunes_lake.publish import publish_order
from deftunes_lake.status import status
from deftunes_lake.tables import ensure_tables, table_name


@pytest.fixture(autouse=True)
def _added(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "payments.yaml").write_text(PAYMENTS, encoding="utf-8")
    monkeypatch.setenv("DEFTUNES_CONTRACTS", str(tmp_path / "contracts"))


def test_it_is_made_published_rolled_back_and_maintained(case: LakeCase) -> None:
    done = case.create()
    assert len(done) == len(registry().tables)
    assert any(one == f"made {table_name(case.settings, 'payments')}" for one in done)
    assert publish_order(["payments", "users"]) == ["users", "payments"]
    for month, run, rows in ((JANUARY, "a", 5), (JANUARY, "b", 6), (FEBRUARY, "b", 7)):
        case.stage_and_gate("payments", rows, month, run)
        case.stage_and_gate("users", 1, month, run)
        assert [one.entity for one in case.publish(["payments", "users"], month, run)] == ["users", "payments"]
    assert case.public("payments")["2020-02-01"][:2] == (6, "2.13")
    case.rollback(["payments"])
    assert case.public("payments")["2020-02-01"][:2] == (5, "1.75")
    public = case.public("payments")

    case.stage("payments", 9, FEBRUARY, "left")
    name = table_name(case.settings, "payments")
    (shown,) = [table for table in status(case.spark, case.settings) if table.table == name]
    assert [month.rows for month in shown.intervals] == [5, 7]
    assert [branch.rows for branch in shown.branches] == [9]
    assert [table.table for table in maintain(case.spark, case.settings)][-1] == table_name(case.settings, "quarantine")
    assert name in {table.table for table in maintain(case.spark, case.settings)}
    assert case.public("payments") == public


def test_its_lost_table_is_not_made_anew(case: LakeCase, monkeypatch: pytest.MonkeyPatch) -> None:
    case.create()
    case.stage_and_gate("payments", 5)
    case.publish(["payments"])
    backup = shutil.copy(case.settings.catalog_file, f"{case.settings.catalog_file}.payments")
    with sqlite3.connect(case.settings.catalog_file) as connection:
        connection.execute(
            "DELETE FROM iceberg_tables WHERE table_name = 'payments' AND table_namespace = ?",
            (case.settings.database,),
        )
    with pytest.raises(UsageError, match=r"payments, found the files of one"):
        ensure_tables(case.spark, case.settings)
    shutil.copy(backup, case.settings.catalog_file)
    assert ensure_tables(case.spark, case.settings) == ()
    assert case.public("payments")["2020-02-01"][0] == 5


def test_the_command_takes_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["publish", "--help"])
    assert "payments" in capsys.readouterr().out
