"""`deftunes airflow backfill|trigger|state`: parses, connects, calls one function, maps the result to an exit code.

deftunes airflow backfill --pipeline api --start 2020-01-01 --end 2020-03-01
deftunes airflow state --json
"""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from deftunes_cli.airflow import service
from deftunes_cli.airflow.follow import Follower
from deftunes_cli.airflow.service import Reprocess
from deftunes_cli.airflow.settings import AirflowSettings
from deftunes_cli.allowance_options import with_allowances
from deftunes_cli.terminal import plain
from deftunes_contract.allowances import NONE_ALLOWED, Allowances
from deftunes_contract.provisional import HELP as PARTIAL_HELP
from deftunes_contract.settings import from_environment

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Runs of the pipelines in Airflow. DEFTUNES_AIRFLOW_URL and its kin say where it is and who asks.",
    epilog="Examples: deftunes airflow state · "
    "deftunes airflow backfill --pipeline api --start 2020-01-01 --end 2020-03-01",
)

Follow = Annotated[bool, typer.Option(help="Print what changes and end with the runs' outcome.")]


@app.command(
    epilog="Examples: deftunes airflow backfill --pipeline api --start 2020-01-01 --end 2020-03-01 · "
    "deftunes airflow backfill --pipeline songs --start 2020-02-01 --end 2020-03-01 --reprocess completed --no-follow"
)
@with_allowances
def backfill(
    pipeline: Annotated[str, typer.Option(metavar="NAME", help="One of the contracts' pipelines.")],
    start: Annotated[str, typer.Option(metavar="DAY", help="First day of the first month, inside.")],
    end: Annotated[str, typer.Option(metavar="DAY", help="First day after the last month, outside.")],
    reprocess: Annotated[Reprocess, typer.Option(help="Which months that have a run are run again.")] = Reprocess.NONE,
    allowances: Allowances = NONE_ALLOWED,
    follow: Follow = True,
) -> None:
    """Run whole months, one after the other: those without a run, or those asked for again. 65: a gate closed."""
    months = service.months_of(start, end)
    with service.connect(from_environment(AirflowSettings)) as airflow:
        _end(service.backfill(airflow, pipeline, months, reprocess, _say, allowances), follow)


@app.command(
    epilog="Examples: deftunes airflow trigger --pipeline api --start 2020-02-01 --end 2020-03-01 --entities users · "
    "deftunes airflow trigger --pipeline api --start 2020-01-01 --end 2020-02-01 --allow-shrink sessions:2020-01 · "
    "deftunes airflow trigger --pipeline maintenance"
)
@with_allowances
def trigger(
    pipeline: Annotated[str, typer.Option(metavar="NAME", help="One of the contracts' pipelines, or maintenance.")],
    start: Annotated[str, typer.Option(metavar="DAY", help="First day of the month, inside.")] = "",
    end: Annotated[str, typer.Option(metavar="DAY", help="First day of the next month, outside.")] = "",
    entities: Annotated[
        list[str] | None, typer.Option(metavar="ENTITY", help="Load only this one; repeatable. Default: all.")
    ] = None,
    partial: Annotated[bool, typer.Option("--partial", help=f"{PARTIAL_HELP.capitalize()}.")] = False,
    allowances: Allowances = NONE_ALLOWED,
    follow: Follow = True,
) -> None:
    """Run one month by hand, beside the run that it may have, or some of its entities. 65: a gate closed."""
    with service.connect(from_environment(AirflowSettings)) as airflow:
        _end(service.trigger(airflow, pipeline, start, end, entities or [], _say, partial, allowances), follow)


@app.command(epilog="Examples: deftunes airflow state · deftunes airflow state --pipeline api --json")
def state(
    pipeline: Annotated[str, typer.Option(metavar="NAME", help="One of the contracts' pipelines; default: all.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="JSON on standard output.")] = False,
) -> None:
    """The latest run of every month: state, name, seconds, and which task failed with what words."""
    with service.connect(from_environment(AirflowSettings)) as airflow:
        rows = service.state(airflow, pipeline)
    if as_json:
        _write(json.dumps([row.to_json() for row in rows], indent=2))
        return
    table = [("pipeline", "month", "state", "seconds", "run", "failed")]
    for row in rows:
        seconds = "" if row.seconds is None else f"{row.seconds:.0f}"
        failed = "; ".join(map(str, row.failed))
        table.append((row.pipeline, row.start[:7], row.state, seconds, row.run_id, failed))
    widths = [max(len(line[at]) for line in table) for at in range(len(table[0]))]
    for line in table:
        _write("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _end(following: Follower, follow: bool) -> None:
    if follow:
        _say(following.wait(_write))


def _write(line: str) -> None:
    print(plain(line), flush=True)  # noqa: T201  # the result itself, for pipes


def _say(line: str) -> None:
    print(plain(line), file=sys.stderr, flush=True)  # noqa: T201  # for the person at the terminal
