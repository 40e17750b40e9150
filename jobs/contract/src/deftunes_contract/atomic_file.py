"""A file that is replaced whole: readers see the old content or the new one, never a part, however the writer ends."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from deftunes_contract.sharing import file_mode

PREFIX = ".writing-"
"""How the names of unfinished files begin: who lists a folder leaves them out."""


class AtomicFile:
    """Context manager: gives the path of a new file beside the target, which takes the target's name at its end.

    When the block raises, the new file is removed and the target is as it was. mode: of the finished file; default:
    what DEFTUNES_SHARE_FILES says.
    """

    def __init__(self, target: Path, mode: int | None = None) -> None:
        self.target, self._mode = target, mode

    def __enter__(self) -> Path:
        # the suffix stays: some writers (DuckDB, archives of the JVM) go by it
        handle, name = tempfile.mkstemp(prefix=PREFIX, suffix=self.target.suffix, dir=self.target.parent)
        os.close(handle)
        self._path = Path(name)
        return self._path

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._path.chmod(file_mode() if self._mode is None else self._mode)
                with self._path.open("rb") as written:
                    os.fsync(written.fileno())
                self._path.replace(self.target)
        finally:
            self._path.unlink(missing_ok=True)
