"""deftunes-verify: proves after a build that the figures of these months agree at every hop.

Data flow: receipts and landed files + `main` and quarantine of the lake + serving tables → one sentence, one log line
per entity and month. What protects its output: it has none; it reads only, needs no JVM and no right to write. Alone:

    DEFTUNES_LAKE=/tmp/lake deftunes-verify users sessions --start 2020-01-01 --end 2020-02-01
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import structlog

from deftunes_contract.errors import DataRejected
from deftunes_contract.interval import Interval, parse_day
from deftunes_contract.settings import from_environment
from deftunes_contract.stage_cli import add_entities, add_interval, new_parser, run_console, run_id_of, run_stage
from deftunes_serving.settings import ServingSettings
from deftunes_serving.verify.model import IntervalCheck
from deftunes_serving.verify.verification import verify

STAGE = "deftunes-verify"
EXAMPLES = """\
  deftunes-verify users sessions --start 2020-01-01 --end 2020-02-01     one month of two entities
  deftunes-verify songs --start 2020-01-01 --end 2020-05-01              four months

exit codes: 0 all figures agree, 65 some do not, 75 the lake changes or does not answer, 99 nothing to compare,
2 wrong call, 1 a bug"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = new_parser(STAGE, "Compare rows and money of whole months at every hop; nothing is written.", EXAMPLES)
    add_entities(made)
    add_interval(made)
    return made


def run(argv: Sequence[str]) -> str:
    """Verify what argv names; one sentence. Raises DataRejected (figures differ), NothingToDo, RetryableError."""
    arguments = parser().parse_args(argv)
    months = list(Interval.months(parse_day(arguments.start, "--start"), parse_day(arguments.end, "--end")))
    entities = tuple(dict.fromkeys(arguments.entities))
    settings = from_environment(ServingSettings)
    with structlog.contextvars.bound_contextvars(run_id=run_id_of(arguments)):
        found = verify(settings, settings, months, entities)
        for check in found.intervals:
            structlog.get_logger("verify").info(f"{check.entity} {check.month}: {check.state}", **_figures(check))
    if not found.reconciled:
        raise DataRejected(found.sentence)
    return found.sentence


def _figures(check: IntervalCheck) -> dict[str, str]:
    hops = {name: getattr(check, name) for name in ("source", "landed", "published", "quarantined", "fact")}
    return {name: str(figures) for name, figures in hops.items() if figures is not None}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage; its exit code."""
    return run_stage(STAGE, run, argv)


def console() -> None:
    """The console script and the container's entry point."""
    run_console(main)


if __name__ == "__main__":
    console()
