"""A build in a process of its own that a test may kill: forked from a server that has dbt imported already."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Mapping, Sequence
from multiprocessing.process import BaseProcess

IMPORTED = ["deftunes_serving.__main__", "dbt.cli.main", "dbt.adapters.redshift"]


def start_build(environment: Mapping[str, str], argv: Sequence[str]) -> BaseProcess:
    """Begin `deftunes-dbt` with this environment and these arguments; its exit code is the stage's."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    process = context.Process(target=_build, args=(dict(environment), list(argv)), daemon=True)
    process.start()
    return process


def _build(environment: dict[str, str], argv: list[str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    from deftunes_serving.__main__ import main

    os._exit(main(argv))
