"""A connection to PostgreSQL, whose faults are told apart by codes and never by words.

options ─► libpq's check against a port of ours ─► names resolved ─► connect, traced ─► connection
                                                                    └► why not: usage (2) or a fault that may pass (75)

libpq gives a failed connection no code, only a text in the language of server and process. But its trace of the
protocol holds the server's SQLSTATE, and a look at the socket tells whether the server has hung up, or libpq did not
like what it said (certificate, method of authentication, no TLS).
"""

from __future__ import annotations

import os
import re
import select
import socket
import sys
import time

import psycopg
from psycopg import pq
from psycopg.conninfo import make_conninfo

from deftunes_contract.errors import UsageError
from deftunes_contract.redaction import register
from deftunes_extract.dsn import Dsn
from deftunes_extract.source import SourceError

_SERVER = ("host", "hostaddr", "port")
_TEMPORARY_CLASSES = frozenset({"08", "25", "40", "53", "57", "58", "XX"})
"""Classes of SQLSTATE that pass by themselves: connection, transaction, resources, operator, system, internal."""
_LASTING = frozenset({"08004", "08P01", "25006", "57P04"})
"""Codes of these classes that do not: refused for good, another protocol, a write, database dropped."""
_SQLSTATE = re.compile(rb'^B\t\d+\tErrorResponse\t S "[^"]*"(?: V "[^"]*")? C "([0-9A-Z]{5})"', re.MULTILINE)
_NO_TLS = re.compile(rb"^B\t\d+\tSSLResponse\t N", re.MULTILINE)
_TLS = re.compile(rb"^B\t\d+\tSSLResponse\t S", re.MULTILINE)
_ALERT, _ENCRYPTED, _ALERT_LENGTH = 0x15, 0x17, b"\x00\x13"
"""Types of TLS records, and how long an alert is that TLS 1.3 encrypts."""
_STARTUP = re.compile(rb"^F\t\d+\tStartupMessage", re.MULTILINE)


def is_temporary(sqlstate: str) -> bool:
    """Whether what a server's error code says may pass by itself."""
    return sqlstate[:2] in _TEMPORARY_CLASSES and sqlstate not in _LASTING


def connect(dsn: Dsn, name: str, seconds: float) -> psycopg.Connection:
    """Connect to the first server that lets us. Raises UsageError or, for what may pass, SourceError.

    `seconds` is for each address, unless the DSN or PGCONNECT_TIMEOUT has another. `name` is for messages.
    """
    defaults = {
        "application_name": "deftunes-extract",
        # a peer that vanished without a word is noticed within a minute
        "keepalives_idle": "20",
        "keepalives_interval": "10",
        "keepalives_count": "3",
    }
    options = {o: v for o, v in {**defaults, **dsn.given}.items() if o not in _SERVER} | {"client_encoding": "UTF8"}
    _check_options(dsn, options)
    faults: list[UsageError | SourceError] = []
    for target in _addresses(dsn, name, faults):
        attempt = _Attempt(make_conninfo("", **options, **target), _timeout(dsn, seconds))
        if attempt.connect():
            register(attempt.pgconn.password.decode("utf-8", "replace"))
            attempt.pgconn.nonblocking = 1
            return psycopg.Connection(attempt.pgconn)
        faults.append(attempt.error(name, dsn.variable))
    # one server of several may come back
    raise next((fault for fault in faults if isinstance(fault, SourceError)), faults[-1])


def _addresses(dsn: Dsn, name: str, faults: list[UsageError | SourceError]) -> list[dict[str, str]]:
    """Each address to try; what cannot be resolved is added to the faults."""
    found = []
    for host, address, port in dsn.targets:
        if address or not host or host.startswith(("/", "@")):
            found.append({"host": host, "hostaddr": address, "port": port})
            continue
        try:
            known = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            text = f"{name}: cannot resolve the host {host}: {getattr(error, 'strerror', None) or error}"
            if getattr(error, "errno", None) == socket.EAI_AGAIN:
                faults.append(SourceError(text))
            else:
                faults.append(UsageError(f"{text}; correct {dsn.setter('host')}"))
            continue
        found += [{"host": host, "hostaddr": str(each[4][0]), "port": port} for each in known]
    return [{option: value for option, value in target.items() if value} for target in found]


def _timeout(dsn: Dsn, seconds: float) -> float:
    text = dsn.value("connect_timeout").strip()
    if not text:
        return seconds
    try:
        return max(2, int(text)) if int(text) > 0 else seconds
    except ValueError:
        raise UsageError(
            f"{dsn.setter('connect_timeout')}: expected connect_timeout in whole seconds, found {text!r}"
        ) from None


def _check_options(dsn: Dsn, options: dict[str, str]) -> None:
    """Have libpq check the options, on a port of ours. Raises UsageError that names who sets the wrong one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        here = {"host": "127.0.0.1", "hostaddr": "127.0.0.1", "port": str(listener.getsockname()[1])}

        def refused(changed: dict[str, str]) -> str:
            made = pq.PGconn.connect_start(make_conninfo("", **changed, **here).encode())
            try:
                return made.get_error_message() if made.status == pq.ConnStatus.BAD else ""
            finally:
                made.finish()

        text = refused(options)
        if not text:
            return
        harmless = {o.keyword.decode(): (o.compiled or b"").decode() for o in pq.Conninfo.get_defaults()}
        suspects = [option for option in {**dsn.defaults, **options} if option not in _SERVER]
        wrong = next((o for o in suspects if not refused({**options, o: harmless.get(o, "")})), "")
        if not wrong and (dsn.given.get("service") or os.environ.get("PGSERVICE")):
            wrong = "service"
        raise UsageError(
            f"{dsn.setter(wrong) if wrong else f'{dsn.variable} and PG*'}: expected options that libpq knows, "
            f"found: {' '.join(text.split())}; correct it"
        )


class _Attempt:
    """One attempt to connect to one address."""

    def __init__(self, conninfo: str, seconds: float) -> None:
        self._conninfo, self._seconds = conninfo, seconds
        self._late, self._trace = False, b""
        self._said: bytes | None = b""
        self._peer: socket.socket | None = None

    def connect(self) -> bool:
        """Whether it worked; otherwise `error` is the reason."""
        self.pgconn = pq.PGconn.connect_start(self._conninfo.encode())
        if self.pgconn.status == pq.ConnStatus.BAD:
            return False
        if sys.platform != "linux":  # libpq traces nowhere else; what the server says is then taken to last
            return self._poll(time.monotonic() + self._seconds)
        trace = os.memfd_create("trace")  # in memory: it may hold what is sent
        try:
            self.pgconn.trace(trace)
            self.pgconn.set_trace_flags(pq.Trace.SUPPRESS_TIMESTAMPS)
            connected = self._poll(time.monotonic() + self._seconds)
            self.pgconn.untrace()
            self._trace = os.pread(trace, 1 << 20, 0)
            return connected
        finally:
            os.close(trace)

    def _poll(self, end: float) -> bool:
        while True:
            waits_for = self.pgconn.connect_poll()
            if waits_for in (pq.PollingStatus.OK, pq.PollingStatus.FAILED):
                return waits_for == pq.PollingStatus.OK
            reading = waits_for == pq.PollingStatus.READING
            waiting = select.poll()
            waiting.register(self.pgconn.socket, select.POLLIN if reading else select.POLLOUT)
            if not waiting.poll(max(0.0, end - time.monotonic()) * 1000):
                self._late = True
                return False
            self._watch(socket.socket(fileno=os.dup(self.pgconn.socket)))
            self._said = self._hear() if reading else b""

    def _watch(self, peer: socket.socket | None) -> None:
        if self._peer is not None:
            self._peer.close()
        self._peer = peer

    def _hear(self) -> bytes | None:
        """The first bytes that the server has said and nobody has read; empty: it has hung up, None: it is silent."""
        assert self._peer is not None
        self._peer.setblocking(False)  # as libpq has it
        try:
            return self._peer.recv(5, socket.MSG_PEEK)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def _has_hung_up(self) -> bool:
        """Whether the server closed the connection; not, when it was libpq that did not like what the server said."""
        if not self._said or not _TLS.search(self._trace):
            return not self._said
        is_alert = self._said[0] == _ALERT or (self._said[0] == _ENCRYPTED and self._said[3:5] == _ALERT_LENGTH)
        # what is read of TLS may be tickets that nobody minds
        return not is_alert and self._hear() == b""

    def error(self, name: str, variable: str) -> UsageError | SourceError:
        """Why it did not work: a wrong setting, or a fault that may pass."""
        text = " ".join(self.pgconn.get_error_message().split())
        needs_password = self.pgconn.needs_password
        hung_up = self._has_hung_up()
        self.pgconn.finish()
        self._watch(None)
        if self._late:
            return SourceError(f"{name}: the server does not answer within {self._seconds:g} s")
        codes = _SQLSTATE.findall(self._trace)
        if codes:
            passes = is_temporary(codes[-1].decode())
        else:
            no_tls = bool(_NO_TLS.search(self._trace)) and not _STARTUP.search(self._trace)
            # options and names are known to be right: who sends nothing has found nobody who listens
            passes = not no_tls and not needs_password and hung_up
        if passes:
            return SourceError(f"{name}: {text}")
        return UsageError(f"{name}: cannot connect: {text}; correct {variable} or PG*")
