"""How long and how often a source is asked: one deadline over everything, and retries with back-off below it.

A `SourceError` is a fault that often passes. It is tried again from the beginning; when attempts or time run out it
ends the stage in the way it names (temporary, or data refused).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import structlog
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential_jitter,
)

from deftunes_contract.errors import RetryableError, StageError
from deftunes_contract.redaction import printable, redact

T = TypeVar("T")

BACK_OFF = wait_exponential_jitter(initial=1, max=60, jitter=1)
"""Seconds between attempts: 1, 2, 4 … 60, with up to one more by chance, unless the source names a time."""


class SourceError(Exception):
    """A fault of a source that may pass; `error_class` ends the stage when it does not. `retry_after` in seconds."""

    def __init__(
        self, message: str, error_class: type[StageError] = RetryableError, retry_after: float | None = None
    ) -> None:
        super().__init__(printable(redact(message)))
        self.error_class, self.retry_after = error_class, retry_after


class Deadline:
    """A point in time by which everything must be done, `seconds` from now."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds, self._clock = seconds, clock
        self._end = clock() + seconds

    @property
    def remaining(self) -> float:
        """Seconds left, at least 0."""
        return max(0.0, self._end - self._clock())

    def check(self, doing: str) -> None:
        """Raises RetryableError when the time is up."""
        if self._clock() >= self._end:
            raise RetryableError(
                f"{doing}: not done within {self.seconds:g} s (DEFTUNES_EXTRACT_DEADLINE); nothing was delivered and "
                "the earlier delivery is intact. Look at the source's speed, or allow more time"
            )


class Patience:
    """Runs something again after a SourceError, within attempts and deadline. `sleep` is handed in by tests."""

    def __init__(self, attempts: int, deadline: Deadline, sleep: Callable[[float], None] = time.sleep) -> None:
        self.attempts, self.deadline, self._sleep = attempts, deadline, sleep

    def run(self, what: str, attempt: Callable[[], T]) -> T:
        """The result of `attempt`. Raises the StageError that the last SourceError names."""
        log = structlog.get_logger("extract")
        retrying = Retrying(
            retry=retry_if_exception_type(SourceError),
            wait=_pause,
            stop=lambda state: stop_after_attempt(self.attempts)(state) or self._too_late(state),
            before_sleep=lambda state: log.warning(
                f"{what}: {_fault(state)}; trying again in {state.upcoming_sleep:.1f} s",
                attempt=state.attempt_number,
                of=self.attempts,
            ),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return retrying(attempt)
        except SourceError as fault:
            tried = int(retrying.statistics["attempt_number"])
            raise fault.error_class(
                f"{what}: {fault} ({self._why_no_more(tried, fault)}). {_next(fault.error_class)}"
            ) from fault

    def _too_late(self, state: RetryCallState) -> bool:
        return state.upcoming_sleep >= self.deadline.remaining

    def _why_no_more(self, tried: int, fault: SourceError) -> str:
        count = f"after {tried} attempt{'s' if tried > 1 else ''}"
        if tried >= self.attempts:
            return count
        wait = "" if fault.retry_after is None else f"the source asks to wait {fault.retry_after:g} s and "
        return f"{count}; {wait}the deadline of {self.deadline.seconds:g} s leaves no time for another"


def _next(error_class: type[StageError]) -> str:
    first = "" if error_class is RetryableError else "have the source corrected, then "
    return f"Nothing was delivered and the earlier delivery is intact; {first}run the same command again"


def _fault(state: RetryCallState) -> SourceError:
    fault = state.outcome.exception() if state.outcome else None
    assert isinstance(fault, SourceError)
    return fault


def _pause(state: RetryCallState) -> float:
    """Seconds before the next attempt: what the source asked for, else exponential back-off with jitter."""
    asked = _fault(state).retry_after
    return BACK_OFF(state) if asked is None else asked
