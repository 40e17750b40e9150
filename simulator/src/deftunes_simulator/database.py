"""The databases of an evaluation: a world's songs, and one of one's own, each on a PostgreSQL server of its own."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from .errors import ConfigError
from .postgres import LOOPBACK, Server, data_folder, postmaster_pid

__all__ = ["OwnDatabase", "SongsDatabase", "data_folder", "postmaster_pid", "stop_leftover"]

DATABASE = "deftunes"
READER = "deftunes"
"""Account that may read from other addresses, with a password."""
# A simulated source may lose its last seconds in a power cut; it is loaded anew anyway.
_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_TAKEN = ("postgres", "public", "none", "template0", "template1")


def stop_leftover(pgdata: Path, pid: int) -> None:
    """Stop the server of a data folder if it still is the process ``pid``; used when its owner died."""
    if postmaster_pid(pgdata) == pid:
        SongsDatabase(pgdata, 0).discard()


class SongsDatabase(Server):
    """A PostgreSQL server with the database ``deftunes``."""

    port_option = "songs_port"
    settings = _FAST

    def __init__(self, pgdata: Path, port: int, host: str = LOOPBACK, password: str | None = None) -> None:
        """Name a server; nothing is started. ``port`` 0 = choose a free one at the start.

        ``password``: of the account ``deftunes``, which may read from any address that ``host`` lets in.
        """
        super().__init__(pgdata, port, host)
        self._password = password

    @property
    def dsn(self) -> str:
        """libpq URI; the server trusts loopback, so it holds no password."""
        return self._owner_dsn(DATABASE)

    def discard(self) -> None:
        """Stop the server, and remove data that lie outside of the world's folder; they are loaded anew anyway."""
        self.stop()
        if os.geteuid() == 0:
            shutil.rmtree(self.pgdata, ignore_errors=True)
            self._server = None

    def _admitted(self) -> list[str]:
        """Loopback as ever, other addresses only with the reader's password."""
        lines = ["host all all 127.0.0.1/32 trust"]
        if self._password is not None:
            lines.append(f"host {DATABASE} {READER} all scram-sha-256")
        return lines

    def _fill(self, connection: psycopg.Connection[Any]) -> None:
        if not _owner_of(connection, DATABASE):
            connection.execute(f"create database {DATABASE}")  # a constant, not input
        if self._password is not None:
            _set_account(connection, READER, self._password, "in role pg_read_all_data")


class OwnDatabase(Server):
    """A PostgreSQL server with one database and the account that owns it, e.g. for Airflow's metadata."""

    port_option = "--port"

    def __init__(self, home: Path, port: int, host: str, name: str, user: str, password: str) -> None:
        """Name a server; nothing is started. ``port`` 0 = choose a free one at the start.

        ``home`` keeps the data (root's lie elsewhere, see `postgres.data_folder`). Raises ConfigError when ``name``
        or ``user`` is none.
        """
        for option, given in (("--name", name), ("--user", user)):
            if not _IDENTIFIER.fullmatch(given) or given.startswith("pg_") or given in _TAKEN:
                raise ConfigError(
                    f"{option}: expected small letters, digits and _, at most 63, no name of PostgreSQL's own "
                    f"({', '.join(_TAKEN)}, pg_…), found {given!r}"
                )
        super().__init__(data_folder(home, "database"), port, host)
        self._name, self._user, self._password = name, user, password

    @property
    def dsn(self) -> str:
        """libpq URI without the password, which a client takes from PGPASSWORD or ~/.pgpass."""
        return f"postgresql://{self._user}@{LOOPBACK if self.host == '0.0.0.0' else self.host}:{self.port}/{self._name}"

    def _admitted(self) -> list[str]:
        """The account with its password, from loopback too; the superuser, who sets it, from loopback alone."""
        return [
            "host all postgres 127.0.0.1/32 trust",
            f'host "{self._name}" "{self._user}" all scram-sha-256',  # quoted: `all` is a word of this file
        ]

    def _fill(self, connection: psycopg.Connection[Any]) -> None:
        owner = _owner_of(connection, self._name)
        if owner not in (None, self._user):
            raise ConfigError(
                f"--user: expected {owner}, who owns the database {self._name} in {self.pgdata}, found {self._user}; "
                "name the owner or choose another folder"
            )
        _set_account(connection, self._user, self._password)
        if owner is None:
            name, user = sql.Identifier(self._name), sql.Identifier(self._user)
            connection.execute(sql.SQL("create database {} owner {}").format(name, user))


def _owner_of(connection: psycopg.Connection[Any], name: str) -> str | None:
    """Return who owns a database, None when there is none of that name."""
    select = "select pg_get_userbyid(datdba)::text from pg_database where datname = %s"
    found = connection.execute(select, [name]).fetchone()
    return str(found[0]) if found else None


def _set_account(connection: psycopg.Connection[Any], user: str, password: str, options: LiteralString = "") -> None:
    """Give a role, made if need be with ``options`` of CREATE ROLE, this password."""
    role = sql.Identifier(user)
    if not connection.execute("select 1 from pg_roles where rolname = %s", [user]).fetchone():
        connection.execute(sql.SQL("create role {} login ").format(role) + sql.SQL(options))
    # hashed here: the server logs a statement that fails
    verifier = connection.pgconn.encrypt_password(password.encode(), user.encode(), b"scram-sha-256").decode()
    connection.execute(sql.SQL("alter role {} password {}").format(role, sql.Literal(verifier)))
