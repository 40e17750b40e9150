"""The shop's API as a source: one GET, one JSON array of any size, streamed.

GET {api}/{entity}?start_date=…&end_date=<last day of the month, inclusive> ─► bytes ─► records ─► blocks of lines

Every way in which a reply can be wrong ends as a SourceError (tried again), as a UsageError (the request or the set-up
is wrong) or, where the reply says that it is not the whole, as DataRejected.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx

from deftunes_contract.entity import Entity
from deftunes_contract.errors import DataRejected, UsageError
from deftunes_contract.interval import Interval
from deftunes_contract.redaction import register_userinfo
from deftunes_contract.retry import Deadline
from deftunes_extract.connection import connection_error, cut_at, is_retryable, speaks_tls
from deftunes_extract.content_coding import coding_of, unpack
from deftunes_extract.json_array import TEXT_SHOWN, read_records
from deftunes_extract.metrics import RecordMetrics
from deftunes_extract.paging import Repeats, claims_of_head
from deftunes_extract.settings import ApiSettings
from deftunes_extract.source import LoadTotals, SourceError
from deftunes_extract.transport import proxy_of, tls_of

_CONNECT_SECONDS = 10.0
_TEXT_SECONDS = 5.0
"""How long the words of an error are read: some servers never end them."""
_TEXT_BYTES = 16 * TEXT_SHOWN
_EMPTY = frozenset({204, 205})
"""No content (RFC 9110 15.3.5): how some APIs send an empty list."""
_JSON = re.compile(r"(?:application|text)/json|(?!application/problem\+json)application/[\w.!#$&^+-]+\+json")
"""Content types of a JSON text: its own, the older text/json, and those of the +json suffix (RFC 6839)."""


@contextmanager
def open_client(settings: ApiSettings) -> Iterator[httpx.Client]:
    """The one place where the HTTP client is made. Raises UsageError when proxies or certificates are set wrongly."""
    headers = {"accept": "application/json", "accept-encoding": "gzip", "user-agent": "deftunes-extract"}
    url = httpx.URL(settings.api_url)
    # a password in the URL becomes a header here, so that no log line of a request can show it
    auth = (url.username, url.password) if url.userinfo else None
    register_userinfo(settings.api_url)
    with httpx.Client(
        base_url=url.copy_with(userinfo=b""),
        auth=auth,
        headers=headers,
        verify=tls_of(url),
        proxy=proxy_of(url),
        trust_env=False,  # read by the two above
        limits=httpx.Limits(max_keepalive_connections=0),  # every request has a connection of its own, which can be cut
    ) as client:
        yield client


class HttpApiSource:
    """One entity of the API for one interval."""

    def __init__(
        self, client: httpx.Client, entity: Entity, interval: Interval, read_timeout: float, may_be_empty: bool = False
    ) -> None:
        """`read_timeout`: the longest time in seconds without a byte; `may_be_empty`: accept an empty reply."""
        self._client, self._entity, self._read_timeout, self._may_be_empty = client, entity, read_timeout, may_be_empty
        self._advice = f"if there were none, add --allow-empty {entity.name}:{interval.month}"
        # the API's end_date belongs to the answer; our interval's end does not
        dates = {"start_date": str(interval.start), "end_date": str(interval.last_day)}
        self._request = client.build_request("GET", entity.name, params=dates)
        self.name = str(self._request.url)

    def read(self, deadline: Deadline, put: Callable[[bytes, int], None]) -> LoadTotals:
        """Put the whole reply in blocks, one record a line. Raises SourceError or a StageError."""
        metrics = RecordMetrics(self._entity)
        with cut_at(deadline, self._request), self._reply(deadline) as reply:
            self._check_response(reply, deadline)
            # repeats matter where a total could hide what they stand in for
            repeats = Repeats() if self._claims(reply, came=0) else None
            for records in read_records(self._content(reply, deadline)) if reply.status_code not in _EMPTY else ():
                metrics.add(records)
                metrics.check_strays()
                put(b"\n".join([*records, b""]), len(records))
                if repeats:
                    repeats.add(records)
        metrics.check_strays(at_end=True)
        self._check_complete(reply, metrics.totals.records, repeats.count if repeats else 0)
        return metrics.totals

    @contextmanager
    def _reply(self, deadline: Deadline) -> Iterator[httpx.Response]:
        """The reply with its head, its body still to be read."""
        deadline.check(self.name)
        limit = deadline.remaining
        self._request.extensions["timeout"] = httpx.Timeout(
            min(self._read_timeout, limit), connect=min(_CONNECT_SECONDS, limit)
        ).as_dict()
        with self._translate_errors(deadline, in_head=True):
            reply = self._client.send(self._request, stream=True)
        try:
            yield reply
        finally:
            reply.close()

    def _content(self, reply: httpx.Response, deadline: Deadline) -> Iterator[bytes]:
        """The body, unpacked."""
        coding = coding_of(reply.headers.get_list("content-encoding"))
        with self._translate_errors(deadline, in_head=False):
            yield from unpack(reply.iter_raw(), coding, lambda: deadline.check(self.name))
        deadline.check(self.name)  # where nothing says how long a body is, a connection that is cut looks like its end

    def _check_response(self, reply: httpx.Response, deadline: Deadline) -> None:
        """Raises what the head says: SourceError, or UsageError when the request or the set-up is wrong."""
        code, wait = reply.status_code, _retry_after(reply)
        if code in (200, 206):  # a part of the whole is counted first, so that both figures can be said
            kind = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
            if not _JSON.fullmatch(kind):
                raise SourceError(
                    f"{self.name}: expected content type application/json, found {kind or 'none'!r}"
                    f"{self._error_text(reply, deadline)}",
                    DataRejected,
                )
            return
        if code in _EMPTY and self._may_be_empty:
            return
        found = f"{code} {reply.reason_phrase}".strip()
        if reply.is_redirect:
            found += f" to {reply.headers.get('location', 'nowhere')[:TEXT_SHOWN]!r}"
        found += self._error_text(reply, deadline)
        if is_retryable(code) or code == 202 or wait is not None:
            # 202: being prepared. Retry-After says that asking again helps, whatever the status (RFC 9110 10.2.3)
            raise SourceError(f"{self.name} answers {found}", retry_after=wait)
        if reply.is_redirect:
            raise UsageError(f"{self.name}: expected 200, found {found}; correct DEFTUNES_API_URL")
        if code == 407:
            raise UsageError(
                f"{self.name}: expected 200, found {found}; put user and password of the proxy into HTTP_PROXY, "
                "HTTPS_PROXY or ALL_PROXY"
            )
        if reply.is_error:
            raise UsageError(f"{self.name}: expected 200, found {found}; correct DEFTUNES_API_URL or the API")
        advice = f" and no records; {self._advice}" if code in _EMPTY else ""
        raise SourceError(f"{self.name}: expected 200, found {found}{advice}", DataRejected)

    def _error_text(self, reply: httpx.Response, deadline: Deadline) -> str:
        """The server's own words, as ": …": at most 200 characters, and not waited for longer than a few seconds."""
        limit = min(_TEXT_SECONDS, deadline.remaining)
        # httpcore looks this up when it begins to read the body
        self._request.extensions["timeout"]["read"] = limit
        patience = Deadline(limit)

        def enough() -> None:
            if len(body) >= _TEXT_BYTES or not patience.remaining:
                raise SourceError("enough has been read")

        body = b""
        try:
            coding = coding_of(reply.headers.get_list("content-encoding"))
        except SourceError as other:
            return f" ({other})"
        try:
            for piece in unpack(reply.iter_raw(), coding, enough):
                body += piece[:_TEXT_BYTES]
        except (httpx.HTTPError, SourceError):
            pass  # what has come is what there is to show
        deadline.check(self.name)
        text = " ".join(body.decode("utf-8", "replace").split())
        shown = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text[:TEXT_SHOWN])
        return f": {shown}" if shown else ""

    def _claims(self, reply: httpx.Response, came: int) -> list[str]:
        return claims_of_head(reply.status_code, reply.headers.raw, self.name, came)

    def _check_complete(self, reply: httpx.Response, came: int, repeated: int) -> None:
        """Raises DataRejected when the head says that this was not all."""
        if claims := self._claims(reply, came - repeated):
            twice = f" ({repeated:,} of them for the second time)" if repeated else ""
            raise DataRejected(
                f"{self.name}: expected all records in one reply, found {came:,}{twice} and more announced by "
                f"{'; '.join(claims)}; nothing was delivered and the earlier delivery is intact. Have the API send the "
                "month in one reply: pages are not followed"
            )

    @contextmanager
    def _translate_errors(self, deadline: Deadline, in_head: bool) -> Iterator[None]:
        """Names what httpx found."""
        try:
            yield
        except (httpx.TransportError, UnicodeError) as broken:
            deadline.check(self.name)  # the connection was cut for it
            url = self._request.url
            hung_up = in_head and isinstance(broken, httpx.RemoteProtocolError | httpx.ReadError)
            directly = url.scheme == "http" and proxy_of(url) is None
            if hung_up and directly and speaks_tls(url, min(_TEXT_SECONDS, deadline.remaining)):
                raise UsageError(
                    f"{self.name}: expected HTTP, found a server that speaks TLS; write https:// in DEFTUNES_API_URL"
                ) from broken
            raise connection_error(broken, self.name, in_head) from broken


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
