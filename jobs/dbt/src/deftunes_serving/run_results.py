"""What dbt's results mean: done, data refused, temporary or a bug, each with a sentence a person can act on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from deftunes_contract.errors import DataRejected, RetryableError, StageError

UNREACHABLE = (
    "IO Error",  # DuckDB: a file vanished or cannot be read, the disk is full
    "HTTP Error",  # DuckDB's httpfs: S3 does not answer as it should
    "HTTPException",
    "FailedToConnectError",
    "could not connect",
    "Connection refused",
    "timed out",
    "InterfaceError",  # redshift_connector: the connection broke
    "BrokenPipe",  # likewise
)
"""Beginnings and parts of database messages that speak of the world, not of the SQL."""

NAMED = 5
"""How many failed nodes a sentence names."""


@dataclass(frozen=True)
class Outcome:
    """A build in which nothing failed. `warnings` are tests of severity warn that found rows."""

    models: int
    tests: int
    warnings: tuple[str, ...]


def raise_for_results(results: Sequence[Any], unchanged: str) -> Outcome:
    """Read dbt's results (status, message, failures, node).

    `unchanged` says what a failure left as it was. Raises RetryableError or StageError when a model or test could not
    be run, DataRejected when a test found rows.
    """
    if broken := [result for result in results if result.status in ("error", "runtime error")]:
        first = "; ".join(f"{_kind(r)} {r.node.name}: {_message(r)}" for r in broken[:NAMED])
        raise error_class(first)(f"{_several(len(broken), 'model or test')} could not be run; {unchanged}. {first}")
    if failed := [result for result in results if result.status == "fail"]:
        found = "; ".join(_finding(result) for result in failed[:NAMED])
        more = f" and {len(failed) - NAMED} more" if len(failed) > NAMED else ""
        raise DataRejected(
            f"{_several(len(failed), 'test')} of the serving models failed: {found}{more}; {unchanged}. Correct the "
            "published data or roll it back, then run the same command again"
        )
    return Outcome(
        models=sum(r.node.resource_type == "model" and r.status == "success" for r in results),
        tests=sum(r.node.resource_type == "test" and r.status in ("pass", "warn") for r in results),
        warnings=tuple(_finding(r) for r in results if r.status == "warn"),
    )


def error_class(message: str) -> type[StageError]:
    """RetryableError when a database's message speaks of the world, StageError when it speaks of the SQL."""
    return RetryableError if any(sign in message for sign in UNREACHABLE) else StageError


@contextmanager
def translate_errors(beginning: str) -> Iterator[None]:
    """What dbt or its database raises in the block becomes one of our errors; `beginning` opens its sentence.

    Raises the StageError that dbt wrapped (see find_stage_error), else RetryableError or StageError by error_class.
    """
    try:
        yield
    except StageError:
        raise
    except Exception as error:
        if staged := find_stage_error(error):
            raise staged from None
        message = " ".join(str(error).split())
        raise error_class(message)(f"{beginning} {message}") from error


def find_stage_error(error: BaseException) -> StageError | None:
    """The StageError behind an error that dbt wrapped, e.g. one that the plugin raised while it attached the lake."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, StageError):
            return cause
        cause = cause.__cause__ or cause.__context__
    return None


def _finding(result: Any) -> str:
    return f"test {result.node.name} on {_subject(result.node)} found {_several(result.failures or 0, 'failing row')}"


def _subject(node: Any) -> str:
    """The model a test stands beside, or the models that a test of its own reads."""
    attached = getattr(node, "attached_node", None)
    models = [attached] if attached else [name for name in node.depends_on.nodes if name.startswith("model.")]
    return "model " + ", ".join(name.rsplit(".", 1)[-1] for name in models)


def _kind(result: Any) -> str:
    return str(result.node.resource_type).rsplit(".", 1)[-1].lower()


def _message(result: Any) -> str:
    return " ".join(str(result.message or "no message").split())


def _several(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
