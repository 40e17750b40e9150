"""`deftunes-verify`: the verification as a stage, with the stages' grammar and exit codes, without Spark."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from deftunes_contract.errors import DataRejected, ExitCode
from deftunes_contract.interval import Interval
from deftunes_serving.verify import __main__ as stage

MONTHS = ("--start", "2020-01-01", "--end", "2020-03-01")
MARCH = Interval(date(2020, 3, 1), date(2020, 4, 1))


@pytest.fixture
def verified(platform: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("DEFTUNES_LAKE", platform.settings.lake)
    monkeypatch.setenv("DEFTUNES_SERVING", str(platform.serving))
    return platform


def test_months_that_agree_end_with_0(verified: Any) -> None:
    assert stage.main(["users", "sessions", *MONTHS]) == ExitCode.DONE


def test_a_month_that_serving_lacks_is_refused_with_both_figures(verified: Any) -> None:
    verified.sabotage("delete from deftunes_serving.fact_session where ingest_on = '2020-02-01'")
    assert stage.main(["sessions", *MONTHS]) == ExitCode.REFUSED
    with pytest.raises(DataRejected, match=r"sessions 2020-01: expected 11 rows, .* USD \(published\), found"):
        stage.run(["sessions", *MONTHS])
    # the other month and the other entities agree still
    assert stage.main(["sessions", "--start", "2020-02-01", "--end", "2020-03-01"]) == ExitCode.DONE
    assert stage.main(["users", "songs", *MONTHS]) == ExitCode.DONE


def test_a_delivery_of_another_entity_does_not_count(verified: Any, make_sessions: Callable[..., Any]) -> None:
    verified.land("sessions", MARCH, make_sessions(MARCH, 500, 2))
    march = ("--start", "2020-03-01", "--end", "2020-04-01")
    assert stage.main(["users", *march]) == ExitCode.NOTHING_TO_DO
    assert stage.main(["sessions", *march]) == ExitCode.DONE


@pytest.mark.parametrize(
    "argv", [("friends", *MONTHS), ("users", "--start", "2020-01-01", "--end", "2020-01-15"), ("users",)]
)
def test_wrong_calls_end_with_2(argv: tuple[str, ...], verified: Any) -> None:
    assert stage.main(list(argv)) == ExitCode.USAGE


def test_it_imports_neither_spark_nor_the_cli() -> None:
    program = (
        "import sys, deftunes_serving.verify.__main__;"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'pyspark', 'py4j', 'deftunes_lake', 'deftunes_cli'}))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
