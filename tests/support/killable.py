"""Commands in processes of their own that a test may kill, forked from a server that has imported what they need.

The imports (10 s for `deftunes run`) are paid once; what a command does itself, its JVM included, begins in the child.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from multiprocessing.process import BaseProcess
from pathlib import Path

DBT = ("deftunes_serving.__main__", "dbt.cli.main", "dbt.adapters.redshift")
PLATFORM = (
    *("deftunes_cli.__main__", "deftunes_serving.verify", "deftunes_cli.dashboard", "deftunes_extract.__main__"),
    *(
        "deftunes_lake.__main__",
        "deftunes_transform.__main__",
        "deftunes_quality.__main__",
        "deftunes_quality.validate",
    ),
    *("deftunes_serving.build", "dbt.adapters.duckdb", *DBT),
)
"""What `deftunes run` imports. None of it starts a JVM or reads a setting."""


def start_build(environment: Mapping[str, str], argv: Sequence[str]) -> BaseProcess:
    """Begin `deftunes-dbt` with this environment and these arguments; its exit code is the stage's."""
    return _start(DBT, "deftunes_serving.__main__", environment, argv, None)


def start_platform(environment: Mapping[str, str], argv: Sequence[str], log: Path) -> BaseProcess:
    """Begin `deftunes`, all that it prints going to the end of `log`; its exit code is the command's."""
    return _start(PLATFORM, "deftunes_cli.__main__", environment, argv, log)


def _start(
    imported: Sequence[str], module: str, environment: Mapping[str, str], argv: Sequence[str], log: Path | None
) -> BaseProcess:
    """Fork `module`'s main; it leads a process group of its own, to which its JVM belongs."""
    context = multiprocessing.get_context("forkserver")
    # a server that runs already has what its first caller asked for; a child imports the rest itself
    context.set_forkserver_preload(list(imported))
    process = context.Process(target=_work, args=(module, dict(environment), list(argv), log), daemon=True)
    process.start()
    return process


def _work(module: str, environment: dict[str, str], argv: list[str], log: Path | None) -> None:
    os.setsid()
    if log is not None:
        descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(environment)
    code = import_module(module).main(argv)
    sys.stdout.flush()
    sys.stderr.flush()
    # not by the interpreter's end: nobody waits for a session's threads, and the JVM ends with its standard input
    os._exit(code)
