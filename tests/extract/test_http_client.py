"""Certificates of both sides, rate limit, one reply with an envelope or with lines: right, or refused with its name."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from certificates import certificate

from deftunes_contract.retry import Deadline
from deftunes_extract.rate_limit import RateLimit

SINGLE = {"paginator": {"type": "single_page"}}


@pytest.fixture
def users(make: Any) -> list[dict[str, Any]]:
    return [make.user(number) for number in range(1, 4)]


@pytest.fixture
def tls_server(tmp_path: Path, users: Any) -> Iterator[tuple[int, Path, Path, Path]]:
    """A server whose certificate a private authority signed, and that wants a client's certificate: port and files."""
    server_file, server_key = certificate(tmp_path, "localhost")
    client_file, client_key = certificate(tmp_path, "client")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server_file, server_key)
    context.load_verify_locations(client_file)
    context.verify_mode = ssl.CERT_REQUIRED
    listening = socket.create_server(("127.0.0.1", 0))
    body = json.dumps(users).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()

    def serve() -> None:
        while True:
            try:
                plain, _ = listening.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(plain, server_side=True) as connection:
                    connection.recv(65536)
                    connection.sendall(head + body)
            except OSError:
                continue

    threading.Thread(target=serve, daemon=True).start()
    yield listening.getsockname()[1], server_file, client_file, client_key
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()


def test_a_private_authority_and_a_client_certificate(
    paged: Any, users: Any, tls_server: Any, monkeypatch: Any
) -> None:
    port, authority, client, key = tls_server
    server = paged.server("header_link", users)
    server.url = f"https://localhost:{port}"
    without = paged.extract(server, **SINGLE)
    assert (without.code, "not trusted" in without.said) == (2, True)
    monkeypatch.setenv("DEFTUNES_PAGED_CA_FILE", str(authority))
    anonymous = paged.extract(server, **SINGLE)
    assert anonymous.code in (2, 75)
    monkeypatch.setenv("DEFTUNES_PAGED_CERT_FILE", str(client))
    monkeypatch.setenv("DEFTUNES_PAGED_KEY_FILE", str(key))
    outcome = paged.extract(server, **SINGLE)
    assert outcome.code == 0, outcome.said
    assert paged.landed() == users


def test_certificate_files_that_are_none_are_named(
    paged: Any, users: Any, tls_server: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    port, _, _, key = tls_server
    server = paged.server("header_link", users)
    server.url = f"https://localhost:{port}"
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("no certificate")
    for name, file in (("CA_FILE", rubbish), ("CERT_FILE", rubbish), ("CERT_FILE", key)):
        with monkeypatch.context() as patch:
            patch.setenv(f"DEFTUNES_PAGED_{name}", str(file))
            outcome = paged.extract(server, **SINGLE)
        assert (outcome.code, f"DEFTUNES_PAGED_{name}" in outcome.said) == (2, True)
    monkeypatch.setenv("DEFTUNES_PAGED_KEY_FILE", str(key))
    outcome = paged.extract(server, **SINGLE)
    assert (outcome.code, "without DEFTUNES_PAGED_CERT_FILE" in outcome.said) == (2, True)


def test_requests_are_spread_over_the_second() -> None:
    now, slept = [100.0], []

    def sleep(seconds: float) -> None:
        slept.append(round(seconds, 3))
        now[0] += seconds

    limit = RateLimit(4, clock=lambda: now[0], sleep=sleep)
    for _ in range(3):
        limit.wait(Deadline(60))
    now[0] += 10
    limit.wait(Deadline(60))
    assert slept == [0.25, 0.25]
    RateLimit(None, sleep=sleep).wait(Deadline(60))
    assert len(slept) == 2


def test_every_request_waits_for_its_turn(paged: Any, make: Any) -> None:
    server = paged.server("cursor", [make.user(number) for number in range(1, 12)])
    began = time.monotonic()
    assert paged.extract(server, requests_per_second=10).code == 0
    assert time.monotonic() - began >= 0.2


def test_one_reply_with_an_envelope(paged: Any, users: Any) -> None:
    server = paged.server("cursor", users)
    assert paged.extract(server, **SINGLE).code == 0
    assert paged.landed() == users


@pytest.mark.parametrize("style", ["json_link", "cursor"])
def test_one_reply_whose_envelope_announces_more_is_refused(paged: Any, make: Any, style: str) -> None:
    server = paged.server(style, [make.user(number) for number in range(1, 12)])
    outcome = paged.extract(server, **SINGLE)
    assert (outcome.code, len(server.requests)) == (65, 1)
    assert "found 4 and more announced by total: 11" in outcome.said


def test_records_that_come_twice_do_not_fill_a_total(paged: Any, users: Any) -> None:
    server = paged.server("cursor", users + users)
    server.fault = lambda answer: (
        answer.paging.update(total=4) or answer.records.__setitem__(slice(None), users[:2] * 2)
    )
    outcome = paged.extract(server, **SINGLE)
    assert outcome.code == 65
    assert "2 of them for the second time" in outcome.said


def test_one_reply_of_lines(paged: Any, users: Any) -> None:
    server = paged.server("header_link", users)
    server.ndjson = True
    assert paged.extract(server, **SINGLE, response_format="ndjson").code == 0
    assert paged.landed() == users


def test_lines_that_nothing_counts_are_refused(api: Any, paged: Any, users: Any) -> None:
    """A reply that ends with its connection looks whole when it is cut: HTTP must say how long it is."""
    body = "".join(f"{json.dumps(user)}\n" for user in users).encode()

    def reply(handler: Any) -> None:
        handler.wfile.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n\r\n" + body
        )

    api.say(reply)
    server = paged.server("header_link", users)
    server.url = api.url
    outcome = paged.extract(server, **SINGLE, response_format="ndjson")
    assert (outcome.code, "Content-Length or chunks" in outcome.said) == (65, True)


def test_lines_that_are_cut_are_never_short(api: Any, paged: Any, users: Any) -> None:
    body = "".join(f"{json.dumps(user)}\n" for user in users).encode()
    lines = body[: body.index(b"\n") + 1]
    server = paged.server("header_link", users)
    server.url = api.url
    api.say(api.body(lines, kind="application/jsonl", promised=len(body)))
    assert paged.extract(server, **SINGLE, response_format="ndjson").code == 75
    api.say(api.body(body, kind="text/html"))
    assert paged.extract(server, **SINGLE, response_format="ndjson").code == 65
    assert not paged.lake.content()


def test_headers_of_the_contract_are_sent_and_others_are_not_replaced(api: Any, paged: Any, users: Any) -> None:
    api.say(api.records(users))
    server = paged.server("header_link", users)
    server.url = api.url
    assert paged.extract(server, **SINGLE, headers={"X-Tenant": "a", "Accept-Language": "en"}).code == 0
    assert api.headers[0]["X-Tenant"] == "a"
    assert api.headers[0]["Accept"] == "application/json"
    assert api.headers[0]["Accept-Encoding"] == "gzip"
