"""Steps of a run summed by stage."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from deftunes_cli.dashboard.text import seconds
from deftunes_cli.dashboard.timings import timings
from deftunes_cli.run_record import RunRecord, Step

NOW = datetime(2020, 3, 1, tzinfo=UTC)


def record(*steps: tuple[str, float, int]) -> RunRecord:
    made = [
        Step(stage=s, entities=(), month=None, started_at=NOW, seconds=took, exit_code=code, sentence="")
        for s, took, code in steps
    ]
    return RunRecord(run_id="r", pipelines=(), months=(), started_at=NOW, steps=made)


def test_stages_keep_their_order_and_sum_their_calls() -> None:
    found = timings(record(("extract", 1, 0), ("dbt", 4, 0), ("extract", 1, 99), ("extract", 0, 75)))
    assert [(s.stage, s.calls, s.seconds, s.share, s.failed) for s in found.stages] == [
        ("extract", 3, 2, 0.5, 1), ("dbt", 1, 4, 1.0, 0),
    ]  # fmt: skip
    assert found.wall is None, "the run has not finished"


def test_a_run_without_steps() -> None:
    assert timings(record()).stages == ()
    assert timings(record(("extract", 0, 0))).stages[0].share == 0


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.04, "0.0 s"), (9.96, "10.0 s"), (12.4, "12 s"), (59.9, "60 s"), (185, "3 min 05 s"), (3661, "1:01:01")],
)
def test_seconds_are_readable(value: float, shown: str) -> None:
    assert seconds(value) == shown
