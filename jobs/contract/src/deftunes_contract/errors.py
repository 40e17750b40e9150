"""Exit codes and the errors that carry them: the type of an error decides what a caller does next.

Airflow, Kubernetes Jobs and the `deftunes` command read the exit code and nothing else, so it is part of the
stage contract (docs/stage-contract.md).
"""

from __future__ import annotations

from enum import IntEnum

from deftunes_contract.redaction import printable, redact


class ExitCode(IntEnum):
    """The exit code of a stage."""

    DONE = 0
    BUG = 1
    USAGE = 2
    REFUSED = 65
    """Data refused (sysexits EX_DATAERR): a gate closed. Retrying without a change of the data is useless."""
    TEMPORARY = 75
    """Try again later (sysexits EX_TEMPFAIL): nothing was published, the old data is intact."""
    NOTHING_TO_DO = 99


class StageError(Exception):
    """A foreseen end of a stage. The message is one sentence: expected, found, where, what to do next.

    It ends in logs, run records and on terminals, so it is made fit to leave the process here, once.
    """

    exit_code = ExitCode.BUG

    def __init__(self, message: object = "") -> None:
        super().__init__(printable(redact(str(message)), keep="\n\t"))


class UsageError(StageError):
    """Wrong arguments or settings: nothing was started."""

    exit_code = ExitCode.USAGE


class DataRejected(StageError):
    """The data broke a rule that closes the gate: nothing was published."""

    exit_code = ExitCode.REFUSED


class RetryableError(StageError):
    """The world did not answer as it should; the same call may succeed later."""

    exit_code = ExitCode.TEMPORARY


class NothingToDo(StageError):
    """The call was right and there was nothing for it to do."""

    exit_code = ExitCode.NOTHING_TO_DO
