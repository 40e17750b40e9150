"""One reply of an HTTP server: what its head means, and its content in pieces.

request ─► connection (cut at the deadline) ─► head: accepted, SourceError or UsageError ─► content, unpacked

A fault that may pass is a SourceError and is tried again; a request or a set-up that is wrong is a UsageError.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx

from deftunes_contract.errors import DataRejected, UsageError
from deftunes_contract.http_source import HttpSource
from deftunes_contract.retry import Deadline
from deftunes_extract.connection import connection_error, cut_at, is_retryable, speaks_tls
from deftunes_extract.content_coding import coding_of, unpack
from deftunes_extract.http_settings import HttpServerSettings
from deftunes_extract.json_array import TEXT_SHOWN
from deftunes_extract.source import SourceError
from deftunes_extract.transport import proxy_of

_CONNECT_SECONDS = 10.0
_TEXT_SECONDS = 5.0
"""How long the text of an error is read: some servers never end it."""
_TEXT_BYTES = 16 * TEXT_SHOWN
_JSON = re.compile(r"(?:application|text)/json|(?!application/problem\+json)application/[\w.!#$&^+-]+\+json")
"""Content types of a JSON text: its own, the older text/json, and those of the +json suffix (RFC 6839)."""
_NDJSON = re.compile(r"application/(?:x-)?(?:ndjson|jsonl|jsonlines|json-lines|json)|text/(?:plain|x-ndjson)")
"""NDJSON has no registered type; these are the ones in use."""
MEDIA_TYPES = {"json": ("application/json", _JSON), "ndjson": ("application/x-ndjson", _NDJSON)}
"""What is asked for, and the types that are accepted, by response format."""
_SECRET_OF = {
    "bearer": "token_file",
    "api_key": "token_file",
    "http_basic": "password_file",
    "oauth2_client_credentials": "client_secret_file",
}
"""The setting that holds what each kind of auth sends."""
_EMPTY = frozenset({204, 205})
"""No content (RFC 9110 15.3.5): how some APIs send an empty list."""


@dataclass(frozen=True)
class Origin:
    """Whose reply it is: what the contract says of the source, and the settings of its server."""

    source: HttpSource
    settings: HttpServerSettings


class HttpReply:
    """One reply: what its head says, then its content. `name` is its URL as it may be shown."""

    def __init__(
        self,
        stack: ExitStack,
        client: httpx.Client,
        origin: Origin,
        request: httpx.Request,
        name: str,
        deadline: Deadline,
    ) -> None:
        """`stack` closes the reply and its connection."""
        self._origin, self._request, self.name, self._deadline = origin, request, name, deadline
        deadline.check(name)
        stack.enter_context(cut_at(deadline, request))
        limit = deadline.remaining
        request.extensions["timeout"] = httpx.Timeout(
            min(origin.settings.timeout, limit), connect=min(_CONNECT_SECONDS, limit)
        ).as_dict()
        with self._translate_errors(in_head=True):
            self._response = client.send(request, stream=True)
        stack.callback(self._response.close)
        self.status, self.headers = self._response.status_code, self._response.headers

    @property
    def is_empty(self) -> bool:
        """No content, by its status."""
        return self.status in _EMPTY

    def content(self) -> Iterator[bytes]:
        """The body, unpacked."""
        coding = coding_of(self.headers.get_list("content-encoding"))
        if self._origin.source.response_format == "ndjson" and not coding and not self._has_length():
            raise SourceError(
                f"{self.name}: expected Content-Length or chunks, found a reply whose end nothing marks; one that is "
                "cut short would look complete",
                DataRejected,
            )
        with self._translate_errors(in_head=False):
            yield from unpack(self._response.iter_raw(), coding, lambda: self._deadline.check(self.name))
        self._deadline.check(self.name)  # where nothing says how long a body is, a cut connection looks like its end

    def check(self, may_be_empty: bool = False, advice: str = "", was_announced: bool = False) -> None:
        """Raises what the head says: SourceError, or UsageError when the request or the set-up is wrong.

        may_be_empty: accept a reply without content; advice: what to do when it is true and not accepted.
        was_announced: an earlier page named this one, so the server is wrong when there is none.
        """
        code, wait = self.status, _retry_after(self.headers)
        if code in (200, 206):  # 206 is counted first, so that both figures can be given
            expected, pattern = MEDIA_TYPES[self._origin.source.response_format]
            kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
            if not pattern.fullmatch(kind):
                raise SourceError(
                    f"{self.name}: expected content type {expected}, found {kind or 'none'!r}{self.error_text()}",
                    DataRejected,
                )
            return
        if self.is_empty and may_be_empty:
            return
        redirected = self._response.is_redirect
        found = f"{code} {self._response.reason_phrase}".strip()
        if redirected:
            found += f" to {self.headers.get('location', 'nowhere')[:TEXT_SHOWN]!r}"
        found += self.error_text()
        if is_retryable(code) or code == 202 or wait is not None:
            # 202: being prepared. Retry-After says that asking again helps, whatever the status (RFC 9110 10.2.3)
            raise SourceError(f"{self.name} answers {found}", retry_after=wait)
        if was_announced and code not in (401, 403, 407) and not redirected:
            raise SourceError(f"{self.name}: an earlier page announced this one, and it answers {found}")
        if code == 407:
            raise UsageError(
                f"{self.name}: expected 200, found {found}; put user and password of the proxy into HTTP_PROXY, "
                "HTTPS_PROXY or ALL_PROXY"
            )
        if redirected or self._response.is_error:
            raise UsageError(f"{self.name}: expected 200, found {found}; {self._advice(redirected, code)}")
        found += f" and no records; {advice}" if self.is_empty and advice else ""
        raise SourceError(f"{self.name}: expected 200, found {found}", DataRejected)

    def error_text(self) -> str:
        """The server's own text, as ": …": at most 200 characters, and not waited for longer than a few seconds."""
        limit = min(_TEXT_SECONDS, self._deadline.remaining)
        # httpcore looks this up when it begins to read the body
        self._request.extensions["timeout"]["read"] = limit
        reading = Deadline(limit)

        def stop_at_limit() -> None:
            if len(body) >= _TEXT_BYTES or not reading.remaining:
                raise SourceError("enough has been read")

        body = b""
        try:
            coding = coding_of(self.headers.get_list("content-encoding"))
        except SourceError as other:
            return f" ({other})"
        try:
            for piece in unpack(self._response.iter_raw(), coding, stop_at_limit):
                body += piece[:_TEXT_BYTES]
        except (httpx.HTTPError, SourceError):
            pass  # what has come is what there is to show
        self._deadline.check(self.name)
        text = " ".join(body.decode("utf-8", "replace").split())
        shown = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text[:TEXT_SHOWN])
        return f": {shown}" if shown else ""

    def _has_length(self) -> bool:
        return "content-length" in self.headers or "chunked" in self.headers.get("transfer-encoding", "").lower()

    def _advice(self, redirected: bool, code: int) -> str:
        settings, auth = self._origin.settings, self._origin.source.auth.type
        if code in (401, 403) and auth != "none":
            return f"correct the secret in {settings.variable(_SECRET_OF[auth])}, or its rights"
        return f"correct {settings.variable('url')}{'' if redirected else ' or the API'}"

    @contextmanager
    def _translate_errors(self, in_head: bool) -> Iterator[None]:
        """Names what httpx found."""
        try:
            yield
        except (httpx.TransportError, UnicodeError) as broken:
            self._deadline.check(self.name)  # the connection was cut for it
            url, variable = self._request.url, self._origin.settings.variable("url")
            closed = in_head and isinstance(broken, httpx.RemoteProtocolError | httpx.ReadError)
            directly = url.scheme == "http" and proxy_of(url) is None
            if closed and directly and speaks_tls(url, min(_TEXT_SECONDS, self._deadline.remaining)):
                raise UsageError(
                    f"{self.name}: expected HTTP, found a server that speaks TLS; write https:// in {variable}"
                ) from broken
            raise connection_error(broken, self.name, in_head, variable) from broken


def _retry_after(headers: httpx.Headers) -> float | None:
    """Seconds that the server asks to wait, given as seconds or as an HTTP date; None when it does not say."""
    asked = headers.get("retry-after", "").strip()
    if asked.isdecimal():
        return float(asked)
    try:
        moment = parsedate_to_datetime(asked)
    except ValueError:
        return None
    wait: timedelta = moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)
    return max(0.0, wait.total_seconds())
