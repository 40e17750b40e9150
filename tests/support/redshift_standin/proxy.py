"""The proxy between Redshift's driver and PostgreSQL: start-up, clauses, and a record of every statement.

Runs on an event loop in a thread of its own. Tests arm faults: `when` calls a function at a statement, and closes the
client's connection if the function says so.
"""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count

from redshift_standin.rewriting import rewrite
from redshift_standin.wire import (
    FLUSH,
    PASSWORD,
    SSL_REQUEST,
    bound_of,
    message,
    read_message,
    read_start,
    start,
    statement_of,
)

VERSION = "8.0.2"
"""What Redshift says it is."""


@dataclass(frozen=True)
class Statement:
    """What a client said, before it was rewritten; `client` numbers the connections."""

    text: str
    at: float
    client: int


@dataclass
class Armed:
    """Something to do at the nth statement that matches: before it goes on, or when the server was told to run it."""

    pattern: re.Pattern[str]
    act: Callable[[], bool]
    left: int
    after: bool
    met: list[str] = field(default_factory=list)

    def strikes(self, line: str) -> bool:
        """Whether this is the statement."""
        if self.met or not self.pattern.search(line):
            return False
        self.left -= 1
        if self.left:
            return False
        self.met.append(line)
        return True


@dataclass
class Prepared:
    """One client's prepared statements: the driver keeps them, and says a statement again by its name alone."""

    texts: dict[bytes, str] = field(default_factory=dict)
    fresh: set[bytes] = field(default_factory=set)

    def said_by(self, letter: bytes, body: bytes) -> str | None:
        """The statement that a message says, once for each time it is run; None when it says none."""
        if found := statement_of(letter, body):
            sql, name, _ = found
            self.texts[name] = sql
            self.fresh.add(name)
            return sql
        name = bound_of(letter, body) or b""
        if name in self.fresh:  # said when it was prepared
            self.fresh.remove(name)
            return None
        return self.texts.get(name)


@dataclass
class Proxy:
    """Listens on `host`:`port` (0: a free one) and speaks to the PostgreSQL behind `socket`."""

    socket: str
    host: str = "127.0.0.1"
    port: int = 0
    statements: list[Statement] = field(default_factory=list)
    _armed: list[Armed] = field(default_factory=list)
    _clients: Iterator[int] = field(default_factory=lambda: count(1))

    @contextmanager
    def running(self) -> Iterator[Proxy]:
        """Serve until the block ends."""
        loop = asyncio.new_event_loop()
        ready = threading.Event()

        async def serve() -> None:
            server = await asyncio.start_server(self._client, self.host, self.port)
            self.port = server.sockets[0].getsockname()[1]
            ready.set()
            with suppress(asyncio.CancelledError):
                await server.serve_forever()

        task = loop.create_task(serve())
        thread = threading.Thread(target=lambda: self._run(loop, task), name="redshift-standin", daemon=True)
        thread.start()
        if not ready.wait(30):
            raise TimeoutError("the stand-in of Redshift did not begin to listen within 30 s")
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(task.cancel)
            thread.join(30)

    @staticmethod
    def _run(loop: asyncio.AbstractEventLoop, task: asyncio.Task[None]) -> None:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(task)
        left = asyncio.all_tasks(loop)
        for one in left:
            one.cancel()

        async def gone() -> None:  # gather outside of a loop looks for one of this thread, and there is none
            await asyncio.gather(*left, return_exceptions=True)

        loop.run_until_complete(gone())
        loop.close()

    @contextmanager
    def when(self, pattern: str, act: Callable[[], bool], nth: int = 1, after: bool = False) -> Iterator[list[str]]:
        """At the nth statement that matches (as one line, in any case) call `act`; True closes the connection.

        With `after` the server has been told to run it already. Yields a list that holds the statement once it was met:
        a test asserts that it was.
        """
        armed = Armed(re.compile(pattern, re.IGNORECASE), act, nth, after)
        self._armed.append(armed)
        try:
            yield armed.met
        finally:
            self._armed.remove(armed)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream: asyncio.StreamWriter | None = None
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            code, parameters = await read_start(reader)
            if code == SSL_REQUEST:
                writer.write(b"N")
                code, parameters = await read_start(reader)
            answers, upstream = await asyncio.open_unix_connection(self.socket)
            upstream.write(start(parameters))
            both = [
                asyncio.ensure_future(self._requests(reader, upstream, next(self._clients))),
                asyncio.ensure_future(self._answers(answers, writer)),
            ]
            _, left = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            for one in left:
                one.cancel()
        for side in (upstream, writer):
            if side is not None:
                side.close()

    async def _requests(self, reader: asyncio.StreamReader, upstream: asyncio.StreamWriter, client: int) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            prepared = Prepared()
            pending: Armed | None = None
            executed = False
            letter = b""
            while True:
                last, (letter, body) = letter, await read_message(reader)
                if last == PASSWORD and letter == FLUSH:
                    # the driver's habit; a server that refused is gone by then, and writing to it would lose its reason
                    continue
                if (sql := prepared.said_by(letter, body)) is not None:
                    self.statements.append(Statement(sql, time.time(), client))
                    line = " ".join(re.sub(r"/\*.*?\*/", "", sql, flags=re.DOTALL).split())
                    for armed in [one for one in self._armed if one.strikes(line)]:
                        if armed.after:
                            pending, executed = armed, False
                        # in a thread: what a test does meanwhile may take its time, others go on
                        elif await asyncio.to_thread(armed.act):
                            return
                if found := statement_of(letter, body):
                    sql, before, after = found
                    body = before + rewrite(sql).encode() + after
                upstream.write(message(letter, body))
                await upstream.drain()
                executed = executed or letter == b"E"
                # the driver lets a statement run with Execute and Sync
                if pending is not None and executed and letter == b"S":
                    armed, pending = pending, None
                    if await asyncio.to_thread(armed.act):
                        return

    async def _answers(self, answers: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                letter, body = await read_message(answers)
                if letter == b"S" and body.startswith(b"server_version\0"):
                    body = f"server_version\0{VERSION}\0".encode()
                writer.write(message(letter, body))
                await writer.drain()
