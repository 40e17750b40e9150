"""deftunes-dbt: builds and tests the serving star and the BI views from the published tables.

Data flow: Iceberg `main` (read through DuckDB's views, or Redshift's external schema) -> staging -> star -> BI views.

What protects the output: the embedded target is built in a copy that takes the serving file's name when every model
and every test is done (`atomic_file`), Redshift's in a schema of its own whose rows become public in one transaction
(`redshift_publish`); builds wait for each other. Alone:

    DEFTUNES_LAKE=/tmp/lake deftunes-dbt build --start 2020-01-01 --end 2020-02-01
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import structlog

from deftunes_contract.allowances import GUARDS, add_allowances, allowances_of
from deftunes_contract.interval import Interval, parse_day
from deftunes_contract.registry import registry
from deftunes_contract.settings import from_environment
from deftunes_contract.stage_cli import add_interval, new_parser, run_console, run_id_of, run_stage
from deftunes_serving.build import build
from deftunes_serving.build_request import BuildRequest
from deftunes_serving.compile import compile_offline
from deftunes_serving.docs import generate
from deftunes_serving.freshness import freshness
from deftunes_serving.settings import ProjectSettings, ServingSettings

STAGE = "deftunes-dbt"

EXAMPLES = """\
  deftunes-dbt build --start 2020-01-01 --end 2020-02-01          one month
  deftunes-dbt build --start 2020-01-01 --end 2020-05-01          four months at once
  deftunes-dbt build --start 2020-01-01 --end 2020-02-01 --full-refresh
                                                                  everything published, from nothing
  deftunes-dbt freshness                                          how old the published tables are
  deftunes-dbt docs                                               the models' documentation, as a static site
  deftunes-dbt compile --target redshift                          the SQL for Redshift, without a connection
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = new_parser(STAGE, "Build and test the serving star and the BI views.", EXAMPLES)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=type(top))
    one = commands.add_parser("build", help="build and test the models for whole months, and publish the result")
    add_interval(one)
    one.add_argument("--full-refresh", action="store_true", help="load every published interval, from nothing")
    one.add_argument("--select", nargs="+", default=[], metavar="MODEL", help="only these models and their tests (dbt)")
    add_allowances(one, *GUARDS["dbt"])
    commands.add_parser("freshness", help="check the age of the published tables; 65 when one is too old")
    commands.add_parser("docs", help="write dbt's documentation site of what is served")
    other = commands.add_parser("compile", help="parse the project and write the SQL of a target; needs no connection")
    other.add_argument("--target", choices=("embedded", "redshift"), default="embedded", help="default: embedded")
    return top


def run(argv: Sequence[str]) -> str:
    """Do what argv asks; returns one sentence. Raises StageError."""
    arguments = parser().parse_args(argv)
    if arguments.command == "compile":
        return compile_offline(from_environment(ProjectSettings), arguments.target)
    if arguments.command != "build":
        return {"freshness": freshness, "docs": generate}[arguments.command](from_environment(ServingSettings))
    start, end = parse_day(arguments.start, "--start"), parse_day(arguments.end, "--end")
    request = BuildRequest(
        start=start,
        end=end,
        full_refresh=arguments.full_refresh,
        select=tuple(arguments.select),
        allowances=allowances_of(arguments, registry().names, list(Interval.months(start, end))),
    )
    with structlog.contextvars.bound_contextvars(run_id=run_id_of(arguments)):
        return build(from_environment(ServingSettings), request)


def main(argv: Sequence[str] | None = None) -> int:
    """Run and map the end to an exit code."""
    return run_stage(STAGE, run, argv)


def console() -> None:
    """The console script and the container's entry point."""
    run_console(main)


if __name__ == "__main__":
    console()
