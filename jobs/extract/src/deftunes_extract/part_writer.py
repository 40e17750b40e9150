"""The objects of a delivery: lines cut into parts, compressed, hashed, on the store while the source still sends.

blocks of whole lines ─► bounded queue ─► one worker: cut at line ends, gzip, scratch file ─► one uploader ─► store

The same lines give the same objects under the same names, however they arrived: a part ends with the line that reaches
`part_bytes`, the compressor is fed in blocks of a fixed size, and the gzip header carries neither time nor name.
(Another release of the compressor, or another kind of processor, may choose other names for the same content.)
"""

from __future__ import annotations

import hashlib
import queue
import tempfile
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from isal import isal_zlib

from deftunes_contract.object_store import ObjectStore
from deftunes_contract.receipt import LandedObject

_BLOCK = 1 << 17
"""Bytes the compressor is fed with at a time."""
_WAITING = 4 << 20
"""Bytes that may wait for the worker: few, so that a slow store slows the source down instead of filling memory."""
_LEVEL = 1
"""igzip's fast level: within a percent of the size of the slowest at 0.8 GB/s."""
_GZIP = 31


class PartWriter:
    """Writes the parts of one attempt below `folder`, named `part-NNNNN-<first 16 of sha256>.<suffix>`.

    Used as a context manager: `write` blocks of whole lines, then `close` gives the objects. Leaving without `close`
    throws away what is still under way. Names of objects that may be on the store are added to `uploaded` in any case.
    """

    def __init__(
        self,
        store: ObjectStore,
        folder: str,
        suffix: str,
        part_bytes: int,
        scratch: Path | None,
        uploaded: set[str],
        first: int = 0,
    ) -> None:
        """`first` is the number of the first part."""
        self._store, self._folder, self._suffix, self._part_bytes = store, folder, suffix, part_bytes
        self._scratch = tempfile.TemporaryDirectory(prefix="deftunes-extract-", dir=scratch)
        self._queue = _Blocks(_WAITING)
        self._stopped = threading.Event()
        self._error: BaseException | None = None
        self._worker = threading.Thread(target=self._run, name="extract-compress", daemon=True)
        self._uploader = ThreadPoolExecutor(1, thread_name_prefix="extract-upload")
        self._upload: Future[None] | None = None
        self._part: _Part | None = None
        self._objects: list[LandedObject] = []
        self._uploaded, self._first = uploaded, first

    def __enter__(self) -> Self:
        self._worker.start()
        return self

    def write(self, lines: bytes, count: int) -> None:
        """Hand over `count` whole lines, each with its line end. Raises what went wrong with earlier ones."""
        if lines:
            self._enqueue((lines, count))

    def close(self) -> tuple[LandedObject, ...]:
        """Finish the last part; the objects in order. No lines, no objects."""
        self._enqueue(None)
        self._worker.join()
        if self._error is not None:
            raise self._error
        return tuple(self._objects)

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._worker.join()
        self._uploader.shutdown(wait=True, cancel_futures=True)
        if self._part is not None:
            self._part.file.close()
        self._scratch.cleanup()

    def _enqueue(self, block: tuple[bytes, int] | None) -> None:
        while self._error is None:
            try:
                return self._queue.put(block, timeout=0.1)
            except queue.Full:
                continue
        raise self._error

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                try:
                    block = self._queue.get(timeout=0.1)
                except queue.Empty:
                    continue
                if block is None:
                    self._finish()
                    self._await_upload()
                    return
                self._add(*block)
        except BaseException as error:  # handed to the thread that writes
            self._error = error

    def _add(self, lines: bytes, count: int) -> None:
        start = 0
        while start < len(lines):
            if self._part is None:
                self._part = _Part((Path(self._scratch.name) / f"{len(self._objects)}").open("wb"))
            lacking = self._part_bytes - self._part.size
            if len(lines) - start < lacking:
                self._part.add(lines[start:], count)
                return
            cut = lines.index(b"\n", start + lacking - 1) + 1
            counted = lines.count(b"\n", start, cut)
            self._part.add(lines[start:cut], counted)
            self._finish()
            start, count = cut, count - counted

    def _finish(self) -> None:
        if self._part is None:
            return
        part, self._part = self._part, None
        name = f"part-{self._first + len(self._objects):05d}-{part.finish()[:16]}.{self._suffix}"
        self._objects.append(LandedObject(name=name, bytes=part.stored, sha256=part.finish(), records=part.lines))
        self._await_upload()  # at most one part is on its way while the next is written
        self._upload = self._uploader.submit(self._upload_part, name, Path(part.file.name))

    def _upload_part(self, name: str, file: Path) -> None:
        self._uploaded.add(name)  # before the upload: a failed one may have left the object
        self._store.upload(f"{self._folder}/{name}", file)
        file.unlink()

    def _await_upload(self) -> None:
        if self._upload is not None:
            self._upload.result()


class _Blocks(queue.Queue[tuple[bytes, int] | None]):
    """A queue that is full when it holds so many bytes; None, the last block, counts as one."""

    _bytes = 0

    def _qsize(self) -> int:
        return self._bytes

    def _put(self, item: tuple[bytes, int] | None) -> None:
        self._bytes += 1 if item is None else len(item[0])
        super()._put(item)

    def _get(self) -> tuple[bytes, int] | None:
        item: tuple[bytes, int] | None = super()._get()
        self._bytes -= 1 if item is None else len(item[0])
        return item


class _Part:
    """One object being written to scratch. Sizes in bytes: `size` of the lines, `stored` of the gzip file."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.size = self.stored = self.lines = 0
        self._gzip = isal_zlib.compressobj(_LEVEL, wbits=_GZIP)
        self._sha = hashlib.sha256()
        self._rest = bytearray()

    def add(self, lines: bytes, count: int) -> None:
        """Append whole lines."""
        self.size += len(lines)
        self.lines += count
        self._rest += lines
        whole = len(self._rest) - len(self._rest) % _BLOCK
        for start in range(0, whole, _BLOCK):
            self._store(self._gzip.compress(self._rest[start : start + _BLOCK]))
        del self._rest[:whole]

    def finish(self) -> str:
        """Complete the file; its sha256 (hex)."""
        if not self.file.closed:
            self._store(self._gzip.compress(self._rest) + self._gzip.flush())
            self.file.close()
        return self._sha.hexdigest()

    def _store(self, content: bytes) -> None:
        self._sha.update(content)
        self.file.write(content)
        self.stored += len(content)
