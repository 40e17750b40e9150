"""The rows of a running COPY, in batches, without psycopg's price per row and with a limit on how long it waits."""

from __future__ import annotations

import select
from collections.abc import Iterator

import psycopg.errors
from psycopg import pq

from deftunes_contract.retry import Deadline
from deftunes_extract.source import SourceError

_BATCH = 1 << 16
"""Bytes handed on at once: with 96 KiB the allocator returns memory to the system after every batch, a third slower."""
_READS_AT_ONCE = 16
"""libpq takes at most 16 KiB from the socket at a time; taking more before looking halves this side's work."""


def read_batches(
    connection: pq.abc.PGconn, deadline: Deadline, read_timeout: float, name: str
) -> Iterator[list[memoryview]]:
    """Rows of the running copy, about 64 KiB at a time. Raises SourceError after `read_timeout` seconds of silence."""
    waiting = select.poll()
    waiting.register(connection.socket, select.POLLIN)
    batch: list[memoryview] = []
    size = 0
    while True:
        length, row = connection.get_copy_data(1)
        if length > 0:
            batch.append(row)
            size += length
            if size >= _BATCH:
                yield batch
                batch, size = [], 0
        elif length == 0:
            deadline.check(name)
            seconds = min(read_timeout, deadline.remaining)
            if not waiting.poll(seconds * 1000):
                raise SourceError(f"{name} is silent for {seconds:.0f} s")
            for _ in range(_READS_AT_ONCE):
                connection.consume_input()
                if not waiting.poll(0):
                    break
        else:
            break
    if batch:
        yield batch


def rows_sent(connection: pq.abc.PGconn) -> int:
    """The server's own number of rows, at the end of a copy. Raises psycopg's error when it ended badly."""
    rows = -1
    while (result := connection.get_result()) is not None:
        if result.status != pq.ExecStatus.COMMAND_OK:
            raise psycopg.errors.error_from_result(result)
        rows = -1 if result.command_tuples is None else result.command_tuples
    return rows
