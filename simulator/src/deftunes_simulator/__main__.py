"""Command line of the simulator: ``deftunes-simulator serve | load-songs | database | cloud | faults``.

argv ─► WorldConfig ─► one call ─► exit code: 0 done · 1 bug · 2 usage or configuration · 75 temporary.
"""

from __future__ import annotations

import argparse
import os
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

from .arguments import parser
from .catalogue import stream_songs
from .config import WorldConfig
from .database import OwnDatabase
from .errors import ConfigError, DatabaseUnavailable, WorldUnavailable
from .faults import FIELDS, GRAMMAR, KINDS
from .postgres import claim
from .songs_table import load_songs
from .world import start_world

EXIT_USAGE = 2
EXIT_TEMPORARY = 75
_WATCH_SECONDS = 1.0


def _say(text: str, stream: TextIO | None = None, end: str = "\n") -> None:
    stream = stream or sys.stdout
    stream.write(text + end)
    stream.flush()


def _complain(text: str) -> None:
    _say(f"deftunes-simulator: {' '.join(text.split())}", sys.stderr)  # libpq breaks its messages into lines


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


def _password(file: Path, option: str) -> str:
    try:
        password = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{option}: expected a readable file, found: {error}") from error
    if not password:
        raise ConfigError(f"{option}: expected a password in {file}, found an empty file")
    return password


def _until_told() -> threading.Event:
    """Return what is set by Ctrl-C or SIGTERM."""
    leave = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: leave.set())
    return leave


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
        plugins=tuple(file.resolve() for file in arguments.plugin),
        api_port=arguments.port,
        songs_port=arguments.songs_port,
        host=arguments.host,
    )
    file = arguments.songs_password_file
    password = _password(file, "--songs-password-file") if file is not None else None
    dsn = _checked_dsn(arguments.songs_dsn)
    if dsn is not None and password is not None:
        raise ConfigError("--songs-password-file: expected no --songs-dsn beside it, whose server has its own accounts")
    leave = _until_told()
    with ExitStack() as stack:
        # PostgreSQL's files belong to another user when root runs this; root may remove them all the same.
        home = arguments.home or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="deftunes-world-")))
        world = stack.enter_context(
            start_world(config, home, songs_dsn=dsn, songs_password=password, progress=_progress())
        )
        _say(f"API    {world.api_url}  (interactive documentation at /docs)")
        _say(f"SONGS  {world.shown_dsn}  (deftunes.songs, {world.song_count:,} rows)")
        _say(f"LOG    {world.api_log}")
        _say("Serving; stop with Ctrl-C or SIGTERM.")
        while not leave.wait(_WATCH_SECONDS):
            if not world.alive:
                raise WorldUnavailable(f"the API ended by itself; see {world.api_log}")
    _say("Stopped: API and PostgreSQL have ended.")
    return 0


def _database(arguments: argparse.Namespace) -> int:
    password = _password(arguments.password_file, "--password-file")
    home = arguments.home.resolve()
    server = OwnDatabase(
        home, arguments.port, arguments.host, arguments.name, arguments.user or arguments.name, password
    )
    leave = _until_told()
    with claim(home, "world or database"), ExitStack() as stack:
        stack.callback(server.stop)  # called when the start fails half-way, too
        server.start()
        _say(f"DATABASE  {server.dsn}  (password from {arguments.password_file})")
        _say(f"LOG       {server.log}")
        _say("Serving; stop with Ctrl-C or SIGTERM.")
        while not leave.wait(_WATCH_SECONDS):
            if server.pid is None:
                raise DatabaseUnavailable(f"PostgreSQL ended by itself; see {server.log}")
    _say(f"Stopped: PostgreSQL has ended; its data stay in {server.pgdata}.")
    return 0


def _cloud(arguments: argparse.Namespace) -> int:
    try:
        from .cloud import cloud  # moto is an extra of its own: a shop needs none of it
    except ModuleNotFoundError as error:
        raise ConfigError(f"cloud: expected the extra deftunes-simulator[cloud] to be installed; {error}") from error

    leave = _until_told()
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
    arguments = parser().parse_args(argv)
    commands = {"serve": _serve, "load-songs": _load, "database": _database, "cloud": _cloud, "faults": _list_faults}
    command = commands[arguments.command]
    try:
        return command(arguments)
    except ConfigError as error:
        _complain(str(error))
        return EXIT_USAGE
    except (DatabaseUnavailable, WorldUnavailable) as error:
        _complain(f"{error}; try again")
        return EXIT_TEMPORARY


def console() -> None:
    """Entry point of the ``deftunes-simulator`` script; its files are private without DEFTUNES_SHARE_FILES."""
    if os.environ.get("DEFTUNES_SHARE_FILES", "").strip().lower() not in ("1", "true", "yes", "on"):
        os.umask(0o077)
    sys.exit(main())


if __name__ == "__main__":
    console()
