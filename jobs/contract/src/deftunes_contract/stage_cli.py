"""One command-line grammar for all stages, and the one way in which a stage ends.

deftunes-<stage> ENTITY... --start 2020-01-01 --end 2020-02-01 [--run-id ID]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

import structlog

from deftunes_contract.errors import ExitCode, NothingToDo, StageError, UsageError
from deftunes_contract.interval import Interval
from deftunes_contract.logs import configure_logs
from deftunes_contract.names import clean_run_id
from deftunes_contract.registry import registry
from deftunes_contract.settings import LogSettings, from_environment
from deftunes_contract.sharing import keep_private

MANUAL_RUN = "manual"
"""Run id of a stage called by hand without one: the stages of a hand-made month find each other by it."""


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors end like those of a stage: one sentence, exit code 2."""

    def error(self, message: str) -> None:  # type: ignore[override]  # argparse says NoReturn, and it is
        raise UsageError(f"{self.prog}: {message}; see {self.prog} --help")


def new_parser(prog: str, description: str, examples: str) -> argparse.ArgumentParser:
    """A parser with examples below its options."""
    return _Parser(
        prog=prog,
        description=description,
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_entities(parser: argparse.ArgumentParser) -> None:
    """Add ENTITY..., any of the registry's."""
    names = registry().names
    parser.add_argument("entities", nargs="+", choices=names, metavar="ENTITY", help=", ".join(names))


def add_interval(parser: argparse.ArgumentParser) -> None:
    """Add --start, --end and --run-id."""
    parser.add_argument("--start", required=True, metavar="DAY", help="first day of the month, inside")
    parser.add_argument("--end", required=True, metavar="DAY", help="first day of the next month, outside")
    add_run_id(parser)


def add_run_id(parser: argparse.ArgumentParser) -> None:
    """Add --run-id."""
    parser.add_argument(
        "--run-id", default=MANUAL_RUN, metavar="ID", help="names the run whose stages hand over to each other"
    )


def interval_of(arguments: argparse.Namespace) -> Interval:
    """The interval asked for. Raises UsageError."""
    return Interval.parse(arguments.start, arguments.end)


def run_id_of(arguments: argparse.Namespace) -> str:
    """The run id in the letters that branch names, paths and labels allow. Raises UsageError.

    Airflow's run ids hold colons and plus signs; every stage replaces them in the same way (names.py).
    """
    return clean_run_id(str(arguments.run_id))


def run_stage(stage: str, run: Callable[[Sequence[str]], str], argv: Sequence[str] | None = None) -> int:
    """Run a stage and map its end to an exit code; its last log line is one sentence.

    `run` gets argv and returns that sentence. A StageError ends with its own code; any other exception is a bug
    (code 1), logged with its trace. `--help` ends with 0 as argparse wants it.
    """
    log = structlog.get_logger(stage)
    try:
        log.info(run(sys.argv[1:] if argv is None else argv), stage=stage)
    except NothingToDo as nothing:
        log.info(str(nothing), stage=stage, exit_code=int(nothing.exit_code))
        return nothing.exit_code
    except StageError as foreseen:
        log.error(str(foreseen), stage=stage, exit_code=int(foreseen.exit_code))
        return foreseen.exit_code
    except KeyboardInterrupt:
        log.error("interrupted; nothing was published, run the same command again", stage=stage)
        return ExitCode.TEMPORARY
    except Exception as bug:
        log.exception(f"{stage} failed in a way nobody foresaw: {bug!r}; please report it with this trace", stage=stage)
        return ExitCode.BUG
    return ExitCode.DONE


def run_console(main: Callable[[], int]) -> NoReturn:
    """Begin and end a process: set up the logs as the environment says, run, exit with the code."""
    keep_private()
    try:
        logs = from_environment(LogSettings)
        configure_logs(logs.log_format, logs.log_level)
    except UsageError:
        # the stage reads the same settings again, and says what is wrong with them as it says everything
        configure_logs("auto")
    sys.exit(main())
