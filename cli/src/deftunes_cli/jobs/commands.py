"""`deftunes job run|list|logs|cancel`: parses, connects, calls one function, maps the result to an exit code.

deftunes job run extract users --start 2020-01-01 --end 2020-02-01
kubectl deftunes job list
"""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from deftunes_cli.terminal import plain

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Stages as Jobs of a cluster where the chart is installed.",
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The job's name, from run or list.")]
Namespace = Annotated[str, typer.Option(metavar="NS", help="Default: the context's namespace.")]
Context = Annotated[str, typer.Option(metavar="CTX", help="A context of the kubeconfig; default: the current one.")]
Seconds = Annotated[
    float | None, typer.Option("--timeout", metavar="SECONDS", min=0, help="Stop following then; the job goes on.")
]


@app.command(
    epilog="Examples: deftunes job run transform users sessions --start 2020-01-01 --end 2020-02-01 · "
    "deftunes job run dbt --start 2020-01-01 --end 2020-04-01 -- --full-refresh · deftunes job run maintain"
)
def run(
    stage: Annotated[
        str, typer.Argument(metavar="STAGE", help="extract, transform, quality, publish, dbt, verify or maintain.")
    ],
    words: Annotated[
        list[str] | None, typer.Argument(metavar="ENTITY... [-- FLAG...]", help="Entities; after -- the stage's flags.")
    ] = None,
    start: Annotated[str, typer.Option(metavar="DAY", help="First day of the month, inside.")] = "",
    end: Annotated[str, typer.Option(metavar="DAY", help="First day of the next month, outside.")] = "",
    run_id: Annotated[str, typer.Option(metavar="ID", help="Names the run whose stages share data.")] = "manual",
    follow: Annotated[bool, typer.Option(help="Print the log and end with the job's exit code.")] = True,
    namespace: Namespace = "",
    context: Context = "",
    release: Annotated[str, typer.Option(metavar="NAME", help="The Helm release.")] = "deftunes",
    timeout: Seconds = None,
) -> None:
    """Run one stage as a Job, made from the chart's CronJob with these arguments."""
    from deftunes_cli.jobs import service
    from deftunes_cli.jobs.client import connect
    from deftunes_cli.jobs.workload import job_request

    call = job_request(stage, words or [], start, end, run_id)
    cluster = connect(context, namespace)
    name = service.make(cluster, release, call)
    if not follow:
        _write(name)
        return
    _say(f"made job {name} in namespace {cluster.namespace}")
    _follow(name, cluster.namespace, context, timeout)


@app.command("list")
def list_jobs(
    as_json: Annotated[bool, typer.Option("--json", help="JSON on standard output.")] = False,
    namespace: Namespace = "",
    context: Context = "",
) -> None:
    """Jobs made by `job run`, youngest first."""
    from deftunes_cli.jobs import service
    from deftunes_cli.jobs.client import connect

    found = service.rows(connect(context, namespace))
    if as_json:
        _write(json.dumps(found, indent=2))
        return
    head = ("name", "stage", "entities", "interval", "run_id", "state", "created")
    table = [head, *(tuple(row[column] for column in head) for row in found)]
    widths = [max(len(row[at]) for row in table) for at in range(len(head))]
    for row in table:
        _write("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@app.command()
def logs(
    name: Name,
    follow: Annotated[bool, typer.Option(help="To the end; the exit code is the job's.")] = False,
    namespace: Namespace = "",
    context: Context = "",
    timeout: Seconds = None,
) -> None:
    """What the pods of a job have said."""
    from deftunes_cli.jobs import service
    from deftunes_cli.jobs.client import connect

    if follow:
        _follow(name, namespace, context, timeout)
    else:
        service.logs(connect(context, namespace), name, _write, _say)


@app.command()
def cancel(
    name: Name,
    namespace: Namespace = "",
    context: Context = "",
    timeout: Annotated[float, typer.Option(metavar="SECONDS", min=0, help="How long to wait for its pods.")] = 300,
) -> None:
    """Delete a job and wait until its pods are gone; what is public stays as it was."""
    from deftunes_cli.jobs import service
    from deftunes_cli.jobs.client import connect

    _say(service.cancel(connect(context, namespace), name, timeout))


def _follow(name: str, namespace: str, context: str, timeout: float | None) -> None:
    from deftunes_cli.jobs import service
    from deftunes_cli.jobs.client import connect

    end = service.follow(connect(context, namespace), name, _write, _say, timeout)
    _say(end.sentence)
    raise typer.Exit(end.code)


def _write(line: str) -> None:
    print(plain(line), flush=True)  # noqa: T201  # the result itself, for pipes


def _say(line: str) -> None:
    print(plain(line), file=sys.stderr, flush=True)  # noqa: T201  # for the person at the terminal
