"""Every way to prove who asks: right, wrong, expired in the middle, rotated; and no secret in any output."""

from __future__ import annotations

import base64
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from paged_server import PAGINATORS, Answer, PagedServer

from deftunes_contract.http_source import http_source
from deftunes_contract.settings import from_environment
from deftunes_extract.http_auth import OAuth2, auth_of
from deftunes_extract.http_settings import http_server_settings

SECRET = "hunter2-secret"
BASIC = base64.b64encode(f"me:{SECRET}".encode()).decode()
SECRETS = {
    "bearer": "TOKEN_FILE",
    "api_key": "TOKEN_FILE",
    "http_basic": "PASSWORD_FILE",
    "oauth2_client_credentials": "CLIENT_SECRET_FILE",
}
AUTHS: dict[str, dict[str, Any]] = {
    "bearer": {"type": "bearer"},
    "http_basic": {"type": "http_basic"},
    "key in a header": {"type": "api_key", "name": "X-Shop-Key"},
    "key in the query": {"type": "api_key", "name": "shop", "location": "query"},
    "oauth2": {"type": "oauth2_client_credentials", "access_token_url": "oauth/token"},
    "oauth2 basic": {"type": "oauth2_client_credentials", "client_authentication": "basic"},
}


def sent(handler: BaseHTTPRequestHandler) -> list[str]:
    """What of a request may prove who asks."""
    query = parse_qs(urlsplit(handler.path).query)
    return [handler.headers.get("Authorization", ""), handler.headers.get("X-Shop-Key", ""), *query.get("shop", [])]


class Guard:
    """Lets in who knows the secret of the day; `expire_after` requests it becomes another one."""

    def __init__(self, server: PagedServer) -> None:
        self.server, self.secret, self.expire_after, self.seen = server, SECRET, 10**9, 0
        self.on_expiry: Callable[[], None] = lambda: None
        server.authorize = self.admits

    def admits(self, handler: BaseHTTPRequestHandler) -> bool:
        tokens = self.server.tokens
        if self.seen == self.expire_after:
            self.expire_after = 10**9
            self.on_expiry()
            tokens[:] = [f"{token}-expired" for token in tokens]
        basic = base64.b64encode(f"me:{self.secret}".encode()).decode()
        known = {self.secret, f"Bearer {self.secret}", f"Basic {basic}", *(f"Bearer {token}" for token in tokens)}
        admitted = bool(known & set(sent(handler)))
        self.seen += admitted
        return admitted


@pytest.fixture
def secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The mounted file, named by every setting that may name one."""
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    for name in ("TOKEN_FILE", "PASSWORD_FILE", "CLIENT_SECRET_FILE"):
        monkeypatch.setenv(f"DEFTUNES_PAGED_{name}", str(file))
    monkeypatch.setenv("DEFTUNES_PAGED_USER", "me")
    monkeypatch.setenv("DEFTUNES_PAGED_CLIENT_ID", "me")
    return file


@pytest.fixture
def users(make: Any) -> list[dict[str, Any]]:
    return [make.user(number) for number in range(1, 12)]


@pytest.mark.parametrize("style", sorted(PAGINATORS))
@pytest.mark.parametrize("auth", AUTHS)
def test_the_right_secret_is_sent_with_every_page_and_never_shown(
    paged: Any, users: Any, secret: Path, caplog: pytest.LogCaptureFixture, style: str, auth: str
) -> None:
    caplog.set_level("DEBUG")  # what libraries log counts too
    server = paged.server(style, users)
    guard = Guard(server)
    outcome = paged.extract(server, auth=AUTHS[auth])
    assert outcome.code == 0, outcome.said
    assert paged.landed() == users
    assert guard.seen == 3
    everything = outcome.log + caplog.text + str(paged.lake.content())
    assert not any(word in everything for word in (SECRET, BASIC, "token-number"))


@pytest.mark.parametrize("auth", AUTHS)
def test_the_wrong_secret_is_a_matter_of_configuration_and_is_not_tried_again(
    paged: Any, users: Any, secret: Path, caplog: pytest.LogCaptureFixture, auth: str
) -> None:
    caplog.set_level("DEBUG")
    secret.write_text("wrong-secret")
    server = paged.server("cursor", users)
    Guard(server)
    outcome = paged.extract(server, auth=AUTHS[auth])
    assert outcome.code == 2
    assert "found 401" in outcome.said
    assert f"DEFTUNES_PAGED_{SECRETS[AUTHS[auth]['type']]}" in outcome.said
    assert len(server.requests) + len(server.token_requests) == 1
    assert "wrong-secret" not in outcome.log + caplog.text
    assert not paged.lake.content()


@pytest.mark.parametrize("style", sorted(PAGINATORS))
@pytest.mark.parametrize("after", [1, 2])
@pytest.mark.parametrize("auth", AUTHS)
def test_a_secret_that_expires_in_the_middle_is_renewed_once_and_the_read_goes_on(
    paged: Any, users: Any, secret: Path, style: str, after: int, auth: str
) -> None:
    server = paged.server(style, users)
    guard = Guard(server)
    guard.expire_after = after

    def rotate() -> None:
        if not auth.startswith("oauth2"):
            guard.secret = "hunter3-secret"
            secret.write_text(guard.secret)

    guard.on_expiry = rotate
    outcome = paged.extract(server, auth=AUTHS[auth])
    assert outcome.code == 0, outcome.said
    assert paged.landed() == users
    assert len(server.requests) == 3 + 1
    assert len(server.token_requests) == (2 if auth.startswith("oauth2") else 0)


def test_a_file_that_changes_between_request_and_rejection_is_read_again(paged: Any, users: Any, secret: Path) -> None:
    server = paged.server("cursor", users)
    guard = Guard(server)
    guard.secret = "hunter3-secret"
    admits = server.authorize

    def rotate_late(handler: BaseHTTPRequestHandler) -> bool:
        admitted = admits(handler)
        secret.write_text(guard.secret)
        return admitted

    server.authorize = rotate_late
    assert paged.extract(server, auth=AUTHS["bearer"]).code == 0
    assert len(server.requests) == 1 + 3


@pytest.mark.parametrize("auth", AUTHS)
def test_a_secret_that_expires_for_good_ends_with_2_and_lands_nothing(
    paged: Any, users: Any, secret: Path, auth: str
) -> None:
    server = paged.server("cursor", users)
    guard = Guard(server)
    guard.expire_after = 1
    guard.on_expiry = lambda: setattr(server, "authorize", lambda _: False)
    outcome = paged.extract(server, auth=AUTHS[auth])
    assert outcome.code == 2, outcome.said
    assert not paged.lake.content()


@pytest.mark.parametrize(
    ("reply", "code", "said"),
    [
        ((500, "oops"), 75, "answers 500"),
        ((400, '{"error": "invalid_scope"}'), 2, "invalid_scope"),
        ((200, '{"token": "hunter2"}'), 2, "without one"),
        ((200, "<html>"), 2, "without one"),
        ((200, '{"access_token": "a\\nb"}'), 2, "without one"),
        ((200, '"' + "x" * 70_000 + '"'), 65, "64 KiB"),
        ((302, ""), 2, "expected 200, found 302"),
    ],
)
def test_a_token_endpoint_that_fails(
    paged: Any, users: Any, secret: Path, reply: tuple[int, str], code: int, said: str
) -> None:
    server = paged.server("cursor", users)
    server.token_reply = reply
    outcome = paged.extract(server, auth=AUTHS["oauth2"])
    assert (outcome.code, len(server.token_requests)) == (code, 1 if code == 2 else 3)
    assert said in outcome.said
    assert not server.requests


def test_a_token_is_fetched_again_before_it_expires(secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEFTUNES_PAGED_URL", "http://127.0.0.1:1")
    source = http_source("paged", {}, {"path": "users", "auth": AUTHS["oauth2"]})
    settings = from_environment(http_server_settings("paged"))
    now, fetched = [0.0], []

    def fetch(request: httpx.Request, _: Any) -> bytes:
        fetched.append(request.url)
        return b'{"access_token": "t", "expires_in": "100"}'

    made = auth_of(source, settings, fetch)
    assert isinstance(made, OAuth2)
    made._clock = lambda: now[0]
    for now[0] in (0.0, 89.0, 91.0, 100.0):
        made.apply(httpx.Request("GET", "http://127.0.0.1:1/users"), Any)
    assert len(fetched) == 2
    assert str(fetched[0]) == "http://127.0.0.1:1/oauth/token"


@pytest.mark.parametrize(
    ("auth", "missing"),
    [
        ("bearer", ["TOKEN_FILE"]),
        ("http_basic", ["USER", "PASSWORD_FILE"]),
        ("key in the query", ["TOKEN_FILE"]),
        ("oauth2", ["CLIENT_ID", "CLIENT_SECRET_FILE"]),
    ],
)
def test_settings_that_an_auth_needs_are_named(paged: Any, users: Any, auth: str, missing: list[str]) -> None:
    outcome = paged.extract(paged.server("cursor", users), auth=AUTHS[auth])
    assert outcome.code == 2
    assert all(f"DEFTUNES_PAGED_{name}" in outcome.said for name in missing)


@pytest.mark.parametrize("content", ["", " \n", "a\nb", "gehe\u00efm\u4e16"])
def test_a_secret_that_cannot_be_sent_is_named_and_not_shown(
    paged: Any, users: Any, secret: Path, content: str
) -> None:
    secret.write_text(content)
    outcome = paged.extract(paged.server("cursor", users), auth=AUTHS["bearer"])
    assert outcome.code == 2
    assert "\u4e16" not in outcome.log


def test_a_token_endpoint_on_another_host_needs_tls(paged: Any, users: Any, secret: Path) -> None:
    auth = AUTHS["oauth2"] | {"access_token_url": "http://login.example/token"}
    outcome = paged.extract(paged.server("cursor", users), auth=auth)
    assert (outcome.code, "DEFTUNES_PAGED_TOKEN_URL" in outcome.said) == (2, True)


@pytest.mark.parametrize("style", ["header_link", "json_link"])
def test_a_key_that_the_next_url_repeats_is_neither_shown_nor_sent_twice(
    paged: Any, users: Any, secret: Path, style: str
) -> None:
    server = paged.server(style, users)
    Guard(server)

    def fault(answer: Answer) -> None:
        answer.status = 503 if answer.attempt == 1 else 200

    server.fault = fault
    outcome = paged.extract(server, auth=AUTHS["key in the query"])
    assert outcome.code == 0, outcome.said
    assert "page 3" in outcome.log
    assert "shop=" not in outcome.log
    assert all(asked.count("shop=") == 1 for asked in server.requests)
    assert SECRET not in paged.lake.receipt("users").source


def test_a_redirect_elsewhere_takes_no_secret_along(paged: Any, users: Any, secret: Path) -> None:
    other, server = paged.server("cursor", users), paged.server("cursor", users)

    def fault(answer: Any) -> None:
        answer.status, answer.headers["Location"] = 307, other.url + "/api/users?from=2020-01-01&until=2020-01-31"

    server.fault = fault
    outcome = paged.extract(server, auth=AUTHS["bearer"])
    assert (outcome.code, other.requests) == (2, [])


@pytest.mark.parametrize("keeps_dates", [True, False])
def test_a_redirect_on_the_same_origin_is_followed_when_it_is_the_same_request(
    paged: Any, users: Any, secret: Path, keeps_dates: bool
) -> None:
    server = paged.server("cursor", users)
    Guard(server)

    def fault(answer: Any) -> None:
        if len(server.requests) == 1:
            query = "from=2020-01-01&until=2020-01-31" if keeps_dates else "from=2020-01-01"
            answer.status, answer.headers["Location"] = 301, f"/v2/users?{query}"

    server.fault = fault
    outcome = paged.extract(server, auth=AUTHS["bearer"])
    assert outcome.code == (0 if keeps_dates else 2)
    assert not keeps_dates or paged.landed() == users
