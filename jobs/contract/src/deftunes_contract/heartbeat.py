"""A log line every few seconds while something long runs or waits, from a thread of its own.

with heartbeat(log, "reading songs", facts=lambda: {"megabytes": 12}): ...

A follower of the log (a person, `deftunes jobs follow`, an idle time-out on the way) sees that the process lives even
when the step itself is one call into a JVM, a database or a lock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

EVERY_SECONDS = 5.0
"""Between two lines."""


@contextmanager
def heartbeat(
    log: Any, what: str, *, announce: bool = True, facts: Callable[[], Mapping[str, object]] | None = None
) -> Iterator[None]:
    """Log `what` every few seconds until the block ends, with the seconds it has taken so far.

    announce: log it at the beginning too. facts: called for each line, in the heartbeat's thread; what it gives stands
    in the line.
    """
    done, began = threading.Event(), time.monotonic()

    def current() -> Mapping[str, object]:
        return facts() if facts is not None else {}

    def repeat() -> None:
        while not done.wait(EVERY_SECONDS):
            log.info(f"{what}: still running", seconds=round(time.monotonic() - began), **current())

    if announce:
        log.info(what, **current())
    beating = threading.Thread(target=repeat, daemon=True, name="heartbeat")
    beating.start()
    try:
        yield
    finally:
        done.set()
        beating.join()
