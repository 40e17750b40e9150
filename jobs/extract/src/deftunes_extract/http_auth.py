"""How a request proves who sends it. Secrets come from mounted files and are read before each request.

options of the contract, settings of the server ─► Auth ─► a header, or a parameter of the query

A secret that is rejected (401) is renewed once: a file that holds another value by now, a token that had worked before.
What is rejected freshly is wrong, and no waiting cures that.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import httpx

from deftunes_contract.errors import UsageError
from deftunes_contract.http_source import ApiKeyAuth, BearerAuth, HttpBasicAuth, HttpSource, OAuth2ClientCredentials
from deftunes_contract.redaction import register, register_login
from deftunes_contract.retry import Deadline
from deftunes_contract.settings import read_secret
from deftunes_extract.http_settings import HttpServerSettings, checked_url

_EARLY_SECONDS = 30.0
"""A token is renewed so long before it expires, or at nine tenths of its life where that is short."""

FetchToken = Callable[[httpx.Request, Deadline], bytes]
"""Sends a request to the token endpoint and returns the reply's body."""


class Auth(Protocol):
    """Adds what proves the sender."""

    def apply(self, request: httpx.Request, deadline: Deadline) -> None:
        """Add it to a request. Raises UsageError when a secret cannot be read."""

    def accepted(self) -> None:
        """The server accepted the last request."""

    def renew(self) -> bool:
        """The server rejected the last request (401): whether another one could be accepted."""


class Anonymous:
    """Sends nothing."""

    def apply(self, request: httpx.Request, deadline: Deadline) -> None:
        """Nothing to add."""

    def accepted(self) -> None:
        """Nothing to remember."""

    def renew(self) -> bool:
        """Nothing to renew."""
        return False


class FileSecret(Anonymous):
    """A secret of a mounted file; `add` puts it into the request."""

    def __init__(self, file: Path, variable: str, add: Callable[[httpx.Request, str], None]) -> None:
        self._file, self._variable, self._add, self._sent = file, variable, add, ""

    def apply(self, request: httpx.Request, deadline: Deadline) -> None:
        """Read the file and add its content."""
        self._sent = _secret(self._file, self._variable)
        self._add(request, self._sent)

    def renew(self) -> bool:
        """Whether the file holds another secret by now."""
        return _secret(self._file, self._variable) != self._sent


class OAuth2(Anonymous):
    """Tokens of a token endpoint (RFC 6749 4.4), each used until it expires or is rejected."""

    def __init__(
        self,
        options: OAuth2ClientCredentials,
        settings: HttpServerSettings,
        url: str,
        fetch: FetchToken,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options, self._settings, self._url, self._fetch, self._clock = options, settings, url, fetch, clock
        self._token, self._expires, self._worked = "", 0.0, False

    def apply(self, request: httpx.Request, deadline: Deadline) -> None:
        """Add a token, a new one when there is none or it is about to expire."""
        if not self._token or self._clock() >= self._expires:
            self._new_token(deadline)
        request.headers["authorization"] = f"Bearer {self._token}"

    def accepted(self) -> None:
        """The token works."""
        self._worked = True

    def renew(self) -> bool:
        """A token that worked has expired early; a new one that is rejected will be rejected again."""
        worked, self._token, self._worked = self._worked, "", False
        return worked

    def _new_token(self, deadline: Deadline) -> None:
        options, settings = self._options, self._settings
        assert settings.client_secret_file is not None  # auth_of has checked it
        secret = _secret(settings.client_secret_file, settings.variable("client_secret_file"))
        register_login(settings.client_id, secret)
        data = {"grant_type": "client_credentials", **options.access_token_request_data}
        headers = {"accept": "application/json"}
        if options.client_authentication == "basic":
            headers["authorization"] = _basic(settings.client_id, secret)
        else:
            data |= {"client_id": settings.client_id, "client_secret": secret}
        body = self._fetch(httpx.Request("POST", self._url, data=data, headers=headers), deadline)
        try:
            reply: Any = json.loads(body)
        except (ValueError, RecursionError):
            reply = None
        token = reply.get("access_token") if isinstance(reply, dict) else None
        if not isinstance(token, str) or not _is_sendable(token):
            raise UsageError(
                f"{self._url}: expected a JSON object with access_token, found a reply without one; correct "
                f"{settings.variable('token_url')} or access_token_url"
            )
        register(token)
        try:
            lifetime = float(reply.get("expires_in") or options.default_token_expiration)
        except (TypeError, ValueError):
            lifetime = float(options.default_token_expiration)
        self._token, self._worked = token, False
        self._expires = self._clock() + max(lifetime - _EARLY_SECONDS, 0.9 * lifetime)


def auth_of(source: HttpSource, settings: HttpServerSettings, fetch: FetchToken) -> Auth:
    """The authentication of a source. Raises UsageError that names every variable that is missing."""
    options = source.auth
    match options:
        case BearerAuth():
            file = _required(settings, source, "token_file")
            return FileSecret(file, settings.variable("token_file"), _header("authorization", "Bearer "))
        case ApiKeyAuth():
            file = _required(settings, source, "token_file")
            add = _header(options.name) if options.location == "header" else _query(options.name)
            return FileSecret(file, settings.variable("token_file"), add)
        case HttpBasicAuth():
            file = _required(settings, source, "password_file", "user")
            return FileSecret(file, settings.variable("password_file"), _login(settings.user))
        case OAuth2ClientCredentials():
            _required(settings, source, "client_secret_file", "client_id")
            return OAuth2(options, settings, _token_url(options, settings), fetch)
    return Anonymous()


def secret_parameter(source: HttpSource) -> str | None:
    """The query parameter that holds a secret, when there is one."""
    is_query = isinstance(source.auth, ApiKeyAuth) and source.auth.location == "query"
    return source.auth.name if isinstance(source.auth, ApiKeyAuth) and is_query else None


def _token_url(options: OAuth2ClientCredentials, settings: HttpServerSettings) -> str:
    url = settings.token_url or options.access_token_url
    if "://" not in url:
        url = str(httpx.URL(settings.url).copy_with(userinfo=b"")).rstrip("/") + "/" + url.lstrip("/")
    try:
        checked_url(url, settings.allow_unverified)
    except ValueError as wrong:
        raise UsageError(f"access_token_url or {settings.variable('token_url')}: {wrong}") from None
    return url


def _required(settings: HttpServerSettings, source: HttpSource, file: str, *others: str) -> Path:
    missing = [settings.variable(name) for name in (*others, file) if not getattr(settings, name)]
    if missing:
        raise UsageError(
            f"server {source.server}: auth {source.auth.type} needs {' and '.join(missing)}; see docs/sources.md"
        )
    return Path(getattr(settings, file))


def _secret(file: Path, variable: str) -> str:
    """The content of a mounted file. Raises UsageError when it is empty or cannot be sent."""
    secret = read_secret(file, variable)
    if not secret or any(ord(c) < 0x20 or ord(c) == 0x7F for c in secret):
        raise UsageError(f"{variable}: expected a secret on one line in {file}, found none or several lines")
    return secret


def _is_sendable(token: str) -> bool:
    return bool(token) and token.isascii() and token.isprintable() and " " not in token


def _header(name: str, prefix: str = "") -> Callable[[httpx.Request, str], None]:
    def add(request: httpx.Request, secret: str) -> None:
        if not secret.isascii():
            raise UsageError(f"header {name}: expected a secret of ASCII characters, found others in its file")
        request.headers[name] = prefix + secret

    return add


def _query(name: str) -> Callable[[httpx.Request, str], None]:
    def add(request: httpx.Request, secret: str) -> None:
        request.url = request.url.copy_set_param(name, secret)

    return add


def _login(user: str) -> Callable[[httpx.Request, str], None]:
    def add(request: httpx.Request, secret: str) -> None:
        register_login(user, secret)
        request.headers["authorization"] = _basic(user, secret)

    return add


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
