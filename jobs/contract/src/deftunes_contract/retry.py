"""Retries with exponential back-off, and the deadline over them. One policy, used by every stage and the CLI.

    RetryPolicy(attempts=6, errors=(SourceError,), longest=60, deadline=Deadline(3600)).call("users", read)

Tenacity does the work. What is left here is what each caller needs besides: an error may name the time of the next
attempt (its `retry_after`, e.g. from an HTTP Retry-After header), no pause reaches beyond the deadline, each pause is
logged, and the caller decides which error a last failure becomes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from deftunes_contract.errors import RetryableError

if TYPE_CHECKING:  # tenacity imports asyncio, 30 ms: a command that retries nothing must not pay for it
    from tenacity import RetryCallState
    from tenacity.wait import wait_base

T = TypeVar("T")


class Deadline:
    """A point in time by which everything must be done, `seconds` from now. `setting` is what people change."""

    def __init__(
        self, seconds: float, setting: str = "the time allowed", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.seconds, self.setting, self._clock = seconds, setting, clock
        self._end = clock() + seconds

    @property
    def remaining(self) -> float:
        """Seconds left, at least 0."""
        return max(0.0, self._end - self._clock())

    def check(self, doing: str) -> None:
        """Raises RetryableError when the time is up."""
        if self._clock() >= self._end:
            raise RetryableError(
                f"{doing}: not done within {self.seconds:g} s ({self.setting}); nothing was changed. "
                "Look at the other side's speed, or allow more time"
            )


@dataclass(frozen=True)
class RetryPolicy:
    """How often something is tried, and how long the pauses are.

    attempts: the first one included. errors: the types that are tried again; any other error is raised at once.
    initial, longest: seconds of the first pause and the most; pauses double. contention: the other side is not ill but
    busy with our own kind, so pauses are spread over the whole of [0, pause] (AWS's "full jitter") and not lengthened
    by up to `initial`. deadline: no pause ends after it.
    """

    attempts: int
    errors: tuple[type[Exception], ...]
    initial: float = 1.0
    longest: float = 60.0
    contention: bool = False
    deadline: Deadline = field(default_factory=lambda: Deadline(math.inf))
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)

    def call(
        self, what: str, step: Callable[[], T], give_up: Callable[[Any, str], Exception] | None = None, log: Any = None
    ) -> T:
        """The result of `step`, which is called until it raises none of `errors`.

        what: names the step in log lines. give_up: makes the error to raise of the last one and the reason why there
        are no more attempts ("after 3 attempts"); without it, the last error is raised as it is.
        """
        from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

        log = log or structlog.get_logger("retry")
        retrying = Retrying(
            retry=retry_if_exception_type(self.errors),
            wait=self._pause,
            stop=lambda state: stop_after_attempt(self.attempts)(state) or self._is_too_late(state),
            before_sleep=lambda state: log.warning(
                f"{what}: {_error(state)}; trying again in {state.upcoming_sleep:.1f} s",
                attempt=state.attempt_number,
                of=self.attempts,
            ),
            sleep=self.sleep,
            reraise=True,
        )
        try:
            return retrying(step)
        except self.errors as error:
            if give_up is None:
                raise
            raise give_up(error, self._reason(int(retrying.statistics["attempt_number"]), error)) from error

    def _pause(self, state: RetryCallState) -> float:
        """Seconds before the next attempt: what the error names, else exponential back-off with jitter."""
        named: float | None = getattr(_error(state), "retry_after", None)
        return self._back_off(state) if named is None else named

    @property
    def _back_off(self) -> wait_base:
        from tenacity import wait_exponential_jitter, wait_random_exponential

        if self.contention:
            return wait_random_exponential(multiplier=self.initial, max=self.longest)
        return wait_exponential_jitter(multiplier=self.initial, max=self.longest, jitter=self.initial)

    def _is_too_late(self, state: RetryCallState) -> bool:
        return state.upcoming_sleep >= self.deadline.remaining

    def _reason(self, tried: int, error: Exception) -> str:
        """Why there is no further attempt."""
        count = f"after {tried} attempt{'s' if tried > 1 else ''}"
        if tried >= self.attempts:
            return count
        named = getattr(error, "retry_after", None)
        wait = "" if named is None else f"the source asks to wait {named:g} s and "
        return f"{count}; {wait}the deadline of {self.deadline.seconds:g} s leaves no time for another"


def _error(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None
