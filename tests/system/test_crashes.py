"""SIGKILL in each stage, then the same run again: the content is that of a run nobody disturbed."""

from collections.abc import Callable
from typing import Any

import pytest

MONTH = ("run", "--start", "2020-01-01", "--end", "2020-02-01")


def _begun(stage: str, entity: str) -> Callable[[Any], bool]:
    """Whether the step before this one is done, so that this stage is at work now."""
    order = [
        (s, e) for e in ("songs", "sessions") for s in ("extract", "transform", "quality", "publish")
    ] + [("dbt", "")]  # fmt: skip
    before = order[order.index((stage, entity)) - 1]

    def ready(platform: Any) -> bool:
        if not any(platform.home.runs.glob("[!.]*.json")):
            return False
        done = platform.record().steps
        return any(step.stage == before[0] and (before[1] in step.entities or not before[1]) for step in done)

    return ready


def _landing(platform: Any) -> bool:
    """Whether a part of the sessions has landed: extract is between its first object and its last receipt."""
    return any(platform.home.lake.glob("landing_zone/api/sessions/*/*.gz"))


@pytest.mark.parametrize(
    ("stage", "ready"),
    [
        ("extract", _landing),
        ("transform", _begun("transform", "sessions")),
        ("quality", _begun("quality", "sessions")),
        ("publish", _begun("publish", "sessions")),
        ("dbt", _begun("dbt", "")),
    ],
)
def test_killed_in_a_stage_and_run_again(
    stage: str, ready: Callable[[Any], bool], january: dict[str, Any], platform: Any
) -> None:
    assert platform.kill_when(ready, *MONTH), f"the run ended before it could be killed in {stage}"
    assert platform.run("2020-01-01", "2020-02-01") == 0, platform.sentences()
    assert platform.state() == january


def test_killed_in_the_middle_of_a_second_load_the_first_stays_public(platform: Any) -> None:
    assert platform.run("2020-01-01", "2020-02-01") == 0
    before = platform.state()
    assert platform.kill_when(_begun("publish", "songs"), *MONTH)
    after = platform.verify()
    assert {name: after[name] for name in before} == before
