"""The command: every verb, its exit code, and one sentence that says what happened."""

from __future__ import annotations

import json

import pytest
import structlog
from lake_cases import JANUARY, LakeCase

from deftunes_contract.logs import configure_logs
from deftunes_lake.__main__ import main, run

MONTH = ["--start", "2020-01-01", "--end", "2020-02-01"]


@pytest.fixture
def case_in_environment(case: LakeCase, monkeypatch: pytest.MonkeyPatch) -> LakeCase:
    """The test's lake, as the environment says it."""
    monkeypatch.setenv("DEFTUNES_LAKE", case.settings.lake)
    monkeypatch.setenv("DEFTUNES_DATABASE", case.settings.database)
    return case


def test_a_month_from_create_to_rollback(case_in_environment: LakeCase, capsys: pytest.CaptureFixture[str]) -> None:
    case = case_in_environment
    assert "made lake." in run(["create"])
    assert "as their contracts want them" in run(["create"])
    case.stage_and_gate("users", 5, JANUARY, "scheduled-2020-e44de1da")
    # Airflow's spelling of a run id is made one that branch names allow
    done = run(["publish", "users", *MONTH, "--run-id", "scheduled::2020"])
    assert done == "published [2020-01-01, 2020-02-01) of run scheduled-2020-e44de1da: users (5 rows)"
    capsys.readouterr()
    configure_logs("json")
    assert main(["status", "--json"]) == 0
    structlog.reset_defaults()
    tables = json.loads(capsys.readouterr().out)
    assert next(t for t in tables if t["intervals"])["intervals"][0]["run_id"] == "scheduled-2020-e44de1da"
    assert "would maintain 4 tables" in run(["maintain", "--dry-run", "--older-than-days", "1"])
    assert "users: 5 rows of run scheduled-2020-e44de1da → 0 rows, unpublished" in run(["rollback", "users", *MONTH])
    assert main(["rollback", "users", *MONTH]) == 99
    assert main(["publish", "users", *MONTH, "--run-id", "scheduled-2020-e44de1da"]) == 75


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["dance"],
        ["publish", *MONTH],
        ["publish", "albums", *MONTH],
        ["publish", "users", "--start", "2020-01-01", "--end", "2020-03-01"],
        ["publish", "users", "--start", "yesterday", "--end", "2020-02-01"],
        ["maintain", "--older-than-days", "0"],
        ["maintain", "--older-than-days", "few"],
    ],
)
def test_wrong_arguments_end_with_2_before_spark_starts(argv: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEFTUNES_LAKE", "/nowhere")
    monkeypatch.setattr("deftunes_lake.__main__.open_session", lambda _: pytest.fail("Spark was started"))
    assert main(argv) == 2


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "deftunes-lake publish users sessions --start" in capsys.readouterr().out
