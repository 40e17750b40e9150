"""Retries and the deadline, with a clock and a sleep of the test's own."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from deftunes_contract.errors import RetryableError, UsageError
from deftunes_contract.retry import Deadline, RetryPolicy


class Broken(Exception):
    """An error that may pass."""

    retry_after: float | None = None


def broken(retry_after: float) -> Broken:
    error = Broken("429")
    error.retry_after = retry_after
    return error


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def policy(self, attempts: int, seconds: float, **more: object) -> RetryPolicy:
        deadline = Deadline(seconds, clock=lambda: self.now)
        return RetryPolicy(attempts, (Broken,), deadline=deadline, sleep=self.sleep, **more)  # type: ignore[arg-type]


class Flaky:
    """Fails with the given errors, then gives an answer."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


def give_up(error: Broken, reason: str) -> Exception:
    return RetryableError(f"users: {error} ({reason})")


def test_an_error_that_passes_is_tried_again_after_growing_pauses() -> None:
    time = Time()
    with capture_logs() as logs:
        assert time.policy(6, 3600).call("users", Flaky(*[Broken("502")] * 5)) == "answer"
    assert [round(seconds - 0.5) for seconds in time.slept] == [1, 2, 4, 8, 16]
    assert len(set(time.slept)) == 5
    assert [(line["attempt"], line["of"]) for line in logs] == [(n, 6) for n in range(1, 6)]
    assert logs[0]["event"] == f"users: 502; trying again in {time.slept[0]:.1f} s"


def test_pauses_stay_within_their_bounds() -> None:
    time = Time()
    time.policy(12, 1e6, initial=0.5, longest=4).call("users", Flaky(*[Broken("502")] * 11))
    assert all(0.5 <= seconds <= 4 for seconds in time.slept)
    assert time.slept[-1] == 4


def test_contenders_spread_over_the_whole_pause() -> None:
    """Processes that collided once shall not collide again in step."""
    time = Time()
    time.policy(401, 1e6, initial=0.1, longest=2, contention=True).call("commit", Flaky(*[Broken("conflict")] * 400))
    late = time.slept[10:]
    assert min(late) < 0.2
    assert 1.8 < max(late) <= 2


def test_the_time_that_an_error_names_is_waited() -> None:
    time = Time()
    assert time.policy(3, 3600).call("users", Flaky(broken(90.0))) == "answer"
    assert time.slept == [90.0]


def test_an_error_that_asks_to_wait_beyond_the_deadline_ends_at_once() -> None:
    time = Time()
    with pytest.raises(
        RetryableError, match=r"users: 429 \(after 1 attempt; the source asks to wait 7200 s and the deadline"
    ):
        time.policy(6, 3600).call("users", Flaky(*[broken(7200)] * 9), give_up)
    assert time.slept == []


def test_the_deadline_ends_retries() -> None:
    time = Time()
    source = Flaky(*[Broken("503")] * 99)
    with pytest.raises(RetryableError, match="the deadline of 10 s leaves no time"):
        time.policy(99, 10).call("users", source, give_up)
    assert sum(time.slept) < 10
    assert source.calls == len(time.slept) + 1


def test_the_last_error_is_raised_as_it_is_unless_the_caller_makes_another() -> None:
    source = Flaky(*[Broken("no JSON")] * 8)
    with pytest.raises(Broken, match="^no JSON$"):
        Time().policy(4, 3600).call("users", source)
    with pytest.raises(RetryableError, match=r"^users: no JSON \(after 4 attempts\)$") as caught:
        Time().policy(4, 3600).call("users", source, give_up)
    assert source.calls == 8
    assert isinstance(caught.value.__cause__, Broken)


def test_other_errors_are_not_tried_again() -> None:
    source = Flaky(UsageError("404"))
    with pytest.raises(UsageError):
        Time().policy(4, 3600).call("users", source, give_up)
    assert source.calls == 1


def test_a_deadline_says_when_it_is_over() -> None:
    time = Time()
    deadline = Deadline(5, "DEFTUNES_EXTRACT_DEADLINE", lambda: time.now)
    time.now += 4.5
    deadline.check("users")
    assert deadline.remaining == 0.5
    time.now += 1
    assert deadline.remaining == 0
    with pytest.raises(RetryableError, match=r"users: not done within 5 s \(DEFTUNES_EXTRACT_DEADLINE\)"):
        deadline.check("users")
