"""Requests to one HTTP server: proxies, certificates, authentication, rate limit, redirects.

URL ─► rate limit ─► request with its secret ─► HttpReply (renewed after 401, followed within the origin)

Secrets and records never leave the server's own origin: a redirect elsewhere is refused.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx

from deftunes_contract.errors import DataRejected, UsageError
from deftunes_contract.http_source import HttpSource
from deftunes_contract.redaction import redact, register_userinfo
from deftunes_contract.retry import Deadline
from deftunes_extract.connection import is_retryable
from deftunes_extract.http_auth import Auth, auth_of, secret_parameter
from deftunes_extract.http_reply import MEDIA_TYPES, HttpReply, Origin
from deftunes_extract.http_settings import HttpServerSettings
from deftunes_extract.rate_limit import rate_limit_of
from deftunes_extract.source import SourceError
from deftunes_extract.transport import proxy_of, tls_of

_MOST_REDIRECTS = 5
_LARGEST_TOKEN_REPLY = 1 << 16
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class HttpClient:
    """Sends the requests of one source. `root` is the server's URL without user and password."""

    def __init__(self, settings: HttpServerSettings, client: httpx.Client, auth: Auth, source: HttpSource) -> None:
        self._origin, self._client, self._auth = Origin(source, settings), client, auth
        self.source, self.root = source, client.base_url
        self._rate_limit = rate_limit_of(source.server, source.requests_per_second)
        self._secret_parameter = secret_parameter(source)

    @contextmanager
    def get(self, url: httpx.URL, deadline: Deadline) -> Iterator[HttpReply]:
        """The reply to a GET, its head not yet checked and its body still to be read.

        A redirect within the origin is followed. A rejected secret (401) is renewed once, if there is another one.
        """
        asked, redirects = self.without_secret(url), 0
        while True:
            self._rate_limit.wait(deadline)
            request = self._client.build_request("GET", asked)
            self._auth.apply(request, deadline)
            with ExitStack() as stack:
                reply = HttpReply(stack, self._client, self._origin, request, str(asked), deadline)
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


@contextmanager
def open_client(source: HttpSource, settings: HttpServerSettings) -> Iterator[HttpClient]:
    """The one place where an HTTP client is made. Raises UsageError for wrong proxies, certificates and secrets."""
    register_userinfo(settings.url)
    for name in ("httpx", "httpcore.http11"):  # they log URLs and headers, and a key may stand in a query
        logging.getLogger(name).addFilter(_redact_record)
    with ExitStack() as stack:
        client = stack.enter_context(_new_client(httpx.URL(settings.url), source, settings))

        as_json = source.model_copy(update={"response_format": "json"})

        def fetch_token(request: httpx.Request, deadline: Deadline) -> bytes:
            with _new_client(request.url, source, settings, is_token=True) as other:
                return _read_token(other, Origin(as_json, settings), request, deadline)

        yield HttpClient(settings, client, auth_of(source, settings, fetch_token), source)


def _new_client(
    url: httpx.URL, source: HttpSource, settings: HttpServerSettings, is_token: bool = False
) -> httpx.Client:
    headers = {
        "accept": MEDIA_TYPES[source.response_format][0],
        "accept-encoding": "gzip",
        "user-agent": "deftunes-extract",
    }
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


def _read_token(client: httpx.Client, origin: Origin, request: httpx.Request, deadline: Deadline) -> bytes:
    """The body of a token endpoint's reply."""
    with ExitStack() as stack:
        reply = HttpReply(stack, client, origin, request, str(request.url), deadline)
        if 400 <= reply.status < 500 and not is_retryable(reply.status):
            settings = origin.settings
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
