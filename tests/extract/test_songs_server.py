"""Songs out of a PostgreSQL that fails in the middle of a copy: killed, crashed, locked, changed, silent."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import psycopg
import pytest
from pg_reader import reader

from deftunes_contract.errors import RetryableError
from deftunes_contract.interval import Interval
from deftunes_contract.object_store import LocalStore
from deftunes_contract.receipt import Receipt
from deftunes_contract.registry import load
from deftunes_contract.retry import Deadline, RetryPolicy
from deftunes_extract import postgres
from deftunes_extract.delivery import ExtractRequest, land
from deftunes_extract.settings import ExtractSettings
from deftunes_extract.source import LoadTotals, SourceError


class Disturbed:
    """The songs, with something happening once in the middle of the copy."""

    def __init__(self, dsn: str, disturb: Callable[[], object], **settings: Any) -> None:
        self.inner = reader(dsn, **settings)
        self.name = self.inner.name
        self.disturb = disturb
        self.readings = 0

    def read(self, deadline: Deadline, put: Callable[[bytes, int], None]) -> LoadTotals:
        self.readings += 1
        first = self.readings == 1

        def disturbing(lines: bytes, count: int) -> None:
            nonlocal first
            put(lines, count)
            if first:
                first = False
                self.disturb()

        return self.inner.read(deadline, disturbing)


def delivered(lake: Any, source: Any, attempts: int = 4, seconds: float = 60) -> Receipt:
    request = ExtractRequest(load("songs"), Interval(date(2020, 1, 1), date(2020, 2, 1)), "test")
    retries = RetryPolicy(attempts, (SourceError,), deadline=Deadline(seconds), sleep=lambda _: time.sleep(0.2))
    settings = ExtractSettings(DEFTUNES_LAKE=str(lake.root), DEFTUNES_PART_BYTES=300_000)
    return land(request, source, LocalStore(lake.root), settings, retries)


KILL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'deftunes-extract'"


def test_a_connection_lost_in_the_middle_is_retried(songs: Any, lake: Any) -> None:
    songs.fill(150_000)
    source = Disturbed(songs.dsn, lambda: songs.sql(KILL))
    made = delivered(lake, source)
    assert source.readings == 2
    assert made.records == len(lake.lines("songs")) == 150_000
    assert len(list(lake.folder("songs").iterdir())) == len(made.objects) + 1


def test_a_server_that_crashes_in_the_middle_is_waited_for(songs: Any, database: Any, lake: Any) -> None:
    songs.fill(150_000)
    songs.sql("CHECKPOINT")
    source = Disturbed(songs.dsn, lambda: database.restart(crash=True))
    assert delivered(lake, source, attempts=20).records == 150_000
    assert source.readings > 1


def test_a_connection_that_is_always_lost_ends_temporarily(songs: Any, lake: Any) -> None:
    songs.fill(150_000)
    source = Disturbed(songs.dsn, lambda: None)
    source.read = lambda deadline, put: source.inner.read(  # type: ignore[method-assign]
        deadline, lambda lines, count: (put(lines, count), songs.sql(KILL), None)[-1]
    )
    with pytest.raises(RetryableError, match=r"terminating connection|server closed|connection"):
        delivered(lake, source, attempts=2)
    assert lake.content() == {}


def test_rows_changed_in_the_middle_do_not_show(songs: Any, lake: Any) -> None:
    songs.fill(150_000)

    def change() -> None:
        songs.sql("DELETE FROM deftunes.songs WHERE track_id > 'TR' || lpad('100000', 16, '0')")
        songs.fill(5)

    assert delivered(lake, Disturbed(songs.dsn, change)).records == 150_000


def test_fewer_rows_than_the_server_has_sent_are_not_signed_for(
    songs: Any, extract: Any, lake: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    songs.fill(5000)
    batches = postgres.read_batches

    def forgetful(*arguments: Any) -> Iterator[list[memoryview]]:
        whole = list(batches(*arguments))
        return iter(whole[:1] + whole[2:])

    monkeypatch.setattr(postgres, "read_batches", forgetful)
    outcome = extract("songs", DEFTUNES_SONGS_DSN=songs.dsn, DEFTUNES_EXTRACT_ATTEMPTS=2)
    assert outcome.code == 75
    assert "the server has sent 5,000 rows" in outcome.said
    assert lake.content() == {}


def test_the_table_may_be_replaced_between_two_reads(songs: Any, lake: Any) -> None:
    songs.fill(10)
    source = reader(songs.dsn)
    assert delivered(lake, source).records == 10
    songs.create()
    songs.fill(20)
    assert delivered(lake, source).records == 20


def test_a_locked_table_is_not_waited_for_beyond_the_deadline(songs: Any, lake: Any) -> None:
    songs.fill(10)
    with psycopg.connect(songs.dsn) as rival:
        rival.execute("LOCK TABLE deftunes.songs IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(RetryableError):
            delivered(lake, reader(songs.dsn), seconds=0.5)


def test_a_server_that_falls_silent_is_given_up(songs: Any, lake: Any) -> None:
    """A relay between the two stops passing bytes on: no error, no end, just nothing."""
    songs.fill(150_000)
    with Relay(songs.dsn) as relay:
        source = Disturbed(relay.dsn, relay.pause, timeout=0.3)
        with pytest.raises(RetryableError, match="is silent for"):
            delivered(lake, source, attempts=1)
    assert lake.content() == {}


def test_a_silent_server_is_not_waited_for_beyond_the_deadline(songs: Any, lake: Any) -> None:
    songs.fill(150_000)
    with Relay(songs.dsn) as relay:
        began = time.monotonic()
        with pytest.raises(RetryableError, match="not done within 2 s|leaves no time"):
            delivered(lake, Disturbed(relay.dsn, relay.pause), seconds=2)
        assert time.monotonic() - began < 30
    assert lake.content() == {}


class Relay:
    """Passes bytes between a client and the database until told to pause."""

    def __init__(self, dsn: str) -> None:
        self.target = ("127.0.0.1", int(dsn.rsplit(":", 1)[1].split("/")[0]))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.dsn = dsn.replace(f":{self.target[1]}/", f":{self.listener.getsockname()[1]}/")
        self.paused = threading.Event()
        self.sockets: list[Any] = [self.listener]

    def pause(self) -> None:
        self.paused.set()

    def __enter__(self) -> Relay:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for one in self.sockets:
            one.close()

    def _accept(self) -> None:
        client, _ = self.listener.accept()
        server = socket.create_connection(self.target)
        self.sockets += [client, server]
        for source, target in ((client, server), (server, client)):
            threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    def _pass_on(self, source: Any, target: Any) -> None:
        try:
            while content := source.recv(65536):
                if self.paused.is_set():
                    return
                target.sendall(content)
        except OSError:
            return
