"""How long the last run took: its steps summed by stage, in the order in which the stages first ran."""

from __future__ import annotations

from dataclasses import dataclass

from deftunes_cli.run_record import RunRecord


@dataclass(frozen=True)
class StageTime:
    """One stage over all its calls. share: of the longest stage, 0 to 1. failed: calls that ended badly."""

    stage: str
    calls: int
    seconds: float
    share: float
    failed: int


@dataclass(frozen=True)
class Timings:
    """One run. wall: from its start to its end, seconds; None while it is running."""

    run_id: str
    stages: tuple[StageTime, ...]
    wall: float | None


_FINE = (0, 99)
"""Exit codes of a call that did what it should: done, nothing to do."""


def timings(record: RunRecord) -> Timings:
    """Sum the steps of a run by stage."""
    names = list(dict.fromkeys(step.stage for step in record.steps))
    sums = {name: sum(step.seconds for step in record.steps if step.stage == name) for name in names}
    longest = max(sums.values(), default=0.0) or 1.0
    return Timings(
        run_id=record.run_id,
        stages=tuple(
            StageTime(
                stage=name,
                calls=sum(step.stage == name for step in record.steps),
                seconds=sums[name],
                share=sums[name] / longest,
                failed=sum(step.stage == name and step.exit_code not in _FINE for step in record.steps),
            )
            for name in names
        ),
        wall=None if record.finished_at is None else (record.finished_at - record.started_at).total_seconds(),
    )
