"""What can be typed after ``deftunes-simulator``: commands, options, and their help with examples."""

from __future__ import annotations

import argparse
from pathlib import Path

from .config import WorldConfig
from .faults import GRAMMAR

_EXAMPLES = {
    "serve": """examples:
  deftunes-simulator serve
  deftunes-simulator serve --scale 1000000 --home /var/tmp/world --port 8000
  deftunes-simulator serve --fault sessions:http_429:1:times=2 --fault users:missing_column:0.05
  deftunes-simulator serve --songs-csv msd_subset_songs.csv.gz
""",
    "load-songs": """examples:
  deftunes-simulator load-songs --songs-dsn 'postgresql://loader@db.example:5432/deftunes' --songs 100000
  PGHOST=db.example PGUSER=loader deftunes-simulator load-songs --songs-csv songs.csv
A password comes from PGPASSWORD or ~/.pgpass, never from the command line.
""",
    "cloud": """example:
  deftunes-simulator cloud --port 5000 --bucket lake
  AWS_ENDPOINT_URL=http://127.0.0.1:5000 aws s3 ls
Everything is in memory and gone at the end. A stale commit to a Glue table is refused, as AWS does.
""",
    "database": """examples:
  deftunes-simulator database --name airflow --password-file password --home /var/tmp/airflow-database
  deftunes-simulator database --host 0.0.0.0 --port 5432 --name airflow --password-file password --home /data
Called again with the same --home it serves the same data, with the password the file then holds.
""",
    "faults": """example:
  deftunes-simulator faults
""",
}


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; the command's name is in ``command``."""
    made = argparse.ArgumentParser(
        prog="deftunes-simulator", description="A simulated music shop: HTTP API and songs database, seeded and real."
    )
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    helps = {
        "serve": "run API and PostgreSQL in the foreground until SIGINT or SIGTERM",
        "load-songs": "load deftunes.songs into an existing PostgreSQL",
        "database": "run a PostgreSQL of one's own in the foreground until SIGINT or SIGTERM",
        "cloud": "run S3 and Glue in memory in the foreground until SIGINT or SIGTERM",
        "faults": "list the kinds of faults",
    }
    each = {
        name: commands.add_parser(
            name,
            help=text,
            description=text[0].upper() + text[1:] + ".",
            epilog=_EXAMPLES[name],
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        for name, text in helps.items()
    }
    for name in ("serve", "load-songs"):
        _add_song_options(each[name])
    _add_world_options(each["serve"])
    _add_database_options(each["database"])
    add = each["cloud"].add_argument
    add("--host", default="127.0.0.1", metavar="ADDRESS", help="address to listen on, 0.0.0.0 in a pod (%(default)s)")
    add("--port", type=int, default=0, help="port (any free one)")
    add("--bucket", default="lake", metavar="NAME", help="a bucket that is there from the start (%(default)s)")
    add("--region", default="us-east-1", help="its region (%(default)s)")
    return made


def _add_song_options(parser: argparse.ArgumentParser) -> None:
    default = WorldConfig()
    add = parser.add_argument
    add("--seed", type=int, default=default.seed, help="same seed, same bytes (%(default)s)")
    add("--scale", type=int, default=default.scale, metavar="N", help="session items a month, about (%(default)s)")
    add("--songs", type=int, metavar="N", help="songs in the catalogue (a quarter of the scale, 200 to 1,000,000)")
    add("--songs-csv", type=Path, metavar="FILE", help="sell the songs of this CSV file (.gz too) instead")
    add(
        "--songs-dsn",
        metavar="DSN",
        help="existing PostgreSQL for deftunes.songs (serve: instead of a private "
        "one; load-songs: default from PGHOST, PGUSER, …)",
    )


def _add_world_options(parser: argparse.ArgumentParser) -> None:
    default = WorldConfig()
    add = parser.add_argument
    add("--first-month", default=default.first_month, metavar="YYYY-MM", help="first month (%(default)s)")
    add("--months", type=int, default=default.months, metavar="N", help="number of months (%(default)s)")
    add(
        "--empty-month",
        action="append",
        metavar="YYYY-MM",
        help="month without users and sessions; repeatable, "
        f"'none' for no such month ({', '.join(default.empty_months)})",
    )
    add(
        "--no-likes-month",
        action="append",
        metavar="YYYY-MM",
        help=f"month without any like; repeatable, 'none' for no such month ({', '.join(default.no_likes_months)})",
    )
    add("--fault", action="append", default=[], metavar="RULE", help=f"{GRAMMAR}; repeatable")
    add(
        "--plugin",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="Python file that adds endpoints and tables of one's own; repeatable",
    )
    add("--port", type=int, default=0, help="port of the API on loopback (any free one)")
    add("--songs-port", type=int, default=0, metavar="PORT", help="port of PostgreSQL on loopback (any free one)")
    add("--host", default=default.host, metavar="ADDRESS", help="address to listen on, 0.0.0.0 in a pod (%(default)s)")
    add(
        "--songs-password-file",
        type=Path,
        metavar="FILE",
        help="password of the account deftunes, with which other addresses may read the songs database",
    )
    add("--home", type=Path, metavar="DIR", help="folder for data and logs (a temporary one, removed at the end)")


def _add_database_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--host", default="127.0.0.1", metavar="ADDRESS", help="address to listen on, 0.0.0.0 in a pod (%(default)s)")
    add("--port", type=int, default=0, help="port (any free one)")
    add("--name", required=True, help="the database, made if it is not there")
    add("--user", help="account that owns it (the database's name)")
    add(
        "--password-file",
        required=True,
        type=Path,
        metavar="FILE",
        help="the account's password, asked from everywhere",
    )
    add("--home", required=True, type=Path, metavar="DIR", help="folder for data and log, kept at the end")
