"""The serving file of the embedded target: whoever reads it sees the state before a build or after it, never between.

Data flow: serving.duckdb -> a copy beside it -> (the build works on the copy) -> serving.duckdb, in one rename.

What protects it: an exclusive lock on `serving.duckdb.lock` for the whole build, so builds wait for each other (the
kernel drops the lock when the holder dies, however it dies); fsync before the rename; a copy that a killed build left
behind is removed by the next one. A reader that has the old file open keeps reading the old state until it reopens.
"""

from __future__ import annotations

import fcntl
import glob
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from uuid import uuid4

import structlog

from deftunes_contract.errors import RetryableError, StageError

COPY_PREFIX = "building"
"""First name of a copy, and so DuckDB's name of the database while it is built."""

POLL_SECONDS = 0.2
SAY_EVERY_SECONDS = 5.0

log = structlog.get_logger("deftunes-dbt")


@contextmanager
def replace_on_success(file: Path, lock_seconds: float) -> Iterator[Path]:
    """Yield a copy of `file` (a path without a file when there is none yet) that becomes `file` when the block ends.

    When the block raises, the copy is removed and `file` is as it was, byte by byte. Raises RetryableError when another
    build holds the lock for longer than `lock_seconds`, StageError when the copy cannot be taken over.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with _locked(file.with_name(f"{file.name}.lock"), lock_seconds):
        _refuse_unfinished(file)
        for stale in file.parent.glob(f"{COPY_PREFIX}.*.{glob.escape(file.name)}*"):
            stale.unlink()
        copy = file.with_name(f"{COPY_PREFIX}.{os.getpid()}-{uuid4().hex[:8]}.{file.name}")
        try:
            if file.exists():
                shutil.copy(file, copy)
            yield copy
            _publish(copy, file)
        finally:
            copy.unlink(missing_ok=True)
            _log_of(copy).unlink(missing_ok=True)


def _log_of(file: Path) -> Path:
    """DuckDB's write-ahead log of a database."""
    return file.with_name(f"{file.name}.wal")


def _refuse_unfinished(file: Path) -> None:
    if _log_of(file).exists():
        raise RetryableError(
            f"{_log_of(file)} exists: another program writes {file}, or was killed while it did; close it, or open and "
            "close the file once with DuckDB, and run the same command again"
        )


def _publish(copy: Path, file: Path) -> None:
    if not copy.exists():
        raise StageError(f"expected the built database at {copy}, found none")
    if _log_of(copy).exists():
        raise StageError(f"{_log_of(copy)} exists: the build left its database open, so the file is not complete")
    with copy.open("rb") as built:
        os.fsync(built.fileno())
    copy.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _locked(lock: Path, seconds: float) -> Iterator[None]:
    # opened for appending: opening must not wipe the holder's pid
    with lock.open("a+") as handle:
        _acquire(handle, lock, seconds)
        handle.seek(0)
        handle.truncate()
        handle.write(f"{os.getpid()}\n")
        handle.flush()
        yield


def _acquire(handle: IO[str], lock: Path, seconds: float) -> None:
    began = said = time.monotonic()
    waited = False
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            now = time.monotonic()
            handle.seek(0)
            holder = handle.read().strip() or "unknown"
            if now - began >= seconds:
                raise RetryableError(
                    f"another build (process {holder}) has held {lock} for {seconds:.0f} s; nothing was built, run the "
                    "same command again when it is done"
                ) from None
            if not waited or now - said >= SAY_EVERY_SECONDS:
                log.info(f"waiting for another build, process {holder}", lock=str(lock), waited=round(now - began))
                waited, said = True, now
            time.sleep(POLL_SECONDS)
