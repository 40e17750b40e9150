"""`deftunes`: the command line. Parses, builds settings, calls one function, maps the result to an exit code.

deftunes demo
deftunes run --pipeline all --start 2020-01-01 --end 2020-05-01
deftunes verify --json
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from deftunes_cli import run as runs
from deftunes_cli.airflow.commands import app as airflow
from deftunes_cli.allowance_options import with_allowances
from deftunes_cli.contracts.commands import contract, new
from deftunes_cli.jobs.commands import app as jobs
from deftunes_cli.progress import progress_for
from deftunes_cli.run_record import RunRecord
from deftunes_cli.terminal import plain
from deftunes_cli.workspace import Workspace, export_defaults, workspace_of
from deftunes_contract.allowances import NONE_ALLOWED, Allowances
from deftunes_contract.errors import ExitCode, NothingToDo, RetryableError, StageError
from deftunes_contract.interval import Interval, parse_day
from deftunes_contract.logs import configure_logs
from deftunes_contract.provisional import HELP as PARTIAL_HELP
from deftunes_contract.redaction import redact
from deftunes_contract.settings import LogSettings, from_environment
from deftunes_contract.sharing import keep_private

if TYPE_CHECKING:  # `deftunes --help` must not pay for it
    from deftunes_serving.settings import ServingSettings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="From raw sources to trusted sales figures. State lives in DEFTUNES_HOME (default .deftunes).",
)
app.add_typer(jobs, name="job")
app.add_typer(airflow, name="airflow")
app.add_typer(contract, name="contract")
app.add_typer(new, name="new")


Start = Annotated[str, typer.Option(metavar="DAY", help="First day of the first month, inside.")]
End = Annotated[str, typer.Option(metavar="DAY", help="First day after the last month, outside.")]


Json = Annotated[bool, typer.Option("--json", help="JSON on standard output.")]


@app.command(epilog="Examples: deftunes demo · deftunes demo --scale 100000 · deftunes demo --songs-csv songs.csv.gz")
def demo(
    scale: Annotated[int, typer.Option(min=100, help="Items sold a month, about.")] = 2000,
    seed: Annotated[int, typer.Option(help="Same seed, same world.")] = 42,
    songs_csv: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="A Million Song Dataset file to sell, CSV or CSV.gz."),
    ] = None,
    months: Annotated[int, typer.Option(min=1, max=36, help="Months from January 2020.")] = 4,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SPEC", help="Break the sources, e.g. sessions:http_500:0.3; see deftunes simulate faults."
        ),
    ] = None,
) -> None:
    """Start a simulated shop, run its pipelines, show the result, stop the shop."""
    from deftunes_cli.demo import reachable, world, world_config

    home = _home()
    plan = [Interval.parse("2020-01-01", "2020-02-01")]
    while len(plan) < months:
        plan.append(plan[-1].following)
    config = world_config(seed=seed, scale=scale, songs_csv=songs_csv, faults=tuple(fault or ()))
    with world(home, config):
        whole = runs.plan_of(runs.ALL, plan, _run_id(), NONE_ALLOWED, False)
        record = _run(home, replace(whole, pipelines=reachable(whole.pipelines)))
    _finish(home, record)


@app.command(epilog="Example: deftunes run --pipeline api --start 2020-01-01 --end 2020-04-01")
@with_allowances
def run(
    start: Start,
    end: End,
    pipeline: Annotated[str, typer.Option(metavar="NAME", help="One of the contracts' pipelines, or all.")] = runs.ALL,
    run_id: Annotated[str, typer.Option(metavar="ID", help="Name of the run; default: time and process id.")] = "",
    allowances: Allowances = NONE_ALLOWED,
    partial: Annotated[bool, typer.Option("--partial", help=f"{PARTIAL_HELP.capitalize()}.")] = False,
    full_refresh: Annotated[bool, typer.Option(help="Rebuild the serving tables from all published months.")] = False,
) -> None:
    """Run pipelines against the sources that the environment names, one interval a calendar month of the range."""
    home = _home()
    months = list(Interval.months(parse_day(start, "--start"), parse_day(end, "--end")))
    plan = runs.plan_of(pipeline, months, run_id or _run_id(), allowances, full_refresh, partial)
    _finish(home, _run(home, plan))


@app.command(epilog="Example: deftunes verify --json > before.json")
def verify(as_json: Json = False) -> None:
    """Reconcile every hop: source = landed = published + quarantined = facts, in rows and in money."""
    from deftunes_cli.verification_table import render
    from deftunes_serving.verify import verify as reconcile

    _home()
    settings = _settings()
    found = reconcile(settings, settings)
    if as_json:
        print(redact(found.to_json()), end="")  # noqa: T201  # the result itself, for pipes
    else:
        render(found, Console())
    if not found.reconciled:
        raise typer.Exit(ExitCode.BUG)


@app.command()
def status(as_json: Json = False) -> None:
    """What the last run did and what is published."""
    from deftunes_cli.status import status_of

    home, settings = _home(), _settings()
    found = status_of(home, settings, settings)
    if as_json:
        print(found.to_json())  # noqa: T201  # the result itself, for pipes
    else:
        found.render(Console())


@app.command(epilog="Example: deftunes rollback --month 2020-02 --pipeline api")
def rollback(
    month: Annotated[str, typer.Option(metavar="YYYY-MM", help="The month whose last publication is taken back.")],
    pipeline: Annotated[str, typer.Option(metavar="NAME", help="Whose tables: a pipeline, or all.")],
) -> None:
    """Show a month as it was before it was last published: the lake's tables, then the serving tables."""
    from deftunes_cli.rollback import rollback_month

    _home()
    console = Console()
    done = rollback_month(
        runs.pipelines_of(pipeline),
        Interval.of_month(month),
        lambda call: console.print(f"{call.stage} …", highlight=False),
    )
    for sentence in (done.lake, done.serving):
        console.print(plain(sentence), markup=False, highlight=False, soft_wrap=True)
    if not done.moved:
        raise typer.Exit(ExitCode.NOTHING_TO_DO)


@app.command("helm-values", epilog="The same as deftunes values.")
@app.command(epilog="Example: deftunes values --stack prod > prod-values.yaml")
def values(
    stack: Annotated[str, typer.Option(metavar="STACK", help="Pulumi stack whose outputs are asked for.")],
    program: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder of the Pulumi program.")] = Path(
        "infra_pulumi"
    ),
    outputs: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Outputs as JSON in a file, instead of asking pulumi."),
    ] = None,
    tag: Annotated[str, typer.Option(metavar="VERSION", help="Version of the images.")] = version("deftunes-cli"),
) -> None:
    """Write the chart's values for a stack that `pulumi up` made, with the commands that come before `helm install`."""
    from deftunes_cli.cloud.outputs import outputs_of, read_outputs
    from deftunes_cli.cloud.values import render

    found = outputs_of(stack, program) if outputs is None else read_outputs(str(outputs), outputs.read_text("utf-8"))
    print(render(found, tag, stack), end="")  # noqa: T201  # the result itself, for a file


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def simulate(context: typer.Context) -> None:
    """The simulated shop alone: everything after `simulate` goes to deftunes-simulator, e.g. serve --scale 2000."""
    from deftunes_simulator.__main__ import main as simulator

    raise typer.Exit(simulator(context.args))


def _home() -> Workspace:
    home = workspace_of(os.environ)
    export_defaults(home)
    return home


def _settings() -> ServingSettings:
    """Where lake and serving tables are, of the target in use."""
    from deftunes_serving.settings import ServingSettings

    return from_environment(ServingSettings)


def _run_id() -> str:
    return runs.new_run_id(datetime.now(UTC), os.getpid())


def _run(home: Workspace, plan: runs.Plan) -> RunRecord:
    try:
        with progress_for(Console(stderr=True)) as progress:
            return runs.execute(plan, home, progress)
    except KeyboardInterrupt:
        raise RetryableError("interrupted; nothing half-done is public, run the same command again") from None


def _finish(home: Workspace, record: RunRecord) -> None:
    """Reconcile, draw the dashboard, print the summary; end with the run's code, or 1 when money does not add up."""
    from deftunes_cli.dashboard import write_dashboard
    from deftunes_cli.summary import render_run
    from deftunes_cli.verification_table import render
    from deftunes_serving.verify import verify as reconcile

    settings, console = _settings(), Console()
    reconciled, dashboard = True, None
    try:
        found = reconcile(settings, settings)
        render(found, console)
        reconciled = found.reconciled
        dashboard = write_dashboard(home, settings, settings, record, found)
    except NothingToDo as nothing:
        console.print(plain(nothing), markup=False, highlight=False)
    render_run(record, console, dashboard)
    if record.exit_code:
        raise typer.Exit(record.exit_code)
    if not reconciled:
        raise typer.Exit(ExitCode.BUG)


def main(argv: list[str] | None = None) -> int:
    """Run a command; its exit code."""
    # stages speak through the progress display; their own lines are for those who ask (DEFTUNES_LOG_LEVEL=INFO)
    os.environ.setdefault("DEFTUNES_LOG_LEVEL", "WARNING")
    keep_private()
    try:
        logs = from_environment(LogSettings)
        configure_logs(logs.log_format, logs.log_level)
        app(args=argv, prog_name="deftunes")
    except SystemExit as end:
        return int(end.code or 0)
    except StageError as foreseen:
        print(str(foreseen), file=sys.stderr)  # noqa: T201  # the sentence itself, without a log line's trimmings
        return foreseen.exit_code
    return ExitCode.DONE


def console() -> None:
    """The console script."""
    sys.exit(main())


if __name__ == "__main__":
    console()
