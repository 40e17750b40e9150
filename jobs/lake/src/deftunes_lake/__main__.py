"""`deftunes-lake`: download jars, record a class archive, create tables, publish, roll back, maintain, status."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from pydantic import TypeAdapter

from deftunes_contract.object_store import open_store
from deftunes_contract.registry import registry
from deftunes_contract.settings import from_environment
from deftunes_contract.stage_cli import (
    add_entities,
    add_interval,
    interval_of,
    new_parser,
    run_console,
    run_id_of,
    run_stage,
)
from deftunes_lake.jars import fetch_jars
from deftunes_lake.jvm import archive_file, record_cds_archive
from deftunes_lake.maintain import maintain
from deftunes_lake.publish import publish
from deftunes_lake.rollback import rollback
from deftunes_lake.session import open_session, session_of_process
from deftunes_lake.settings import JarSettings, SparkSettings
from deftunes_lake.status import TableStatus, as_text, status
from deftunes_lake.tables import ensure_tables

EXAMPLES = """\
  deftunes-lake jars
  deftunes-lake warm
  deftunes-lake create
  deftunes-lake publish users sessions --start 2020-01-01 --end 2020-02-01 --run-id january
  deftunes-lake rollback users sessions --start 2020-01-01 --end 2020-02-01
  deftunes-lake maintain --older-than-days 14 --dry-run
  deftunes-lake maintain --when-quiet
  deftunes-lake status --json"""


def _parser() -> argparse.ArgumentParser:
    parser = new_parser("deftunes-lake", "Look after the Iceberg tables. Where they are: docs/settings.md.", EXAMPLES)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("jars", help="download Spark's jars (jars.lock) into DEFTUNES_JARS")
    verbs.add_parser("warm", help="record a class archive, with which Spark starts in about half the time")
    verbs.add_parser("create", help="make the tables, or grow them to their contracts")
    one = verbs.add_parser("publish", help="make what the gates let through public")
    two = verbs.add_parser("rollback", help="show an interval as it was before it was last published")
    for verb in (one, two):
        add_entities(verb)
        add_interval(verb)
    three = verbs.add_parser(
        "maintain", help="compact, expire, remove orphan files and quarantine rows of unpublished runs"
    )
    three.add_argument(
        "--older-than-days", type=_days, default=7, metavar="N", help="keep younger snapshots and branches (default 7)"
    )
    three.add_argument("--dry-run", action="store_true", help="only show what would be done")
    three.add_argument("--when-quiet", action="store_true", help="end with 75 while the branch of a run is open")
    three.add_argument(
        "--allow-orphans",
        action="append",
        default=[],
        choices=registry().tables,
        metavar="TABLE",
        help="remove the orphan files of this table, however many they are; repeatable",
    )
    four = verbs.add_parser("status", help="what is public, by which run, and what waits on branches")
    four.add_argument("--json", action="store_true", help="for programs")
    return parser


def _days(text: str) -> int:
    days = int(text)
    if days < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1 day, found {days}")
    return days


def run(argv: Sequence[str]) -> str:
    """Run what argv names; returns one sentence. Raises StageError."""
    arguments = _parser().parse_args(argv)
    verbs: dict[str, Callable[[argparse.Namespace], str]] = {
        "jars": _jars,
        "warm": _record_archive,
        "create": _create,
        "publish": _publish,
        "rollback": _rollback,
        "maintain": _maintain,
        "status": _status,
    }
    return verbs[arguments.verb](arguments)


def _jars(_: argparse.Namespace) -> str:
    settings = from_environment(JarSettings)
    count, size = fetch_jars(settings.jars, settings.maven_url)
    return f"all jars are in {settings.jars}: {count} fetched ({size / 1e6:.1f} MB), the others were there"


def _record_archive(_: argparse.Namespace) -> str:
    # no lake is needed, and one that is set shall not be touched
    settings = from_environment(SparkSettings, DEFTUNES_LAKE="/")
    if (file := archive_file(settings)).is_file():
        # its name holds all that it was recorded with
        return f"{file} was recorded before ({file.stat().st_size / 1e6:.0f} MB); remove it to record it again"
    size = record_cds_archive(settings)
    return f"recorded {archive_file(settings)} ({size / 1e6:.0f} MB); Spark will start in about half the time"


def _create(_: argparse.Namespace) -> str:
    settings = from_environment(SparkSettings)
    done = ensure_tables(open_session(settings), settings)
    return "; ".join(done) if done else f"all tables of {settings.database} are as their contracts want them"


def _publish(arguments: argparse.Namespace) -> str:
    interval, run_id = interval_of(arguments), run_id_of(arguments)
    settings = from_environment(SparkSettings)
    done = publish(open_session(settings), settings, open_store(settings.lake), arguments.entities, interval, run_id)
    what = ", ".join(f"{p.entity} ({p.summary.rows} rows)" if p.changed else f"{p.entity} (was already)" for p in done)
    return f"published {interval} of run {run_id}: {what}"


def _rollback(arguments: argparse.Namespace) -> str:
    interval = interval_of(arguments)
    settings = from_environment(SparkSettings)
    done = rollback(open_session(settings), settings, arguments.entities, interval)
    return f"rolled back {interval}: {'; '.join(map(str, done))}; run deftunes-dbt build to show it"


def _maintain(arguments: argparse.Namespace) -> str:
    settings = from_environment(SparkSettings)
    done = maintain(
        open_session(settings),
        settings,
        older_than_days=arguments.older_than_days,
        dry_run=arguments.dry_run,
        require_idle=arguments.when_quiet,
        allow_orphans=arguments.allow_orphans,
    )
    return f"{'would maintain' if arguments.dry_run else 'maintained'} {len(done)} tables: {'; '.join(map(str, done))}"


def _status(arguments: argparse.Namespace) -> str:
    settings = from_environment(SparkSettings)
    tables = status(open_session(settings), settings)
    if arguments.json:
        text = TypeAdapter(tuple[TableStatus, ...]).dump_json(tables, indent=2).decode()
    else:
        text = as_text(tables)
    sys.stdout.write(f"{text}\n")
    return f"{sum(table.rows is not None for table in tables)} of {len(tables)} tables are there"


def main(argv: Sequence[str] | None = None) -> int:
    """Run and return the exit code."""
    return run_stage("deftunes-lake", run, argv)


def console() -> None:
    """The console script and the container's entry point."""
    with session_of_process():
        run_console(main)


if __name__ == "__main__":
    console()
