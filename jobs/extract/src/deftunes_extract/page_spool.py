"""The records of one page, kept until the page is known to be whole: in memory while small, else in a scratch file.

records ─► PageSpool ─► (page is whole) ─► parts of the delivery        (page failed) ─► nothing

So a page that is read again after a fault never lands twice, and memory does not grow with a page.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from deftunes_extract.json_array import Record
from deftunes_extract.source import Put

_IN_MEMORY = 8 << 20
_BLOCK_BYTES = 1 << 17


class PageSpool:
    """Blocks of whole lines, with the number of their records and a digest (sha256) of them all."""

    def __init__(self, scratch: Path | None) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY, dir=str(scratch) if scratch else None)  # noqa: SIM115  # closed by __exit__
        self._digest = hashlib.sha256()
        self.records = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def digest(self) -> bytes:
        """Equal for pages with the same records in the same order."""
        return self._digest.digest()

    def add(self, records: Sequence[Record]) -> None:
        """Keep records, one a line."""
        lines = b"\n".join([*records, b""])
        self._digest.update(lines)
        self._file.write(lines)
        self.records += len(records)

    def release(self, put: Put) -> None:
        """Hand the lines over."""
        self._file.seek(0)
        while lines := self._file.readlines(_BLOCK_BYTES):
            put(b"".join(lines), len(lines))
