"""The shop's API as a source: one GET, one JSON array of any size, streamed.

GET {api}/{entity}?start_date=…&end_date=<last day of the month, inclusive> ─► bytes ─► records ─► blocks of lines

Every way in which a reply can be wrong ends as a SourceFault (tried again) or as a UsageError (the request is wrong).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx

from deftunes_contract.entity import Entity
from deftunes_contract.exits import DataRefused, UsageError
from deftunes_contract.interval import Interval
from deftunes_extract.figures import Figures, Totals
from deftunes_extract.patience import Deadline, SourceFault
from deftunes_extract.settings import ApiSettings
from deftunes_extract.stream import read_records

_CONNECT_SECONDS = 10.0
_PASSING = frozenset({408, 425, 429})
"""Client errors that pass by themselves; every server error is taken to pass too."""


@contextmanager
def open_client(settings: ApiSettings) -> Iterator[httpx.Client]:
    """The one place where the HTTP client is made. Proxies come from the environment, but not for this machine."""
    direct = {"all://localhost": None, "all://127.0.0.1": None, "all://[::1]": None}
    headers = {"accept": "application/json", "accept-encoding": "gzip", "user-agent": "deftunes-extract"}
    url = httpx.URL(settings.api_url)
    # a password in the URL becomes a header here, so that no log line of a request can show it
    auth = (url.username, url.password) if url.userinfo else None
    with httpx.Client(base_url=url.copy_with(userinfo=b""), auth=auth, headers=headers, mounts=direct) as client:
        yield client


class ApiSource:
    """One entity of the API for one interval."""

    def __init__(self, client: httpx.Client, entity: Entity, interval: Interval, silence: float) -> None:
        self._client, self._entity, self._silence = client, entity, silence
        # the API's end_date belongs to the answer; our interval's end does not
        dates = {"start_date": str(interval.start), "end_date": str(interval.last_day)}
        self._request = client.build_request("GET", entity.name, params=dates)
        self.name = str(self._request.url)

    def read(self, deadline: Deadline, put: Callable[[bytes, int], None]) -> Totals:
        """Put the whole reply in blocks, one record a line. Raises SourceFault, UsageError or Temporary."""
        figures = Figures(self._entity)
        for records in read_records(self._body(deadline)):
            figures.add(records)
            put(b"\n".join([*records, b""]), len(records))
        return figures.totals

    def _body(self, deadline: Deadline) -> Iterator[bytes]:
        """The reply's bytes, after a look at its head."""
        deadline.check(self.name)
        limit = deadline.remaining
        self._request.extensions["timeout"] = httpx.Timeout(
            min(self._silence, limit), connect=min(_CONNECT_SECONDS, limit)
        ).as_dict()
        with self._faults():
            reply = self._client.send(self._request, stream=True)
            try:
                self._look_at(reply)
                for chunk in reply.iter_bytes():
                    yield chunk
                    deadline.check(self.name)
            finally:
                reply.close()

    def _look_at(self, reply: httpx.Response) -> None:
        status = f"{reply.status_code} {reply.reason_phrase}".strip()
        if reply.status_code in _PASSING or reply.status_code >= 500:
            raise SourceFault(f"{self.name} answers {status}", retry_after=_retry_after(reply))
        if reply.is_redirect:
            raise UsageError(
                f"{self.name}: expected 200, found {status} to {reply.headers.get('location', 'nowhere')!r}; "
                "correct DEFTUNES_API_URL"
            )
        if reply.is_client_error:
            raise UsageError(
                f"{self.name}: expected 200, found {status}: {_text(reply)}; correct DEFTUNES_API_URL or the API"
            )
        if reply.status_code != 200:
            raise SourceFault(f"{self.name}: expected 200, found {status}", DataRefused)
        kind = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise SourceFault(
                f"{self.name}: expected content type application/json, found {kind or 'none'!r}", DataRefused
            )

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Names what httpx found."""
        try:
            yield
        except httpx.TimeoutException as late:
            raise SourceFault(f"{self.name} is silent for too long ({type(late).__name__})") from late
        except httpx.DecodingError as garbled:
            raise SourceFault(f"{self.name}: the reply's compression is broken ({garbled})", DataRefused) from garbled
        except httpx.TransportError as broken:
            raise SourceFault(f"{self.name}: the connection failed ({type(broken).__name__}: {broken})") from broken


def _text(reply: httpx.Response) -> str:
    """The server's own words, at most 200 characters."""
    try:
        first = next(reply.iter_text(200), "")
    except (httpx.HTTPError, UnicodeError):
        return "(unreadable)"
    return " ".join(first.split())


def _retry_after(reply: httpx.Response) -> float | None:
    """Seconds that the server asks to wait, given as seconds or as an HTTP date; None when it does not say."""
    asked = reply.headers.get("retry-after", "").strip()
    if asked.isdecimal():
        return float(asked)
    try:
        moment = parsedate_to_datetime(asked)
    except ValueError:
        return None
    wait: timedelta = moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)
    return max(0.0, wait.total_seconds())
