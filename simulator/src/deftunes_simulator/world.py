"""A running world: the API in a process of its own, PostgreSQL with the songs, and how both end.

with start_world(WorldConfig(seed=7), home) as world:   # about two seconds
    requests.get(f"{world.api_url}/sessions?start_date=2020-01-01&end_date=2020-01-31")
    psycopg.connect(world.songs_dsn)
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from .catalogue import stream_songs
from .config import WorldConfig
from .database import SongsDatabase
from .errors import ConfigError, WorldUnavailable
from .plugins import add_tables
from .postgres import LOOPBACK, claim, data_folder
from .songs_table import load_songs

_START_SECONDS = 60
_STOP_SECONDS = 5


class World:
    """A world that runs until `stop` or the end of its ``with`` block, and not longer than this process."""

    def __init__(
        self, config: WorldConfig, home: Path, songs_dsn: str | None = None, songs_password: str | None = None
    ) -> None:
        """Describe a world; `start` starts it."""
        self.config = config
        self.home = home.resolve()
        self.database = None
        if songs_dsn is None:
            self.database = SongsDatabase(data_folder(self.home), config.songs_port, config.host, songs_password)
        self._foreign_dsn = songs_dsn
        self._api: subprocess.Popen[str] | None = None
        self._api_port = 0
        self._report: IO[bytes] | None = None
        self._lock: IO[str] | None = None
        self.song_count = 0

    @property
    def api_url(self) -> str:
        """Base URL of the API, without a slash at the end."""
        return f"http://{LOOPBACK if self.config.host == '0.0.0.0' else self.config.host}:{self._api_port}"

    @property
    def songs_dsn(self) -> str:
        """libpq URI (or connection string) with which ``deftunes.songs`` is read; a secret, it may hold a password."""
        return self.database.reader_dsn if self.database is not None else self._foreign_dsn or ""

    @property
    def owner_dsn(self) -> str:
        """The same for who writes there; a secret."""
        return self.database.dsn if self.database is not None else self._foreign_dsn or ""

    @property
    def shown_dsn(self) -> str:
        """The same as ``songs_dsn`` for people: a file holds the password."""
        return self.database.shown_dsn if self.database is not None else self._foreign_dsn or ""

    @property
    def api_pid(self) -> int | None:
        """Process id of the API."""
        return self._api.pid if self._api is not None else None

    @property
    def api_log(self) -> Path:
        """Where the API process writes its log."""
        return self.home / "api.log"

    def start(self, progress: Callable[[int], None] | None = None) -> World:
        """Start both services and load the songs; on an error nothing keeps running.

        Raises ConfigError, WorldUnavailable or DatabaseUnavailable.
        """
        self._lock = claim(self.home, "world")
        try:
            self._report = self._launch_api()  # it starts up while PostgreSQL does
            if self.database is not None:
                self.database.start()
                self._tell_api({"pgdata": str(self.database.pgdata), "postmaster": self.database.pid})
            self._api_port = self._await_api(self._report)
            self.song_count = load_songs(self.owner_dsn, stream_songs(self.config), progress)
            if self.config.plugins:
                add_tables(self.config.plugins, self.owner_dsn, self.config)
            self._tell_api({"songs_loaded": self.song_count})
        except BaseException:
            self.stop()
            raise
        return self

    @property
    def alive(self) -> bool:
        """Tell whether the API process still runs."""
        return self._api is not None and self._api.poll() is None

    def stop(self) -> None:
        """Stop both services; calling it again does nothing."""
        try:
            # Without the lock the folder, and a server in it, may be another world's.
            if self.database is not None and self._lock is not None:
                self.database.discard()
        finally:
            if self._api is not None:
                _terminate(self._api)
                self._api = None
            if self._report is not None:
                self._report.close()
            if self._lock is not None:
                self._lock.close()
            self._report = self._lock = None

    def set_faults(self, faults: Sequence[str | Mapping[str, Any]]) -> dict[str, Any]:
        """Replace the API's fault rules (text in the grammar of --fault, or objects); [] removes all."""
        return self._call("PUT", json.dumps(list(faults)).encode())

    def faults(self) -> dict[str, Any]:
        """Return the fault rules with the counts of what they did."""
        return self._call("GET", None)

    def __enter__(self) -> World:
        """Return the world itself, which is already running."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the world."""
        self.stop()

    def _call(self, method: str, body: bytes | None) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{self.api_url}/_faults", data=body, method=method, headers={"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as reply:
                answer: dict[str, Any] = json.load(reply)
                return answer
        except urllib.error.HTTPError as error:
            raise ConfigError(f"the API refused the faults: {error.read().decode()}") from error

    def _launch_api(self) -> IO[bytes]:
        """Start the API process; return the pipe on which it will report its port."""
        report, report_end = os.pipe()
        with self.api_log.open("ab") as log:
            self._api = subprocess.Popen(
                [sys.executable, "-m", f"{__package__}.server", str(report_end)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                text=True,
                pass_fds=[report_end],
                start_new_session=True,  # Ctrl-C is for the parent, which ends the API in order
            )
        os.close(report_end)
        self._tell_api({"config": self.config.to_json()})
        return os.fdopen(report, "rb", buffering=0)

    def _tell_api(self, message: dict[str, Any]) -> None:
        if self._api is None or self._api.stdin is None:
            return
        with suppress(BrokenPipeError):  # it died; _await_api tells why
            self._api.stdin.write(json.dumps(message) + "\n")
            self._api.stdin.flush()

    def _await_api(self, report: IO[bytes]) -> int:
        deadline = time.monotonic() + _START_SECONDS
        text = b""
        while select.select([report], [], [], max(0.0, deadline - time.monotonic()))[0]:
            part = report.read(4096)
            if not part:
                break
            text += part
        answer = json.loads(text or b"{}")
        if "error" in answer:
            raise ConfigError(answer["error"])
        if "port" not in answer:
            raise WorldUnavailable(f"the API did not start within {_START_SECONDS} s; see {self.api_log}")
        return int(answer["port"])


def _terminate(api: subprocess.Popen[str]) -> None:
    """Close the pipe that keeps the API alive; kill it if it does not leave."""
    if api.stdin is not None:
        with suppress(BrokenPipeError):
            api.stdin.close()
    try:
        api.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        api.kill()
        api.wait()


def start_world(
    config: WorldConfig,
    home: Path,
    *,
    songs_dsn: str | None = None,
    songs_password: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> World:
    """Start a world and return it; use it in a ``with`` block or call `World.stop`.

    ``home`` keeps the API's log and PostgreSQL's data (root's lie elsewhere, see `database.data_folder`). Starting
    again in the same folder is fine, two worlds at once in one folder are refused. With ``songs_dsn`` the songs go
    to that database instead of a private server. ``songs_password`` is what the account ``deftunes`` of the private
    server must bring from another address than loopback; without it no other address may connect. ``progress`` is
    called with the number of song rows loaded so far. Raises ConfigError (the description is wrong),
    WorldUnavailable or DatabaseUnavailable (try again, read the log).
    """
    return World(config, home, songs_dsn, songs_password).start(progress)
