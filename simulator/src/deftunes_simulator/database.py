"""The databases of an evaluation: a world's songs, and one of one's own, each on a PostgreSQL server of its own."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql

from .errors import ConfigError
from .postgres import LOOPBACK, Server, data_folder, postmaster_pid

__all__ = ["OwnDatabase", "SongsDatabase", "data_folder", "postmaster_pid", "stop_leftover"]

DATABASE = "deftunes"
READER = "deftunes"
"""Account that reads the songs, with a password."""
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

        ``password``: of the account ``deftunes``, which may then read from any address that ``host`` lets in; without
        one it reads from this machine, by a password of chance.
        """
        super().__init__(pgdata, port, host)
        self._is_public = password is not None
        self._password = password or secrets.token_hex(16)
        self._owner_password = secrets.token_hex(16)

    @property
    def dsn(self) -> str:
        """libpq URI of the superuser, with a password that only this process knows: never to be shown."""
        return f"postgresql://postgres:{self._owner_password}@{LOOPBACK}:{self.port}/{DATABASE}"

    @property
    def reader_dsn(self) -> str:
        """libpq URI of who may read and nothing else, with the password: for an environment or a file."""
        return f"postgresql://{READER}:{quote(self._password, safe='')}@{LOOPBACK}:{self.port}/{DATABASE}"

    @property
    def shown_dsn(self) -> str:
        """The reader's URI for people: its password stands in a file that only the owner of this process may read."""
        file = quote(str(self._passfile), safe="/")
        return f"postgresql://{READER}@{LOOPBACK}:{self.port}/{DATABASE}?passfile={file}"

    @property
    def _passfile(self) -> Path:
        return (self.private or self.pgdata) / "pgpass"

    def discard(self) -> None:
        """Stop the server, and remove data that lie outside of the world's folder; they are loaded anew anyway."""
        self.stop()
        if os.geteuid() == 0:
            shutil.rmtree(self.pgdata, ignore_errors=True)
            self._server = None

    def _admitted(self) -> list[str]:
        """Everybody with a password; from other addresses only the reader, when it was given one."""
        lines = ["host all all 127.0.0.1/32 scram-sha-256"]
        if self._is_public:
            lines.append(f"host {DATABASE} {READER} all scram-sha-256")
        return lines

    def _fill(self, connection: psycopg.Connection[Any]) -> None:
        if not _owner_of(connection, DATABASE):
            connection.execute(f"create database {DATABASE}")  # a constant, not input
        _set_account(connection, "postgres", self._owner_password)
        _set_account(connection, READER, self._password)
        with psycopg.connect(self._owner_dsn(DATABASE), autocommit=True) as songs:
            _let_read(songs, READER)
        escaped = self._password.replace("\\", "\\\\").replace(":", "\\:")
        with os.fdopen(os.open(self._passfile, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(f"*:*:{DATABASE}:{READER}:{escaped}\n")


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
        """The account with its password, from loopback too."""
        return [f'host "{self._name}" "{self._user}" all scram-sha-256']  # quoted: `all` is a word of this file

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


def _let_read(connection: psycopg.Connection[Any], user: str) -> None:
    """Let a role read what the superuser makes in this database, and not the catalogs with hashes of passwords."""
    role = sql.Identifier(user)
    for what in ("usage on schemas", "select on tables"):
        connection.execute(sql.SQL("alter default privileges grant {} to {}").format(sql.SQL(what), role))
    for [name] in connection.execute("select nspname from pg_namespace where nspname = 'deftunes'").fetchall():
        schema = sql.Identifier(name)
        connection.execute(sql.SQL("grant usage on schema {} to {}").format(schema, role))
        connection.execute(sql.SQL("grant select on all tables in schema {} to {}").format(schema, role))


def _set_account(connection: psycopg.Connection[Any], user: str, password: str) -> None:
    """Give a role, made if need be, this password."""
    role = sql.Identifier(user)
    if not connection.execute("select 1 from pg_roles where rolname = %s", [user]).fetchone():
        connection.execute(sql.SQL("create role {} login").format(role))
    # hashed here: the server logs a statement that fails
    verifier = connection.pgconn.encrypt_password(password.encode(), user.encode(), b"scram-sha-256").decode()
    connection.execute(sql.SQL("alter role {} password {}").format(role, sql.Literal(verifier)))
