"""SIGKILL in each stage of a run, then that run again: the content is that of a run nobody disturbed."""

from collections.abc import Callable
from typing import Any

import pytest

JANUARY = ("2020-01-01", "2020-02-01")
KILLED = ("run", "--pipeline", "api", "--start", JANUARY[0], "--end", JANUARY[1])
"""Its second run goes through the songs too, which saves every killed JVM a cold pipeline."""
STAGES = ("extract", "transform", "quality", "publish", "dbt")


def _begun(stage: str) -> Callable[[Any], bool]:
    """Whether the stage before this one is done for the sessions, so that this one is at work now."""
    before = STAGES[STAGES.index(stage) - 1]

    def ready(platform: Any) -> bool:
        if not any(platform.home.runs.glob("*.json")):
            return False
        return any(step.stage == before and "sessions" in step.entities for step in platform.record().steps)

    return ready


def _landing(platform: Any) -> bool:
    """Whether a part of the sessions has landed: extract is between its first object and its last receipt."""
    return any(platform.home.lake.glob("landing_zone/api/sessions/*/*.gz"))


@pytest.mark.parametrize(
    ("stage", "ready"),
    [
        ("extract", _landing),
        ("transform", _begun("transform")),
        ("quality", _begun("quality")),
        ("publish", _begun("publish")),
        ("dbt", _begun("dbt")),
    ],
)
def test_killed_in_a_stage_and_run_again(
    stage: str, ready: Callable[[Any], bool], january: dict[str, Any], platform: Any
) -> None:
    assert platform.kill_when(ready, *KILLED), f"the run ended before it could be killed in {stage}"
    assert platform.run(*JANUARY) == 0, platform.sentences()
    assert platform.state() == january


def test_killed_in_the_middle_of_a_second_load_the_first_stays_public(platform: Any) -> None:
    assert platform.run(*JANUARY) == 0
    before = platform.state()
    assert platform.kill_when(_begun("publish"), *KILLED)
    after = platform.verify()
    assert {name: after[name] for name in before} == before
