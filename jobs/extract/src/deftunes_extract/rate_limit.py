"""At most so many requests a second to one server, spread evenly."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache

from deftunes_contract.retry import Deadline


class RateLimit:
    """Waits before a request when the last one was too short ago; no limit for None."""

    def __init__(
        self,
        per_second: float | None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._interval = 1 / per_second if per_second else 0.0
        self._clock, self._sleep, self._next = clock, sleep, 0.0

    def wait(self, deadline: Deadline) -> None:
        """Wait for the next request's turn, but not beyond the deadline."""
        now = self._clock()
        pause = min(self._next - now, deadline.remaining)
        if pause > 0:
            self._sleep(pause)
        self._next = max(now, self._next) + self._interval


@cache
def rate_limit_of(server: str, per_second: float | None) -> RateLimit:
    """The limit that all sources of a server share in this process."""
    return RateLimit(per_second)
