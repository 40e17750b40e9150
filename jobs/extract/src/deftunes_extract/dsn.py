"""A database's DSN by libpq's own rules, and the part of it that may be shown.

DSN + PG* ─► libpq's parser ─► options, hosts, a name without user and password

A DSN that is written wrongly often parses: the tail of an unescaped password becomes the host or the database. Whatever
looks like that is refused before anything is shown or connected to.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from urllib.parse import unquote

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict

from deftunes_contract.errors import UsageError
from deftunes_contract.hosts import is_loopback
from deftunes_contract.redaction import register, register_login, register_userinfo

_URI = re.compile(r"^postgres(?:ql)?://(?P<rest>.*)$", re.DOTALL)
_HOST = re.compile(r"[\w.%:\-]+|/.*|@.*")
"""Names, addresses with a zone, socket folders, abstract sockets."""
_VERIFYING = ("verify-ca", "verify-full")
_SECRETS = ("password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key")
_HOW = (
    "write it as postgresql://user@host:5432/database with every @ / # % : ? of a password percent-encoded (@ is %40, "
    "/ is %2F), or give the password by PGPASSWORD or PGPASSFILE"
)


@dataclass(frozen=True)
class Dsn:
    """A DSN that libpq understands. `given` is what it says, `defaults` what PG* and libpq add.

    variable: the setting that holds it, for messages.
    """

    given: dict[str, str]
    defaults: dict[str, str]
    variable: str

    @classmethod
    def parse(cls, text: str, variable: str) -> Dsn:
        """Read a DSN. Raises UsageError, which shows nothing of it."""
        register_userinfo(text)
        try:
            given = {name: str(value) for name, value in conninfo_to_dict(text).items() if value is not None}
        except (psycopg.Error, UnicodeError):
            # libpq's own message would quote the secret
            raise UsageError(f"{variable}: expected a libpq URI, found another form; {_HOW}") from None
        for name in _SECRETS:
            register(given.get(name))
        register_login(given.get("user"), given.get("password"))
        found = cls(given, _defaults(), variable)
        found._check_password_encoding(text)
        return found

    def value(self, option: str) -> str:
        """An option as libpq will use it, empty when nobody sets it."""
        return self.given.get(option) or self.defaults.get(option) or ""

    @property
    def targets(self) -> list[tuple[str, str, str]]:
        """Host, address and port of each server, in the order of the DSN. Raises UsageError for a wrong port."""
        hosts, addresses = self.value("host").split(","), self.value("hostaddr").split(",")
        ports = self.value("port").split(",")
        number = max(len(hosts), len(addresses))
        for name, values in (("host", hosts), ("hostaddr", addresses), ("port", ports)):
            if len(values) not in (1, number) or (name != "port" and values != [""] and len(values) != number):
                raise UsageError(
                    f"{self.setter(name)}: expected {number} values, as many as there are servers, found {len(values)}"
                )
        if not all(p == "" or (p.isascii() and p.isdecimal() and 0 < int(p) < 65536) for p in ports):
            raise UsageError(f"{self.setter('port')}: expected ports from 1 to 65535, found another form; {_HOW}")
        widened = (values * number if len(values) == 1 else values for values in (hosts, addresses, ports))
        return [(host, address, port or "5432") for host, address, port in zip(*widened, strict=True)]

    @property
    def display(self) -> str:
        """Servers and database, for messages and receipts; no user, no password."""
        database = self.value("dbname")
        first, *others = self.targets
        if first[0].startswith(("/", "@")):
            return f"postgresql:///{database}?host={self.value('host')}"
        shown = ",".join(f"{host or address or 'localhost'}:{port}" for host, address, port in (first, *others))
        return f"postgresql://{shown}/{database}"

    def setter(self, option: str) -> str:
        """The variable that sets an option: one of PG*, or the DSN's."""
        variable = _variables().get(option, "")
        return variable if option not in self.given and os.environ.get(variable) else self.variable

    def check_verified(self, allowed: bool) -> None:
        """Raise UsageError when a server elsewhere need not prove who it is and nobody has allowed that."""
        if allowed or self.value("sslmode") in _VERIFYING or self.value("sslrootcert") == "system":
            return
        for host, address, _ in self.targets:
            # without a host and an address, libpq takes a socket or this machine
            if not all(part == "" or part.startswith(("/", "@")) or is_loopback(part) for part in (host, address)):
                raise UsageError(
                    f"{self.setter('sslmode')}: expected sslmode=verify-full for the server {host or address}, found "
                    f"sslmode={self.value('sslmode') or 'prefer'}, by which anybody on the way can take its place; add "
                    "sslmode=verify-full and sslrootcert=FILE (or system), or for a trial set "
                    "DEFTUNES_ALLOW_UNVERIFIED=true"
                )

    def _check_password_encoding(self, text: str) -> None:
        """Refuse a URI whose password has spilled over into host, port or database."""
        uri = _URI.match(text.strip())
        if not uri:
            return
        authority, _, behind = uri["rest"].partition("/")
        login, at, servers = authority.rpartition("@")
        hosts = [host for host in self.given.get("host", "").split(",") if host]
        clean = all(_HOST.fullmatch(host) for host in hosts) and not re.search(r"[@#]", unquote(servers))
        # a raw @ left of the last one of the authority, or anywhere behind it, was meant to be part of a password
        if not clean or "@" in login or "@" in behind or (at and "?" in login):
            raise UsageError(f"{self.variable}: expected one @, between user and host, found another form; {_HOW}")


def _defaults() -> dict[str, str]:
    """Options by PG*, by a service and by libpq itself."""
    try:
        return {o.keyword.decode(): o.val.decode() for o in pq.Conninfo.get_defaults() if o.val is not None}
    except (MemoryError, UnicodeDecodeError):  # libpq gives nothing at all when it cannot read the service
        raise UsageError(
            "PGSERVICE: expected a service that PGSERVICEFILE or ~/.pg_service.conf defines, found none that can be "
            "read; correct the two, or unset PGSERVICE"
        ) from None


def _variables() -> dict[str, str]:
    """PG* by option."""
    return {
        option.keyword.decode(): option.envvar.decode()
        for option in pq.Conninfo.parse(b"")
        if option.envvar is not None
    }
