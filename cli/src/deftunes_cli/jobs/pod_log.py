"""A pod's log lines, each once and whole, over streams that stall, break off or begin again.

Every stream asks for what is younger than the last line seen, but the server cuts that to whole seconds: lines of
that second come twice. What was already printed of it is counted and skipped; equal lines that were really written
twice have different time stamps, or are counted twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import urllib3
from urllib3.response import BaseHTTPResponse

from deftunes_cli.jobs.client import ConnectionLost, KubeClient

CHUNK = 65536
# stdout and stderr are stamped before they are put in order, so a line may be a little older than the one before
LOOK_BACK = timedelta(seconds=1)


class PodLog:
    """The log of one container of one pod; `write` gets whole lines without time stamp and line end."""

    def __init__(self, cluster: KubeClient, pod: str, container: str, write: Callable[[str], None]) -> None:
        self._cluster, self._pod, self._container, self._write = cluster, pod, container, write
        self._newest: datetime | None = None
        self._seen: Counter[str] = Counter()

    def read(self, *, follow: bool) -> bool:
        """Print what is new until the stream ends; False when it stalled or broke off. Raises NotFound."""
        repeated = Counter(self._seen)
        try:
            answer = self._cluster.log(self._pod, self._container, follow=follow, since=self._since())
        except ConnectionLost:
            return False
        try:
            self._lines(answer, repeated, last_is_whole=not follow)
        except (urllib3.exceptions.HTTPError, OSError):
            return False
        finally:
            answer.close()
        return True

    def _lines(self, answer: BaseHTTPResponse, repeated: Counter[str], *, last_is_whole: bool) -> None:
        rest = b""
        # read1: whatever is there, not a full buffer; a line shows when it is written
        while chunk := answer.read1(CHUNK):
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                self._line(line.decode("utf-8", "replace"), repeated)
        if rest and last_is_whole:
            self._line(rest.decode("utf-8", "replace"), repeated)

    def _line(self, raw: str, repeated: Counter[str]) -> None:
        if repeated[raw] > 0:
            repeated[raw] -= 1
            return
        stamp, _, text = raw.partition(" ")
        at = _moment(stamp)
        self._write(text if at else raw)
        if at and (self._newest is None or at > self._newest):
            before, self._newest = self._oldest(), at
            if self._oldest() > before:
                self._forget()
        self._seen[raw] += 1

    def _forget(self) -> None:
        oldest = self._oldest()
        kept = {line: n for line, n in self._seen.items() if (_moment(line.partition(" ")[0]) or oldest) >= oldest}
        self._seen = Counter(kept)

    def _oldest(self) -> datetime:
        return (self._newest or datetime(1, 1, 2, tzinfo=UTC)).replace(microsecond=0) - LOOK_BACK

    def _since(self) -> str:
        return f"{self._oldest().astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if self._newest else ""


def _moment(stamp: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    return at if at.tzinfo else None
