"""The open TCP connections of the API server, so that a fault can cut one the hard way.

ASGI has no word for "reset this connection"; raising in the middle of a reply only closes it politely.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

_LINGER_ZERO = struct.pack("ii", 1, 0)  # close() then sends RST instead of FIN


class Connections:
    """Connections by the address of their client."""

    def __init__(self) -> None:
        """Start without connections."""
        self._transports: dict[tuple[str, int], asyncio.Transport] = {}

    def protocol(self) -> type[H11Protocol]:
        """Return uvicorn's HTTP protocol class, extended to register its connections here."""
        transports = self._transports

        class RegisteredProtocol(H11Protocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                super().connection_made(transport)
                if self.client is not None:
                    transports[self.client] = transport

            def connection_lost(self, exc: Exception | None) -> None:
                if self.client is not None:
                    transports.pop(self.client, None)
                super().connection_lost(exc)

        return RegisteredProtocol

    def reset(self, client: Any) -> None:
        """Send a TCP reset to a client (address and port as in the ASGI scope)."""
        transport = self._transports.get(tuple(client))
        if transport is None:
            return  # the client was faster and has hung up
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        transport.abort()
