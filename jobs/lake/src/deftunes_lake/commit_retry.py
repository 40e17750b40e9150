"""Lost races are tried again: look at the table anew, decide anew, commit; a bounded number of times."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

import structlog

from deftunes_contract.errors import RetryableError
from deftunes_lake.iceberg_java import Conflict

ATTEMPTS = 30
"""Each lost race means that somebody else's commit went through, so this many is a crowd, not bad luck."""
LONGEST_WAIT = 2.0

T = TypeVar("T")


def until_settled(what: str, step: Callable[[], T]) -> T:
    """Call a step until it meets no Conflict. `what` names it in messages. Raises RetryableError after many conflicts.

    The step must load the table itself: what it decided before the conflict is void.
    """
    log = structlog.get_logger("lake")
    for attempt in range(ATTEMPTS):
        try:
            return step()
        except Conflict as conflict:
            log.info(f"{what}: somebody else was faster, trying again", attempt=attempt + 1, why=str(conflict))
            # processes that collided once shall not collide again in step
            time.sleep(random.uniform(0.02, min(0.1 * 2**attempt, LONGEST_WAIT)))
    raise RetryableError(
        f"{what}: others were faster {ATTEMPTS} times in a row; nothing was changed, run the same again"
    )
