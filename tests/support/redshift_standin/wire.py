"""The few messages of PostgreSQL's wire protocol (version 3) that the proxy looks into.

https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

import asyncio
import struct

SSL_REQUEST = 80877103
PASSWORD, FLUSH = b"p", b"H"
PROTOCOL = 196608
"""Version 3.0, the one that Redshift speaks."""
PASSED_ON = frozenset({"user", "database", "application_name", "client_encoding"})
"""Start-up parameters that PostgreSQL knows; Redshift's driver sends more, which PostgreSQL would refuse."""


async def read_start(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    """The first message of a client: its code, and its parameters when it is a start-up."""
    (size,) = struct.unpack("!i", await reader.readexactly(4))
    body = await reader.readexactly(size - 4)
    (code,) = struct.unpack("!i", body[:4])
    if code != PROTOCOL:
        return code, {}
    words = body[4:].rstrip(b"\0").split(b"\0")
    return code, {k.decode(): v.decode() for k, v in zip(words[::2], words[1::2], strict=False)}


def start(parameters: dict[str, str]) -> bytes:
    """A start-up message with those of the parameters that PostgreSQL knows."""
    known = {name: value for name, value in parameters.items() if name in PASSED_ON}
    body = b"".join(f"{name}\0{value}\0".encode() for name, value in known.items()) + b"\0"
    return struct.pack("!ii", len(body) + 8, PROTOCOL) + body


async def read_message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """One message: its letter and its body."""
    head = await reader.readexactly(5)
    (size,) = struct.unpack("!i", head[1:])
    return head[:1], await reader.readexactly(size - 4)


def message(letter: bytes, body: bytes) -> bytes:
    """A message to send."""
    return letter + struct.pack("!i", len(body) + 4) + body


def statement_of(letter: bytes, body: bytes) -> tuple[str, bytes, bytes] | None:
    """The SQL of a Query or Parse message, with what stands before and after it; None for other messages."""
    if letter == b"Q":
        return body[:-1].decode(), b"", b"\0"
    if letter == b"P":
        name, _, rest = body.partition(b"\0")
        sql, _, types = rest.partition(b"\0")
        return sql.decode(), name + b"\0", b"\0" + types
    return None


def bound_of(letter: bytes, body: bytes) -> bytes | None:
    """The name of the prepared statement that a Bind message is about to run, and its end; None for other messages."""
    return body.split(b"\0", 2)[1] + b"\0" if letter == b"B" else None
