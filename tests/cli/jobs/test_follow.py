"""A followed Job: every log line once and whole, the right exit code, whatever the cluster does meanwhile.

Against the stand-in of conftest.py, which says what it hides.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from deftunes_cli.jobs import service
from deftunes_cli.jobs.client import KubeClient
from deftunes_cli.jobs.states import Verdict
from deftunes_contract.errors import RetryableError, UsageError

RUNNING: dict[str, Any] = {"running": {}}


def _ended(code: int) -> dict[str, Any]:
    return {"terminated": {"exitCode": code}}


def _lines(*numbers: int) -> str:
    # three lines a second: a reconnection, which counts in seconds, gets some of them again
    return "".join(f"2020-01-01T00:00:{n // 3:02d}.{n % 3}00000001Z line {n}\n" for n in numbers)


def _follow(cluster: KubeClient, timeout: float | None = 10) -> tuple[Verdict, list[str], str]:
    written: list[str] = []
    said: list[str] = []
    end = service.follow(cluster, "j", written.append, said.append, timeout)
    return end, written, "\n".join(said)


@pytest.mark.parametrize("code", [1, 2, 65, 75, 99, 137])
def test_the_code_is_that_of_the_last_pod(cluster: KubeClient, world: Any, stream: Any, code: int) -> None:
    world.pod("a", _ended(75))
    world.pod("b", _ended(code))
    world.streams = {"a": [stream(_lines(0))], "b": [stream(_lines(1))]}
    world.end("Failed", "BackoffLimitExceeded")
    end, written, _ = _follow(cluster)
    assert (end.code, written) == (code, ["line 0", "line 1"])


@pytest.mark.parametrize("broken", ["stall", "cut"])
def test_a_broken_stream_is_taken_up_without_a_line_lost_or_twice(
    cluster: KubeClient, world: Any, stream: Any, broken: str
) -> None:
    world.pod("a", RUNNING)

    def finish() -> None:
        world.pod("a", _ended(0))
        world.end("Complete")

    # the first stream ends in the middle of line 5
    half = _lines(0, 1, 2, 3, 4, 5)[:-4]
    whole = [stream(_lines(*range(9)), broken), stream(_lines(*range(12)), then=finish)]
    world.streams = {"a": [stream(half, broken), *whole]}
    end, written, _ = _follow(cluster)
    assert end.code == 0
    assert written == [f"line {n}" for n in range(12)]
    assert any("sinceTime=2020-01-01T00%3A00%3A0" in path for path in world.asked)


def test_equal_lines_are_all_printed(cluster: KubeClient, world: Any, stream: Any) -> None:
    same = "2020-01-01T00:00:00.000000001Z again\n"

    def finish() -> None:
        world.pod("a", _ended(0))
        world.end("Complete")

    world.pod("a", RUNNING)
    world.streams = {"a": [stream(same * 2, "cut"), stream(same * 3, then=finish)]}
    assert _follow(cluster)[1] == ["again"] * 3


def test_a_last_line_without_a_line_end_is_printed(cluster: KubeClient, world: Any, stream: Any) -> None:
    world.pod("a", _ended(0))
    world.streams = {"a": [stream(_lines(0, 1)[:-1])]}
    world.end("Complete")
    assert _follow(cluster)[1] == ["line 0", "line 1"]


def test_a_pod_that_vanishes_is_followed_by_the_next(cluster: KubeClient, world: Any, stream: Any) -> None:
    def vanish() -> None:
        world.pods = []
        world.pod("b", RUNNING)

    def finish() -> None:
        world.pod("b", _ended(99))
        world.end("Failed", "PodFailurePolicy")

    world.pod("a", RUNNING)
    world.streams = {"a": [stream(_lines(0), "cut", vanish)], "b": [stream(_lines(3), then=finish)]}
    end, written, said = _follow(cluster)
    assert (end.code, written) == (99, ["line 0", "line 3"])
    assert "another pod, b" in said


@pytest.mark.parametrize("status", [410, 429, 500, 503, 0])
def test_an_api_server_that_restarts_is_waited_for(cluster: KubeClient, world: Any, stream: Any, status: int) -> None:
    world.pod("a", _ended(0))
    world.streams = {"a": [stream(_lines(0))]}
    world.faults = [("GET", "/pods", status)] * 3 + [("GET", "/log", status)] * 3
    world.end("Complete")
    end, written, _ = _follow(cluster)
    assert (end.code, written) == (0, ["line 0"])


def test_an_api_server_that_stays_away_ends_with_75_and_says_how_to_go_on(cluster: KubeClient, world: Any) -> None:
    world.faults = [("GET", "/pods", 503)] * 100
    with pytest.raises(RetryableError, match=r"503.*the job goes on: .*job logs j --follow --namespace music"):
        _follow(cluster)


@pytest.mark.parametrize(
    ("reason", "message", "code"),
    [
        ("PodFailurePolicy", "Container stage for pod music/j-x failed with exit code 65 matching FailJob rule", 65),
        ("DeadlineExceeded", "Job was active longer than specified deadline", 75),
        ("BackoffLimitExceeded", "Job has reached the specified backoff limit", 1),
    ],
)
def test_without_a_pod_the_conditions_tell(
    cluster: KubeClient, world: Any, reason: str, message: str, code: int
) -> None:
    world.end("Failed", reason, message)
    end, _, _ = _follow(cluster)
    assert end.code == code
    assert message in end.sentence


def test_an_image_that_cannot_be_had_is_given_up(cluster: KubeClient, world: Any) -> None:
    world.pod("a", {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}, phase="Pending")
    with pytest.raises(UsageError, match=r"found ImagePullBackOff: no such image .* job cancel j"):
        _follow(cluster)


def test_why_it_waits_is_said_once_and_it_goes_on_waiting(cluster: KubeClient, world: Any) -> None:
    reason = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}
    world.pods = [{"metadata": {"name": "a"}, "status": {"phase": "Pending", "conditions": [reason]}}]
    said: list[str] = []
    with pytest.raises(RetryableError, match=r"not over after 0.5 seconds; the job goes on"):
        service.follow(cluster, "j", said.append, said.append, 0.5)
    assert said == ["j waits: Unschedulable: 0/1 nodes"]


def test_a_quota_is_named(cluster: KubeClient, world: Any) -> None:
    world.events = [{"reason": "FailedCreate", "message": "exceeded quota: small"}]
    said: list[str] = []
    with pytest.raises(RetryableError):
        service.follow(cluster, "j", said.append, said.append, 0.3)
    assert said == ["j waits: FailedCreate: exceeded quota: small"]


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C as at a terminal: a process started in the background inherits that it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_leaves_the_job(cluster: KubeClient, world: Any, stream: Any) -> None:
    world.pod("a", RUNNING)
    world.streams = {"a": [stream(_lines(0), "stall")]}
    threading.Timer(0.2, lambda: signal.raise_signal(signal.SIGINT)).start()
    with pytest.raises(RetryableError, match=r"stopped following; the job goes on: .*job cancel j"):
        _follow(cluster)
    assert "j" in world.jobs
