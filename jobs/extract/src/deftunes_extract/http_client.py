"""Requests to one HTTP server: proxies, certificates, authentication, rate limit, redirects, and what a reply means.

URL ─► request (auth, rate limit) ─► connection (cut at the deadline) ─► HttpReply: head checked, body in pieces

Every way in which a reply can be wrong ends as a SourceError (tried again) or as a UsageError (the request or the
set-up is wrong). Secrets and records never leave the server's own origin: a redirect elsewhere is refused.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx

from deftunes_contract.errors import DataRejected, UsageError
from deftunes_contract.http_source import HttpSource
from deftunes_contract.redaction import redact, register_userinfo
from deftunes_contract.retry import Deadline
from deftunes_extract.connection import connection_error, cut_at, is_retryable, speaks_tls
from deftunes_extract.content_coding import coding_of, unpack
from deftunes_extract.http_auth import Anonymous, Auth, auth_of, secret_parameter
from deftunes_extract.http_settings import HttpServerSettings
from deftunes_extract.json_array import TEXT_SHOWN
from deftunes_extract.rate_limit import RateLimit
from deftunes_extract.source import SourceError
from deftunes_extract.transport import proxy_of, tls_of

_CONNECT_SECONDS = 10.0
_TEXT_SECONDS = 5.0
"""How long the text of an error is read: some servers never end it."""
_TEXT_BYTES = 16 * TEXT_SHOWN
_MOST_REDIRECTS = 5
_LARGEST_TOKEN_REPLY = 1 << 16
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_JSON = re.compile(r"(?:application|text)/json|(?!application/problem\+json)application/[\w.!#$&^+-]+\+json")
"""Content types of a JSON text: its own, the older text/json, and those of the +json suffix (RFC 6839)."""
_NDJSON = re.compile(r"application/(?:x-)?(?:ndjson|jsonl|jsonlines|json-lines|json)|text/(?:plain|x-ndjson)")
"""NDJSON has no registered type; these are the ones in use."""
_TYPES = {"json": ("application/json", _JSON), "ndjson": ("application/x-ndjson", _NDJSON)}
_EMPTY = frozenset({204, 205})
"""No content (RFC 9110 15.3.5): how some APIs send an empty list."""


class HttpClient:
    """Sends the requests of one source. `root` is the server's URL without user and password."""

    def __init__(self, settings: HttpServerSettings, client: httpx.Client, auth: Auth, source: HttpSource) -> None:
        self.settings, self._client, self._auth = settings, client, auth
        self.source, self.root = source, client.base_url
        self.rate_limit = RateLimit(source.requests_per_second)
        self._secret_parameter = secret_parameter(source)

    @contextmanager
    def get(self, url: httpx.URL, deadline: Deadline) -> Iterator[HttpReply]:
        """The reply to a GET, its head not yet checked and its body still to be read.

        A redirect within the origin is followed. A rejected secret (401) is renewed once, if there is another one.
        """
        asked, redirects = self.without_secret(url), 0
        while True:
            self.rate_limit.wait(deadline)
            request = self._client.build_request("GET", asked)
            self._auth.apply(request, deadline)
            with ExitStack() as stack:
                reply = HttpReply(stack, self, request, str(asked), deadline)
                if reply.status == 401 and self._auth.renew():
                    continue
                if (
                    reply.status in _REDIRECTS
                    and (target := self._redirect(reply, asked))
                    and redirects < _MOST_REDIRECTS
                ):
                    asked, redirects = target, redirects + 1
                    continue
                if reply.status != 401:
                    self._auth.accepted()
                yield reply
                return

    def without_secret(self, url: httpx.URL) -> httpx.URL:
        """A URL that may be shown: some servers repeat the key of a request in the next page's URL."""
        if self._secret_parameter and self._secret_parameter in url.params:
            url = url.copy_remove_param(self._secret_parameter)
        return url.copy_with(userinfo=b"", fragment=None) if url.userinfo or url.fragment else url

    def is_same_origin(self, url: httpx.URL) -> bool:
        """Whether a URL is of this server: scheme, host and port."""
        return _origin(url) == _origin(self.root)

    def _redirect(self, reply: HttpReply, asked: httpx.URL) -> httpx.URL | None:
        """Where a redirect leads, when that is the same request on the same origin."""
        try:
            target = self.without_secret(asked.join(reply.headers.get("location", "")))
        except (httpx.InvalidURL, ValueError):
            return None
        keeps_query = set(asked.params.multi_items()) <= set(target.params.multi_items())
        return target if self.is_same_origin(target) and keeps_query else None

    def send(self, request: httpx.Request) -> httpx.Response:
        """The response with its body still to be read."""
        return self._client.send(request, stream=True)


class HttpReply:
    """One reply: what its head says, then its content. `name` is its URL as it may be shown."""

    def __init__(
        self, stack: ExitStack, client: HttpClient, request: httpx.Request, name: str, deadline: Deadline
    ) -> None:
        self._client, self._request, self.name, self._deadline = client, request, name, deadline
        deadline.check(name)
        stack.enter_context(cut_at(deadline, request))
        limit = deadline.remaining
        request.extensions["timeout"] = httpx.Timeout(
            min(client.settings.timeout, limit), connect=min(_CONNECT_SECONDS, limit)
        ).as_dict()
        with self._translate_errors(in_head=True):
            self._response = client.send(request)
        stack.callback(self._response.close)
        self.status, self.headers = self._response.status_code, self._response.headers

    @property
    def is_empty(self) -> bool:
        """No content, by its status."""
        return self.status in _EMPTY

    def content(self) -> Iterator[bytes]:
        """The body, unpacked."""
        coding = coding_of(self.headers.get_list("content-encoding"))
        if self._client.source.response_format == "ndjson" and not coding and not self._has_length():
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
            expected, pattern = _TYPES[self._client.source.response_format]
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
        settings, auth = self._client.settings, self._client.source.auth.type
        if code in (401, 403) and auth != "none":
            return f"correct the secret that auth {auth} of server {self._client.source.server} uses, or its rights"
        return f"correct {settings.variable('url')}{'' if redirected else ' or the API'}"

    @contextmanager
    def _translate_errors(self, in_head: bool) -> Iterator[None]:
        """Names what httpx found."""
        try:
            yield
        except (httpx.TransportError, UnicodeError) as broken:
            self._deadline.check(self.name)  # the connection was cut for it
            url, variable = self._request.url, self._client.settings.variable("url")
            closed = in_head and isinstance(broken, httpx.RemoteProtocolError | httpx.ReadError)
            directly = url.scheme == "http" and proxy_of(url) is None
            if closed and directly and speaks_tls(url, min(_TEXT_SECONDS, self._deadline.remaining)):
                raise UsageError(
                    f"{self.name}: expected HTTP, found a server that speaks TLS; write https:// in {variable}"
                ) from broken
            raise connection_error(broken, self.name, in_head, variable) from broken


@contextmanager
def open_client(source: HttpSource, settings: HttpServerSettings) -> Iterator[HttpClient]:
    """The one place where an HTTP client is made. Raises UsageError for wrong proxies, certificates and secrets."""
    register_userinfo(settings.url)
    for name in ("httpx", "httpcore.http11"):  # they log URLs and headers, and a key may stand in a query
        logging.getLogger(name).addFilter(_redact_record)
    with ExitStack() as stack:
        client = stack.enter_context(_new_client(httpx.URL(settings.url), source, settings))

        def fetch_token(request: httpx.Request, deadline: Deadline) -> bytes:
            with _new_client(request.url, source, settings, is_token=True) as other:
                return _read_token(HttpClient(settings, other, Anonymous(), source), request, deadline)

        yield HttpClient(settings, client, auth_of(source, settings, fetch_token), source)


def _new_client(
    url: httpx.URL, source: HttpSource, settings: HttpServerSettings, is_token: bool = False
) -> httpx.Client:
    headers = {"accept": _TYPES[source.response_format][0], "accept-encoding": "gzip", "user-agent": "deftunes-extract"}
    # a password in the URL becomes a header here, so that no log line of a request can show it
    auth = (url.username, url.password) if url.userinfo and not is_token else None
    return httpx.Client(
        base_url=url.copy_with(userinfo=b""),
        auth=auth,
        headers={**headers, **({} if is_token else source.headers)},
        verify=tls_of(url, settings=settings),
        proxy=proxy_of(url),
        trust_env=False,  # read by the two above
        limits=httpx.Limits(max_keepalive_connections=0),  # every request has a connection of its own, which can be cut
    )


def _read_token(client: HttpClient, request: httpx.Request, deadline: Deadline) -> bytes:
    """The body of a token endpoint's reply."""
    with ExitStack() as stack:
        reply = HttpReply(stack, client, request, str(request.url), deadline)
        if 400 <= reply.status < 500 and not is_retryable(reply.status):
            settings = client.settings
            raise UsageError(
                f"{reply.name}: expected a token, found {reply.status}{reply.error_text()}; correct "
                f"{settings.variable('client_id')}, {settings.variable('client_secret_file')} or the token endpoint"
            )
        if reply.status != 200:
            reply.check()
            raise SourceError(f"{reply.name}: expected a token, found {reply.status}", DataRejected)
        body = b""
        for piece in reply.content():
            body += piece
            if len(body) > _LARGEST_TOKEN_REPLY:
                raise SourceError(f"{reply.name}: expected a token, found a reply beyond 64 KiB", DataRejected)
        return body


def _redact_record(record: logging.LogRecord) -> bool:
    record.msg, record.args = redact(record.getMessage()), ()
    return True


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host.rstrip("."), url.port or {"http": 80, "https": 443}.get(url.scheme)


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
