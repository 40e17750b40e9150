"""The API as a process of its own: ``python -m deftunes_simulator.server`` (started by `deftunes_simulator.world`).

It has its own interpreter, so that generating data does not slow its client down. The configuration arrives
as one JSON line on stdin, followed by a line that tells which PostgreSQL belongs to the world; the port is
written to the file descriptor given as the only argument. The process lives as long as stdin stays open: when
its parent goes, however it goes, the API stops, and stops a PostgreSQL the parent left behind.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from .api import create_app
from .config import WorldConfig
from .connections import Connections
from .errors import ConfigError
from .plugins import add_routes

_GRACE_SECONDS = 1  # replies still being written when the world ends
_LEFTOVER_SECONDS = 30  # stopping the parent's PostgreSQL


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        raise ConfigError(f"api_port: expected a free port on {host}, {port} is not: {error}") from error
    listener.listen(128)  # from here on clients may connect; they wait until the server accepts
    return listener


def main() -> int:
    """Serve until stdin closes; return the exit code (0 done, 2 impossible configuration)."""
    report = int(sys.argv[1])
    order = json.loads(sys.stdin.readline())
    try:
        config = WorldConfig.from_json(order["config"])
        connections = Connections()
        app = create_app(config, connections)
        add_routes(config.plugins, app, app.state.shop)
        listener = _listen(config.host, config.api_port)
    except ConfigError as error:
        os.write(report, json.dumps({"error": str(error)}).encode())
        return 2
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http=connections.protocol(),
            loop="asyncio",
            ws="none",
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
    )
    watcher = threading.Thread(target=_watch_parent, args=(server, app), daemon=True)
    watcher.start()
    os.write(report, json.dumps({"port": listener.getsockname()[1]}).encode())
    os.close(report)
    server.run(sockets=[listener])
    watcher.join(_LEFTOVER_SECONDS)
    return 0


def _watch_parent(server: uvicorn.Server, app: FastAPI) -> None:
    orders = []
    for line in sys.stdin:  # ends when the parent does
        order = json.loads(line)
        if "songs_loaded" in order:
            app.state.songs_loaded = order["songs_loaded"]
        else:
            orders.append(order)
    server.should_exit = True
    for order in orders:
        if (Path(order["pgdata"]) / "postmaster.pid").exists():
            from .database import stop_leftover  # costs a tenth of a second that an orderly end saves

            stop_leftover(Path(order["pgdata"]), order["postmaster"])


if __name__ == "__main__":
    sys.exit(main())
