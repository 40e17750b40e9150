"""Connections that fail: what no waiting cures ends at once as usage (2), anything else is tried again (75)."""

from __future__ import annotations

import errno
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from certificates import certificate

from deftunes_contract.errors import UsageError
from deftunes_extract.connection import connection_error
from deftunes_extract.source import SourceError

BODY = b'[{"user_id": "1"}]'
GOOD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" + BODY


@pytest.fixture
def serve() -> Iterator[Callable[..., int]]:
    """Starts a server on loopback that treats every connection as it is told; its port. `calls` counts them."""
    running: list[socket.socket] = []

    def start(treat: Callable[[socket.socket], None], calls: list[int] | None = None) -> int:
        listening = socket.create_server(("127.0.0.1", 0))
        running.append(listening)

        def loop() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                if calls is not None:
                    calls.append(1)
                try:
                    treat(connection)
                except OSError:
                    pass
                finally:
                    connection.close()

        threading.Thread(target=loop, daemon=True).start()
        return int(listening.getsockname()[1])

    yield start
    for one in running:
        one.shutdown(socket.SHUT_RDWR)
        one.close()


def answering(connection: socket.socket, reply: bytes = GOOD) -> None:
    connection.recv(65536)
    connection.sendall(reply)


def with_tls(context: ssl.SSLContext) -> Callable[[socket.socket], None]:
    def treat(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            secure.recv(65536)
            secure.sendall(GOOD)

    return treat


def server_context(pair: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    return context


CERTIFICATES = {
    "trusted": ("localhost", (-1, 2), True),
    "not trusted": ("localhost", (-1, 2), False),
    "expired": ("localhost", (-3, -1), True),
    "not yet valid": ("localhost", (1, 3), True),
    "of another host": ("elsewhere", (-1, 2), True),
}


@pytest.mark.parametrize("kind", CERTIFICATES)
def test_a_certificate_that_cannot_be_verified_is_a_matter_of_configuration(
    extract: Any,
    serve: Callable[..., int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pauses: list[float],
    kind: str,
) -> None:
    name, days, trusted = CERTIFICATES[kind]
    pair = certificate(tmp_path, name, days)
    calls: list[int] = []
    port = serve(with_tls(server_context(pair)), calls)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(pair[0]))
    outcome = extract("users", DEFTUNES_API_URL=f"https://localhost:{port}")
    if kind == "trusted":
        assert outcome.code == 0
        return
    assert (outcome.code, len(calls), pauses) == (2, 1, [])
    assert "SSL_CERT_FILE" in outcome.said


def test_tls_versions_that_do_not_meet_are_a_matter_of_configuration(
    extract: Any, serve: Callable[..., int], tmp_path: Path, pauses: list[float]
) -> None:
    context = server_context(certificate(tmp_path, "localhost"))
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    outcome = extract("users", DEFTUNES_API_URL=f"https://localhost:{serve(with_tls(context))}")
    assert (outcome.code, pauses) == (2, [])
    assert "no TLS that both sides speak" in outcome.said


def test_a_plain_server_behind_https_is_a_matter_of_configuration(
    extract: Any, serve: Callable[..., int], pauses: list[float]
) -> None:
    port = serve(lambda connection: answering(connection, b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    outcome = extract("users", DEFTUNES_API_URL=f"https://localhost:{port}")
    assert (outcome.code, pauses) == (2, [])
    assert "http://" in outcome.said


@pytest.mark.parametrize(
    "reply",
    [b"\x15\x03\x01\x00\x02\x02\x46", b"SSH-2.0-OpenSSH_9.2\r\n\r\n", b"HTTP/1.1 200 OK\r\nno header at all\r\n\r\n"],
)
def test_what_is_not_http_is_a_matter_of_configuration(
    extract: Any, serve: Callable[..., int], pauses: list[float], reply: bytes
) -> None:
    outcome = extract("users", DEFTUNES_API_URL=f"http://localhost:{serve(lambda c: answering(c, reply))}")
    assert (outcome.code, pauses) == (2, [])
    assert "not HTTP" in outcome.said


def test_a_tls_server_behind_http_is_a_matter_of_configuration(
    extract: Any, serve: Callable[..., int], tmp_path: Path, pauses: list[float]
) -> None:
    port = serve(with_tls(server_context(certificate(tmp_path, "localhost"))))
    outcome = extract("users", DEFTUNES_API_URL=f"http://localhost:{port}")
    assert (outcome.code, pauses) == (2, [])
    assert "https://" in outcome.said


@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".example"])
def test_a_host_that_cannot_exist_is_a_matter_of_configuration(extract: Any, pauses: list[float], host: str) -> None:
    for scheme in ("http", "https"):
        outcome = extract("users", DEFTUNES_API_URL=f"{scheme}://{host}/", DEFTUNES_ALLOW_UNVERIFIED="true")
        assert (outcome.code, pauses) == (2, [])
        assert "DEFTUNES_API_URL" in outcome.said


def refused(error: BaseException) -> httpx.ConnectError:
    """What httpx makes of a cause."""
    outer = httpx.ConnectError("words that decide nothing")
    outer.__cause__ = error
    return outer


def tls(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, "words that decide nothing")
    error.reason = reason
    return error


LASTING = [
    refused(socket.gaierror(socket.EAI_NONAME, "")),
    refused(socket.gaierror(socket.EAI_NODATA, "")),
    refused(tls("WRONG_VERSION_NUMBER")),
    refused(tls("TLSV13_ALERT_CERTIFICATE_REQUIRED")),
    refused(tls("SSLV3_ALERT_HANDSHAKE_FAILURE")),
    refused(OSError(errno.EACCES, "")),
    refused(OSError(errno.EAFNOSUPPORT, "")),
    httpx.UnsupportedProtocol("ftp"),
    httpx.LocalProtocolError("illegal header"),
    httpx.ProxyError("407 Proxy Authentication Required"),
    httpx.ProxyError("403 Forbidden"),
]
PASSING = [
    refused(socket.gaierror(socket.EAI_AGAIN, "Name or service not known")),
    refused(socket.gaierror(socket.EAI_FAIL, "")),
    refused(ssl.SSLEOFError(8, "")),
    refused(ssl.SSLZeroReturnError(6, "")),
    refused(tls("TLSV1_ALERT_INTERNAL_ERROR")),
    refused(ConnectionRefusedError(errno.ECONNREFUSED, "certificate verify failed")),
    refused(OSError(errno.EHOSTUNREACH, "")),
    refused(OSError(errno.ENETUNREACH, "")),
    refused(ConnectionResetError(errno.ECONNRESET, "")),
    httpx.ProxyError("503 Service Unavailable"),
    httpx.ProxyError("429 Too Many Requests"),
    httpx.ConnectTimeout("certificate verify failed"),
    httpx.RemoteProtocolError("Server disconnected without sending a response."),
]


@pytest.mark.parametrize("error", LASTING, ids=repr)
def test_codes_that_no_waiting_cures(error: Exception) -> None:
    fault = connection_error(error, "http://shop/users", in_head=True, variable="DEFTUNES_API_URL")
    assert isinstance(fault, UsageError)
    assert "http://shop/users: expected a connection" in str(fault)


@pytest.mark.parametrize("error", PASSING, ids=repr)
def test_codes_that_pass(error: Exception) -> None:
    assert isinstance(
        connection_error(error, "http://shop/users", in_head=True, variable="DEFTUNES_API_URL"), SourceError
    )


@pytest.mark.parametrize(("status", "code"), [(501, 2), (505, 2), (511, 2), (500, 75), (502, 75), (504, 75), (599, 75)])
def test_server_errors_pass_but_for_those_that_say_never(api: Any, extract: Any, status: int, code: int) -> None:
    api.say(api.body(b"not in this way", status))
    outcome = extract("users", DEFTUNES_API_URL=api.url)
    assert (outcome.code, len(api.asked)) == (code, 1 if code == 2 else 6)
    assert "not in this way" in outcome.said


def test_a_proxy_that_wants_a_password_is_named(extract: Any, serve: Callable[..., int], monkeypatch: Any) -> None:
    denied = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    port = serve(lambda connection: answering(connection, denied))
    for scheme in ("http", "https"):
        monkeypatch.setenv(f"{scheme.upper()}_PROXY", f"http://127.0.0.1:{port}")
        outcome = extract("users", DEFTUNES_API_URL=f"{scheme}://shop.example/", DEFTUNES_ALLOW_UNVERIFIED="true")
        assert outcome.code == 2
        assert "HTTPS_PROXY" in outcome.said
