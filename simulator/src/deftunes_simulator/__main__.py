"""Command line of the simulator: ``deftunes-simulator serve | load-songs | cloud | faults``.

argv ─► WorldConfig ─► one call ─► exit code: 0 done · 1 bug · 2 usage or configuration · 75 temporary.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

import psycopg
from psycopg.conninfo import conninfo_to_dict

from .catalogue import stream_songs
from .config import WorldConfig
from .errors import ConfigError, DatabaseUnavailable, WorldUnavailable
from .faults import FIELDS, GRAMMAR, KINDS
from .songs_table import load_songs
from .world import start_world

EXIT_USAGE = 2
EXIT_TEMPORARY = 75
_WATCH_SECONDS = 1.0

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
    "faults": """example:
  deftunes-simulator faults
""",
}


def _say(text: str, stream: TextIO | None = None, end: str = "\n") -> None:
    stream = stream or sys.stdout
    stream.write(text + end)
    stream.flush()


def _complain(text: str) -> None:
    _say(f"deftunes-simulator: {' '.join(text.split())}", sys.stderr)  # libpq breaks its messages into lines


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="deftunes-simulator", description="A simulated music shop: HTTP API and songs database, seeded and real."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    helps = {
        "serve": "run API and PostgreSQL in the foreground until SIGINT or SIGTERM",
        "load-songs": "load deftunes.songs into an existing PostgreSQL",
        "cloud": "run S3 and Glue in memory in the foreground until SIGINT or SIGTERM",
        "faults": "list the kinds of faults",
    }
    made = {
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
        _add_song_options(made[name])
    _add_world_options(made["serve"])
    add = made["cloud"].add_argument
    add("--host", default="127.0.0.1", metavar="ADDRESS", help="address to listen on, 0.0.0.0 in a pod (%(default)s)")
    add("--port", type=int, default=0, help="port (any free one)")
    add("--bucket", default="lake", metavar="NAME", help="a bucket that is there from the start (%(default)s)")
    add("--region", default="us-east-1", help="its region (%(default)s)")
    return parser


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


def _months(given: list[str] | None, default: tuple[str, ...]) -> tuple[str, ...]:
    if given is None:
        return default
    return tuple(month for month in given if month != "none")


def _checked_dsn(dsn: str | None) -> str | None:
    """Refuse connection strings that cannot be read or that carry a password."""
    if dsn is None:
        return None
    try:
        parts = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError as error:
        raise ConfigError(f"--songs-dsn: expected a libpq URI or key=value string; {error}") from error
    if parts.get("password"):
        raise ConfigError(
            "--songs-dsn holds a password, which other users can see in the process list; "
            "put it into PGPASSWORD or ~/.pgpass"
        )
    return dsn


def _password(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        password = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--songs-password-file: expected a readable file, found: {error}") from error
    if not password:
        raise ConfigError(f"--songs-password-file: expected a password in {file}, found an empty file")
    return password


def _progress() -> Callable[[int], None] | None:
    if not sys.stderr.isatty():
        return None
    return lambda count: _say(f"songs loaded: {count:,}", sys.stderr, end="\r")


def _serve(arguments: argparse.Namespace) -> int:
    default = WorldConfig()
    config = WorldConfig(
        seed=arguments.seed,
        scale=arguments.scale,
        songs=arguments.songs,
        first_month=arguments.first_month,
        months=arguments.months,
        empty_months=_months(arguments.empty_month, default.empty_months),
        no_likes_months=_months(arguments.no_likes_month, default.no_likes_months),
        songs_csv=arguments.songs_csv,
        faults=tuple(arguments.fault),
        api_port=arguments.port,
        songs_port=arguments.songs_port,
        host=arguments.host,
    )
    password = _password(arguments.songs_password_file)
    dsn = _checked_dsn(arguments.songs_dsn)
    if dsn is not None and password is not None:
        raise ConfigError("--songs-password-file: expected no --songs-dsn beside it, whose server has its own accounts")
    leave = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: leave.set())
    with ExitStack() as stack:
        # PostgreSQL's files belong to another user when root runs this; root may remove them all the same.
        home = arguments.home or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="deftunes-world-")))
        world = stack.enter_context(
            start_world(config, home, songs_dsn=dsn, songs_password=password, progress=_progress())
        )
        _say(f"API    {world.api_url}  (interactive documentation at /docs)")
        _say(f"SONGS  {world.songs_dsn}  (deftunes.songs, {world.song_count:,} rows)")
        _say(f"LOG    {world.api_log}")
        _say("Serving; stop with Ctrl-C or SIGTERM.")
        while not leave.wait(_WATCH_SECONDS):
            if not world.alive:
                raise WorldUnavailable(f"the API ended by itself; see {world.api_log}")
    _say("Stopped: API and PostgreSQL have ended.")
    return 0


def _cloud(arguments: argparse.Namespace) -> int:
    try:
        from .cloud import cloud  # moto is an extra of its own: a shop needs none of it
    except ModuleNotFoundError as error:
        raise ConfigError(f"cloud: expected the extra deftunes-simulator[cloud] to be installed; {error}") from error

    leave = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: leave.set())
    with cloud(arguments.host, arguments.port, arguments.bucket, arguments.region) as running:
        _say(f"S3 and Glue  {running.endpoint}  (bucket {running.bucket}); stop with Ctrl-C or SIGTERM.")
        leave.wait()
    return 0


def _load(arguments: argparse.Namespace) -> int:
    config = WorldConfig(
        seed=arguments.seed, scale=arguments.scale, songs=arguments.songs, songs_csv=arguments.songs_csv
    )
    dsn = _checked_dsn(arguments.songs_dsn) or ""
    count = load_songs(dsn, stream_songs(config), _progress())
    _say(f"Loaded {count:,} songs into deftunes.songs.")
    return 0


def _list_faults(_: argparse.Namespace) -> int:
    _say(f"{GRAMMAR}\n")
    for kind in KINDS.values():
        options = ", ".join(("times", *kind.options))
        _say(f"{kind.name:<20}{kind.level:<9}{'|'.join(kind.endpoints):<16}{kind.explanation}")
        _say(f"{'':20}options: {options}")
    _say("\nPROBABILITY is per request (default 1) or per record (default 0.1); times=N limits a rule to the first N")
    _say("requests. A request fault that breaks a reply does so at record=N (default: drawn, below 20).")
    for endpoint, names in FIELDS.items():
        _say(f"Fields of {endpoint}: {', '.join(names)}")
    _say("At run time: GET, PUT (JSON list of rules, as text or objects) and DELETE /_faults.")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    arguments = _parser().parse_args(argv)
    command = {"serve": _serve, "load-songs": _load, "cloud": _cloud, "faults": _list_faults}[arguments.command]
    try:
        return command(arguments)
    except ConfigError as error:
        _complain(str(error))
        return EXIT_USAGE
    except (DatabaseUnavailable, WorldUnavailable) as error:
        _complain(f"{error}; try again")
        return EXIT_TEMPORARY


def console() -> None:
    """Entry point of the ``deftunes-simulator`` script."""
    sys.exit(main())


if __name__ == "__main__":
    console()
