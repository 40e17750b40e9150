"""A commit that lost against another writer is tried again: look at the table anew, decide anew, commit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import structlog

from deftunes_contract.errors import RetryableError
from deftunes_contract.retry import RetryPolicy
from deftunes_lake.iceberg_java import CommitConflict

ATTEMPTS = 30
"""Each conflict means that another writer's commit went through: ten concurrent writers need fewer attempts."""
_POLICY = RetryPolicy(attempts=ATTEMPTS, errors=(CommitConflict,), initial=0.1, longest=2.0, contention=True)

T = TypeVar("T")


def retry_on_conflict(what: str, step: Callable[[], T]) -> T:
    """Call a step until it meets no CommitConflict. `what` names it in messages. Raises RetryableError after many.

    The step must load the table itself: what it decided before the conflict is void.
    """

    def give_up(conflict: CommitConflict, reason: str) -> RetryableError:
        return RetryableError(
            f"{what}: other writers committed first, {reason} ({conflict}); nothing was changed, run the same again"
        )

    return _POLICY.call(what, step, give_up, structlog.get_logger("lake"))
