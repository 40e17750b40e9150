"""A reply is written while it is generated: memory does not grow with it, and nobody generates for no reader."""

import http.client
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from deftunes_simulator import World, WorldConfig, start_world

MEGABYTE = 1_000_000
# Interpreter, FastAPI and uvicorn take about 60 MB, the store of ready-made song texts at most 70 MB.
RSS_LIMIT = 160 * MEGABYTE
GROWTH_LIMIT = 70 * MEGABYTE


def _open(url: str, query: str) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
    connection.request("GET", query)
    return connection, connection.getresponse()


def test_memory_stays_flat_and_an_abandoned_reply_ends(
    world: World, tmp_path: Path, fetch_from: Callable[..., Any]
) -> None:
    config = WorldConfig(seed=3, scale=2_000_000, songs=20_000)
    elsewhere = world.owner_dsn.replace("/deftunes", "/postgres")
    with start_world(config, tmp_path, songs_dsn=elsewhere) as large:
        server = psutil.Process(large.api_pid)
        before = peak = server.memory_info().rss
        connection, reply = _open(large.api_url, "/sessions?start_date=2020-01-01&end_date=2022-12-31")
        received = 0
        while received < 205 * MEGABYTE:
            received += len(reply.read(4 * MEGABYTE))
            peak = max(peak, server.memory_info().rss)
            if received < 8 * MEGABYTE:
                asked = time.monotonic()
                assert fetch_from(large.api_url, "/health").status == 200  # others are served meanwhile
                assert time.monotonic() - asked < 5
        assert peak < RSS_LIMIT
        assert peak - before < GROWTH_LIMIT

        assert _falls_idle(server)  # nobody reads: it waits instead of buffering
        assert server.memory_info().rss < RSS_LIMIT
        reply.close()
        connection.close()
        assert _falls_idle(server)  # nobody will read: it stops generating


def _falls_idle(process: psutil.Process, within: float = 20) -> bool:
    """Wait until a process uses next to no CPU; the whole reply would keep it busy for minutes."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        before = _busy(process)
        time.sleep(0.4)
        if _busy(process) - before < 0.02:
            return True
    return False


def _busy(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system
