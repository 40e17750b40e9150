"""A scripted API, a real PostgreSQL, a lake in a folder, and the extract called as anybody calls it."""

from __future__ import annotations

import gzip
import hashlib
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest
from paged_server import ENVELOPE, PAGINATORS, PagedServer
from structlog.testing import capture_logs

from deftunes_contract.http_source import http_source
from deftunes_contract.interval import Interval
from deftunes_contract.object_store import open_store
from deftunes_contract.receipt import Receipt
from deftunes_contract.registry import load
from deftunes_contract.retry import Deadline, RetryPolicy
from deftunes_contract.settings import from_environment
from deftunes_contract.stage_cli import run_stage
from deftunes_extract import __main__ as extract_main
from deftunes_extract.delivery import ExtractRequest, land
from deftunes_extract.http_api import HttpApiSource
from deftunes_extract.http_client import open_client
from deftunes_extract.http_settings import http_server_settings
from deftunes_extract.settings import ExtractSettings
from deftunes_extract.source import SourceError
from deftunes_simulator.database import SongsDatabase, data_folder

MONTH = ("--start", "2020-01-01", "--end", "2020-02-01")
Reply = Callable[[BaseHTTPRequestHandler], None]


class Api:
    """An HTTP server that answers with the scripted replies in order and repeats the last one."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.asked: list[str] = []
        self.headers: list[Mapping[str, str]] = []
        self.ending = threading.Event()
        script = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                script.asked.append(self.path)
                script.headers.append(self.headers)
                self.close_connection = True
                reply = script.replies[min(len(script.asked), len(script.replies)) - 1]
                with suppress(BrokenPipeError, ConnectionResetError):
                    reply(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Let go of replies under way, then of the port."""
        self.ending.set()
        self._server.shutdown()
        self._server.server_close()

    def say(self, *replies: Reply) -> None:
        """Set the script."""
        self.replies = list(replies)
        self.asked.clear()

    def records(self, records: Iterable[Any], **how: Any) -> Reply:
        """200 with these records as a JSON array."""
        return self.body(json.dumps(list(records), separators=(",", ":"), ensure_ascii=False).encode(), **how)

    def body(
        self,
        body: bytes,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        kind: str | None = "application/json",
        promised: int | None = None,
        then: Reply = lambda _: None,
    ) -> Reply:
        """Any answer; `promised` is a false Content-Length, `then` happens after the body."""

        def reply(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            for name, value in (headers or {}).items():
                handler.send_header(name, value)
            if kind is not None:
                handler.send_header("Content-Type", kind)
            handler.send_header("Content-Length", str(len(body) if promised is None else promised))
            handler.end_headers()
            handler.wfile.write(body)
            handler.wfile.flush()
            then(handler)

        return reply

    def reset(self, handler: BaseHTTPRequestHandler) -> None:
        """Cut the connection as a crashed peer does."""
        time.sleep(0.05)  # what was sent should be read first; a reset throws the rest away
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.connection.close()

    def stall(self, _: BaseHTTPRequestHandler) -> None:
        """Say nothing until the test is over."""
        self.ending.wait(30)

    def drip(self, handler: BaseHTTPRequestHandler) -> None:
        """A byte now and then, for ever."""
        while not self.ending.wait(0.05):
            handler.wfile.write(b" ")
            handler.wfile.flush()


@pytest.fixture
def api() -> Iterator[Api]:
    server = Api()
    yield server
    server.stop()


@dataclass
class Lake:
    """A lake in a folder, seen from outside."""

    root: Path

    def folder(self, entity: str, ingest_on: str = "2020-02-01") -> Path:
        zone = "db_songs" if entity == "songs" else f"api/{entity}"
        return self.root / "landing_zone" / zone / f"ingest_on={ingest_on}"

    def receipt(self, entity: str, ingest_on: str = "2020-02-01") -> Receipt:
        return Receipt.model_validate_json((self.folder(entity, ingest_on) / "_receipt.json").read_bytes())

    def lines(self, entity: str, ingest_on: str = "2020-02-01") -> list[bytes]:
        """All landed lines, after a check of the objects against the receipt."""
        found = []
        for listed in self.receipt(entity, ingest_on).objects:
            stored = (self.folder(entity, ingest_on) / listed.name).read_bytes()
            assert len(stored) == listed.bytes
            assert hashlib.sha256(stored).hexdigest() == listed.sha256
            assert listed.name.split("-")[2].startswith(listed.sha256[:16])
            text = gzip.decompress(stored)
            assert text.endswith(b"\n")
            lines = text[:-1].split(b"\n")
            assert len(lines) == listed.records
            found += lines
        return found

    def content(self) -> dict[str, bytes]:
        """Every file, byte for byte."""
        files = (path for path in self.root.rglob("*") if path.is_file())
        return {str(path.relative_to(self.root)): path.read_bytes() for path in files}


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    root = tmp_path / "lake"
    root.mkdir()
    monkeypatch.setenv("DEFTUNES_LAKE", str(root))
    return Lake(root)


@dataclass(frozen=True)
class Outcome:
    """How a call ended: exit code, last log line, all log lines as text."""

    code: int
    said: str
    log: str


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that the extract wanted to wait between attempts; it does not really wait."""
    waited: list[float] = []
    monkeypatch.setattr(extract_main, "RetryPolicy", partial(RetryPolicy, sleep=waited.append))
    return waited


@pytest.fixture
def extract(lake: Lake, pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Call `deftunes-extract` for January 2020, with settings as keyword arguments (`None` removes one)."""

    def call(*argv: str, month: tuple[str, ...] = MONTH, **settings: object) -> Outcome:
        for name, value in settings.items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, str(value))
        with capture_logs() as logs:
            code = extract_main.main([*argv, *month])
        return Outcome(code, str(logs[-1]["event"]), repr(logs))

    return call


class OpenDatabase(SongsDatabase):
    """Lets tests in as anybody: what they need is a role for each kind of fault."""

    @property
    def dsn(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/deftunes"

    def _admitted(self) -> list[str]:
        return ["host all all 127.0.0.1/32 trust"]


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SongsDatabase]:
    """A real PostgreSQL."""
    server = OpenDatabase(data_folder(tmp_path_factory.mktemp("songs")), 0)
    server.start()
    yield server
    server.discard()


SONGS_COLUMNS = {
    **dict.fromkeys(("track_id", "title", "song_id", "release", "artist_id", "artist_mbid", "artist_name"), "text"),
    **dict.fromkeys(("duration", "artist_familiarity", "artist_hotttnesss"), "double precision"),
    **dict.fromkeys(("year", "track_7digitalid", "shs_perf", "shs_work"), "integer"),
}


class Songs:
    """The table deftunes.songs, made as a test wants it."""

    def __init__(self, database: SongsDatabase) -> None:
        self.dsn = database.dsn
        self.create()

    def sql(self, statement: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            cursor = connection.execute(statement, values or None)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def create(self, without: str = "", **types: str) -> None:
        """An empty table, with other or more columns."""
        columns = {name: kind for name, kind in (SONGS_COLUMNS | types).items() if name != without}
        self.sql("CREATE SCHEMA IF NOT EXISTS deftunes")
        self.sql("DROP TABLE IF EXISTS deftunes.songs CASCADE")
        self.sql(f"CREATE TABLE deftunes.songs ({', '.join(f'{name} {kind}' for name, kind in columns.items())})")

    def fill(self, rows: int) -> None:
        """Plain rows."""
        self.sql(
            "INSERT INTO deftunes.songs (track_id, title, song_id, artist_id, duration, year) SELECT "
            "'TR' || lpad(i::text, 16, '0'), repeat('title ', 20), 'SO' || lpad(i::text, 16, '0'), "
            f"'AR' || lpad((i % 7)::text, 16, '0'), i / 7.0, 2000 FROM generate_series(1, {rows}) i"
        )


@pytest.fixture
def songs(database: SongsDatabase) -> Songs:
    return Songs(database)


def user(number: int, **changes: Any) -> dict[str, Any]:
    """A user of January 2020; a field changed to `...` is left out."""
    record = {
        "user_id": f"{number:08d}-0000-4000-8000-000000000000",
        "user_name": f"Zoë {number}",
        "user_lastname": 'O\'Neil "the\\tab"',
        "user_location": ["48.2", "16.37", "Wien", "AT", "Europe/Vienna"],
        "user_since": f"2020-01-{number % 31 + 1:02d}T12:00:00.000001",
    }
    return {name: value for name, value in (record | changes).items() if value is not ...}


def item(price: Any = 0.99, **changes: Any) -> dict[str, Any]:
    """One thing sold."""
    record = {
        "song_id": "TRAAAAAAAAAAAAAAAA",
        "song_name": "Straße, in\nthe rain\u2028",
        "artist_id": "ARAAAAAAAAAAAAAAAA",
        "artist_name": "Björk",
        "price": price,
        "currency": "USD",
        "liked": True,
        "liked_since": None,
    }
    return {name: value for name, value in (record | changes).items() if value is not ...}


def session(number: int, items: Any = None, **changes: Any) -> dict[str, Any]:
    """A session of January 2020."""
    record = {
        "user_id": f"{number:08d}-0000-4000-8000-000000000000",
        "session_id": f"{number:08d}-1111-4000-8000-000000000000",
        "session_items": [item(), item(1.01)] if items is None else items,
        "user_agent": "Mozilla/5.0",
        "session_start_time": f"2020-01-{number % 31 + 1:02d}T08:30:00.123456",
    }
    return {name: value for name, value in (record | changes).items() if value is not ...}


@dataclass(frozen=True)
class Make:
    """Makers of records."""

    user: Callable[..., dict[str, Any]] = user
    session: Callable[..., dict[str, Any]] = session
    item: Callable[..., dict[str, Any]] = item


@pytest.fixture(scope="session")
def make() -> Make:
    return Make()


class PagedReads:
    """Servers that page, and reads of them by the options of a contract, as the stage makes them."""

    def __init__(self, lake: Lake, pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
        self.lake, self._pauses, self._monkeypatch = lake, pauses, monkeypatch
        self._servers: list[PagedServer] = []

    def server(self, style: str, records: list[Any], size: int = 4) -> PagedServer:
        self._servers.append(PagedServer(style, records, size))
        return self._servers[-1]

    def stop(self) -> None:
        for server in self._servers:
            server.stop()

    def extract(self, server: PagedServer, attempts: int = 3, entity: str = "users", **options: Any) -> Outcome:
        """Land what `server` gives for January 2020; `options` are those of the endpoint."""
        envelope = {} if server.style == "header_link" or server.ndjson else ENVELOPE
        endpoint = {
            "path": "api/users",
            "params": {"from": "{start}", "until": "{last_day}"},
            "paginator": PAGINATORS[server.style],
            **envelope,
            **options,
        }
        self._monkeypatch.setenv("DEFTUNES_PAGED_URL", server.url)

        def run(_: Sequence[str]) -> str:
            source, settings = http_source("paged", {}, endpoint), from_environment(ExtractSettings)
            retries = RetryPolicy(attempts, (SourceError,), deadline=Deadline(60), sleep=self._pauses.append)
            request = ExtractRequest(load(entity), Interval.of_month("2020-01"), "manual")
            with open_client(source, from_environment(http_server_settings("paged"))) as client:
                read = HttpApiSource(client, request.entity, request.interval, retries)
                made = land(request, read, open_store(settings.lake), settings, retries)
            return f"delivered {made.records}; {'; '.join(made.warnings)}"

        with capture_logs() as logs:
            code = run_stage("extract", run, [])
        return Outcome(code, str(logs[-1]["event"]), repr(logs))

    def landed(self, entity: str = "users") -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lake.lines(entity)]


@pytest.fixture
def paged(lake: Lake, pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> Iterator[PagedReads]:
    reads = PagedReads(lake, pauses, monkeypatch)
    yield reads
    reads.stop()
