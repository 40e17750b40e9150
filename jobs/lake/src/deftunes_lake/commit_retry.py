"""A commit that lost a race is tried again: load the table anew, decide anew, commit; a bounded number of times."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import structlog

from deftunes_contract.errors import RetryableError
from deftunes_contract.retry import RetryPolicy
from deftunes_lake.iceberg_java import Conflict

RETRIES = RetryPolicy(30, (Conflict,), initial=0.1, longest=2.0, contention=True)
"""Each lost race means that another commit went through: more attempts than ten concurrent writers need."""

T = TypeVar("T")


def until_settled(what: str, step: Callable[[], T]) -> T:
    """Call a step until it meets no Conflict. `what` names it in messages. Raises RetryableError after many conflicts.

    The step must load the table itself: what it decided before the conflict is void.
    """

    def give_up(_: Conflict, reason: str) -> RetryableError:
        return RetryableError(
            f"{what}: another writer was faster each time ({reason}); nothing was changed, run the same again"
        )

    return RETRIES.call(what, step, give_up, structlog.get_logger("lake"))
