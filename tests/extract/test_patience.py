"""Retries and the deadline, with a clock and a sleep of the test's own."""

from __future__ import annotations

import pytest

from deftunes_contract.errors import DataRejected, RetryableError, UsageError
from deftunes_extract.patience import Deadline, Patience, SourceError


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def patience(self, attempts: int, seconds: float) -> Patience:
        return Patience(attempts, Deadline(seconds, lambda: self.now), self.sleep)


class Flaky:
    """Fails with the given faults, then gives an answer."""

    def __init__(self, *faults: Exception) -> None:
        self.faults = list(faults)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.faults:
            raise self.faults.pop(0)
        return "answer"


def test_a_fault_that_passes_is_tried_again_after_growing_pauses() -> None:
    time = Time()
    assert time.patience(6, 3600).run("users", Flaky(*[SourceError("502")] * 5)) == "answer"
    assert [round(seconds - 0.5) for seconds in time.slept] == [1, 2, 4, 8, 16]
    assert len(set(time.slept)) == 5
    assert any(seconds != int(seconds) for seconds in time.slept)


def test_the_time_that_a_source_names_is_waited() -> None:
    time = Time()
    assert time.patience(3, 3600).run("users", Flaky(SourceError("429", retry_after=90.0))) == "answer"
    assert time.slept == [90.0]


def test_a_source_that_asks_to_wait_beyond_the_deadline_ends_at_once() -> None:
    time = Time()
    with pytest.raises(
        RetryableError, match=r"users: 429 \(after 1 attempt; the source asks to wait 7200 s and the deadline"
    ):
        time.patience(6, 3600).run("users", Flaky(*[SourceError("429", retry_after=7200)] * 9))
    assert time.slept == []


def test_the_deadline_ends_retries() -> None:
    time = Time()
    source = Flaky(*[SourceError("503")] * 99)
    with pytest.raises(RetryableError, match="the deadline of 10 s leaves no time"):
        time.patience(99, 10).run("users", source)
    assert sum(time.slept) < 10
    assert source.calls == len(time.slept) + 1


@pytest.mark.parametrize(
    ("error_class", "advice"), [(RetryableError, "run the same"), (DataRejected, "have the source corrected")]
)
def test_the_last_fault_names_the_end(error_class: type[RetryableError] | type[DataRejected], advice: str) -> None:
    source = Flaky(*[SourceError("no JSON", error_class)] * 4)
    with pytest.raises(error_class, match=f"users: no JSON .after 4 attempts.* intact; .*{advice}"):
        Time().patience(4, 3600).run("users", source)
    assert source.calls == 4


def test_other_errors_are_not_tried_again() -> None:
    source = Flaky(UsageError("404"))
    with pytest.raises(UsageError):
        Time().patience(4, 3600).run("users", source)
    assert source.calls == 1


def test_a_deadline_says_when_it_is_over() -> None:
    time = Time()
    deadline = Deadline(5, lambda: time.now)
    time.now += 4.5
    deadline.check("users")
    assert deadline.remaining == 0.5
    time.now += 1
    assert deadline.remaining == 0
    with pytest.raises(RetryableError, match="users: not done within 5 s"):
        deadline.check("users")
