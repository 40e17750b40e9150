"""A sign of life every few seconds while Spark works."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

EVERY = 5.0
"""Seconds between two lines."""


@contextmanager
def telling(log: Any, what: str, **facts: object) -> Iterator[None]:
    """Say what begins, and that it still goes on as long as it does."""
    log.info(what, **facts)
    done, begun = threading.Event(), time.monotonic()

    def repeat() -> None:
        while not done.wait(EVERY):
            log.info(f"{what}: still at it", seconds=round(time.monotonic() - begun))

    teller = threading.Thread(target=repeat, daemon=True, name="progress")
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()
