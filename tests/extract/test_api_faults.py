"""Every fault of the API has an exit code and a message, and leaves the earlier delivery byte for byte."""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from deftunes_contract.object_store import LocalStore


@pytest.fixture
def delivered(api: Any, extract: Callable[..., Any], lake: Any, make: Any) -> Callable[[], None]:
    """An earlier delivery; the result fails when anything of it has changed or been added."""
    api.say(api.records([make.user(n) for n in range(1, 6)]))
    assert extract("users", DEFTUNES_API_URL=api.url, DEFTUNES_EXTRACT_ATTEMPTS=3, DEFTUNES_PART_BYTES=300).code == 0
    before = lake.content()
    assert len(before) > 2

    def intact() -> None:
        assert lake.content() == before

    return intact


def scripted(api: Any, make: Any, fault: str) -> Any:
    records = api.records([make.user(n) for n in range(1, 9)])
    body = b'[{"user_id": "1"}, {"user_id": "2"}'
    return {
        "429": api.body(b"slow down", 429),
        "500": api.body(b"oops", 500),
        "503": api.body(b"", 503),
        "reset before the head": api.reset,
        "reset in the body": api.body(body, promised=10_000, then=api.reset),
        "closed in the body": api.body(body, promised=10_000),
        "cut short but complete as HTTP": api.body(body),
        "empty body": api.body(b""),
        "html": api.body(b"<html>login</html>", kind="text/html"),
        "no content type": api.body(b"[]", kind=None),
        "json text with another type": api.body(b"[]", kind="text/plain; charset=utf-8"),
        "object": api.body(b'{"detail": "maintenance"}'),
        "invalid json": api.body(body + b",,]"),
        "trailing garbage": api.body(b"[{}] []"),
        "not utf-8": api.body(b'[{"user_name": "Zo\xeb"}]'),
        "nan": api.body(b'[{"user_name": NaN}]'),
        "broken gzip": api.body(b"\x1f\x8b\x08 rubbish", headers={"Content-Encoding": "gzip"}),
        "no content": api.body(b"", 204, kind=None),
        "400": api.body(b"end_date is not a day " + b"x" * 500, 400),
        "404": api.body(b"no such path", 404),
        "401": api.body(b"who are you", 401),
        "redirect": api.body(b"", 307, headers={"Location": "/elsewhere"}),
        "empty": api.records([]),
        "fine": records,
    }[fault]


FAULTS = [
    ("429", 75, "answers 429 Too Many Requests"),
    ("500", 75, "answers 500"),
    ("503", 75, "answers 503"),
    ("reset before the head", 75, "connection failed"),
    ("reset in the body", 75, "connection failed"),
    ("closed in the body", 75, "connection failed"),
    ("cut short but complete as HTTP", 75, "ends before its JSON array does"),
    ("empty body", 75, "ends before its JSON array does"),
    ("html", 65, "expected content type application/json, found 'text/html'"),
    ("no content type", 65, "found 'none'"),
    ("json text with another type", 65, "found 'text/plain'"),
    ("object", 65, "expected a JSON array"),
    ("invalid json", 65, "invalid JSON"),
    ("trailing garbage", 65, "expected nothing after the array"),
    ("not utf-8", 65, "expected UTF-8, found byte 0xeb"),
    ("nan", 65, "NaN is not JSON"),
    ("broken gzip", 65, "compression is broken"),
    ("no content", 65, "expected 200, found 204"),
]
WRONG_REQUESTS = [
    ("400", "end_date is not a day xxx"),
    ("401", "who are you"),
    ("404", "no such path"),
    ("redirect", "'/elsewhere'"),
]


@pytest.mark.parametrize(("fault", "code", "message"), FAULTS)
def test_a_lasting_fault_ends_with_its_code(
    delivered: Any, api: Any, extract: Any, make: Any, pauses: list[float], fault: str, code: int, message: str
) -> None:
    api.say(scripted(api, make, fault))
    outcome = extract("users")
    assert (outcome.code, len(api.asked), len(pauses)) == (code, 3, 2)
    assert message in outcome.said
    assert "users for [2020-01-01, 2020-02-01)" in outcome.said
    assert "earlier delivery is intact" in outcome.said
    delivered()


@pytest.mark.parametrize("fault", [fault for fault, _, _ in FAULTS])
def test_a_passing_fault_is_survived(api: Any, extract: Any, lake: Any, make: Any, fault: str) -> None:
    api.say(scripted(api, make, fault), scripted(api, make, "fine"))
    assert extract("users", DEFTUNES_API_URL=api.url).code == 0
    receipt = lake.receipt("users")
    assert receipt.records == len(lake.lines("users")) == 8
    assert len(api.asked) == 2


@pytest.mark.parametrize(("fault", "message"), WRONG_REQUESTS)
def test_a_wrong_request_is_not_repeated(
    delivered: Any, api: Any, extract: Any, make: Any, fault: str, message: str
) -> None:
    api.say(scripted(api, make, fault))
    outcome = extract("users")
    assert (outcome.code, len(api.asked)) == (2, 1)
    assert message in outcome.said
    assert len(outcome.said) < 500
    delivered()


def test_an_empty_month_is_refused_unless_the_caller_knows(delivered: Any, api: Any, extract: Any, lake: Any) -> None:
    api.say(api.records([]))
    outcome = extract("users")
    assert (outcome.code, len(api.asked)) == (65, 1)
    assert "expected at least 1 records, found 0" in outcome.said
    assert "--allow-empty" in outcome.said
    delivered()
    assert extract("users", "--allow-empty", "users").code == 0
    receipt = lake.receipt("users")
    assert (receipt.records, receipt.objects, receipt.min_time) == (0, (), None)
    assert [path.name for path in lake.folder("users").iterdir()] == ["_receipt.json"]


@pytest.mark.parametrize("status", [204, 205])
def test_no_content_is_an_empty_month_when_the_caller_knows(api: Any, extract: Any, lake: Any, status: int) -> None:
    api.say(api.body(b"", status, kind=None))
    outcome = extract("users", DEFTUNES_API_URL=api.url)
    assert outcome.code == 65
    assert "--allow-empty users:2020-01" in outcome.said
    assert extract("users", "--allow-empty", "sessions").code == 2
    assert extract("users", "--allow-empty", "users:2020-01").code == 0
    assert lake.receipt("users").records == 0


PADDING = b" " * 300_000
"""More than the extract reads at once: what stands before it has been handed on when the reply ends too early."""


def test_parts_of_a_failed_reply_are_removed(
    delivered: Any, api: Any, extract: Any, lake: Any, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    upload = LocalStore.upload
    monkeypatch.setattr(LocalStore, "upload", lambda *call: seen.append(call[1]) or upload(*call))
    other = json.dumps([make.user(n, user_name=f"other {n}") for n in range(50)]).encode()
    api.say(api.body(other[:-1] + PADDING))
    assert extract("users", DEFTUNES_PART_BYTES=300).code == 75
    assert len(seen) > 10
    delivered()


def test_parts_that_the_earlier_delivery_has_too_are_kept(
    delivered: Any, api: Any, extract: Any, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    upload = LocalStore.upload
    monkeypatch.setattr(LocalStore, "upload", lambda *call: seen.append(call[1]) or upload(*call))
    same = json.dumps([make.user(n) for n in range(1, 6)], separators=(",", ":"), ensure_ascii=False).encode()
    api.say(api.body(same[:-1] + PADDING))
    assert extract("users", DEFTUNES_PART_BYTES=300).code == 75
    assert seen
    delivered()


@pytest.mark.parametrize("form", ["seconds", "date", "nonsense", "past"])
def test_retry_after_is_honoured(api: Any, extract: Any, make: Any, pauses: list[float], form: str) -> None:
    date = datetime.now(UTC) + timedelta(seconds=120 if form == "date" else -120)
    value = {"seconds": "120", "nonsense": "soon"}.get(form, format_datetime(date, usegmt=True))
    api.say(api.body(b"", 429, headers={"Retry-After": value}), scripted(api, make, "fine"))
    assert extract("users", DEFTUNES_API_URL=api.url).code == 0
    low, high = {"seconds": (120, 120), "date": (100, 121), "nonsense": (1, 2), "past": (0, 0)}[form]
    assert low <= pauses[0] <= high


def test_retry_after_beyond_the_deadline_is_not_waited(delivered: Any, api: Any, extract: Any) -> None:
    api.say(api.body(b"", 503, headers={"Retry-After": "86400"}))
    outcome = extract("users", DEFTUNES_EXTRACT_DEADLINE=600)
    assert (outcome.code, len(api.asked)) == (75, 1)
    assert "asks to wait 86400 s" in outcome.said
    delivered()


def test_a_drip_feeder_meets_the_deadline(delivered: Any, api: Any, extract: Any) -> None:
    api.say(api.body(b"[", promised=10**9, then=api.drip))
    began = time.monotonic()
    outcome = extract("users", DEFTUNES_EXTRACT_DEADLINE=1)
    assert time.monotonic() - began < 20
    assert outcome.code == 75
    assert "not done within 1 s" in outcome.said
    delivered()


ENDLESS = {
    "head": (b"HTTP/1.1 200 OK\r\n", b"X-A: 1\r\n"),
    "hints": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "error": (b"HTTP/1.1 500 Sorry\r\nContent-Type: text/plain\r\n\r\nsorry", b" "),
    "html": (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>", b" "),
    "an error of empty gzip": (
        b"HTTP/1.1 500 Sorry\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\n\r\n",
        gzip.compress(b""),
    ),
    "empty chunks of gzip": (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n\r\n",
        gzip.compress(b""),
    ),
}


@pytest.mark.parametrize("what", ENDLESS)
def test_what_never_ends_meets_the_deadline(delivered: Any, api: Any, extract: Any, what: str) -> None:
    def reply(handler: Any) -> None:
        first, then = ENDLESS[what]
        handler.wfile.write(first)
        while not api.ending.wait(0.05):
            handler.wfile.write(then)

    api.say(reply)
    began = time.monotonic()
    outcome = extract("users", DEFTUNES_EXTRACT_DEADLINE=1)
    assert time.monotonic() - began < 10
    assert outcome.code == 75
    assert "not done within 1 s" in outcome.said
    delivered()


@pytest.mark.parametrize("head", [True, False])
def test_silence_is_a_temporary_fault(delivered: Any, api: Any, extract: Any, head: bool) -> None:
    api.say(api.body(b"[", promised=10**6, then=api.stall) if head else api.stall)
    outcome = extract("users", DEFTUNES_API_TIMEOUT=0.3)
    assert (outcome.code, len(api.asked)) == (75, 3)
    assert "silent for too long" in outcome.said
    delivered()


def test_nobody_listening_is_a_temporary_fault(delivered: Any, api: Any, extract: Any) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        outcome = extract("users", DEFTUNES_API_URL=f"http://127.0.0.1:{unused.getsockname()[1]}")
    assert outcome.code == 75
    assert "connection failed" in outcome.said
    delivered()


def test_a_compressed_reply_is_read(api: Any, extract: Any, lake: Any, make: Any) -> None:
    body = gzip.compress(json.dumps([make.user(1)]).encode())
    api.say(api.body(body, headers={"Content-Encoding": "gzip"}))
    assert extract("users", DEFTUNES_API_URL=api.url).code == 0
    assert lake.receipt("users").records == 1
    assert api.headers[0]["Accept-Encoding"] == "gzip"


WORDS = "the report server is being moved to another building until Monday, " * 9


@pytest.mark.parametrize("status", [400, 401, 404, 500, 503, 202, 302])
@pytest.mark.parametrize("how", ["at once", "in pieces", "gzip", "never ends", "brotli"])
def test_a_servers_own_reason_is_kept(
    api: Any, extract: Any, monkeypatch: pytest.MonkeyPatch, status: int, how: str
) -> None:
    monkeypatch.setattr("deftunes_extract.http_reply._TEXT_SECONDS", 0.3)
    body = WORDS.encode()

    def in_pieces(handler: Any) -> None:
        for place in range(0, len(body), 7):
            handler.wfile.write(body[place : place + 7])

    replies = {
        "at once": api.body(body, status),
        "in pieces": api.body(b"", status, promised=len(body), then=in_pieces),
        "gzip": api.body(gzip.compress(body), status, headers={"Content-Encoding": "gzip"}),
        "never ends": api.body(body[:210], status, promised=10**9, then=api.drip),
        "brotli": api.body(b"\x0b\x02\x80hello\x03", status, headers={"Content-Encoding": "br"}),
    }
    api.say(replies[how])
    began = time.monotonic()
    outcome = extract("users", DEFTUNES_API_URL=api.url, DEFTUNES_EXTRACT_ATTEMPTS=1)
    assert time.monotonic() - began < 10
    assert outcome.code == (75 if status in (202, 500, 503) else 2)
    assert (WORDS[:200] in outcome.said) == (how != "brotli")
    assert WORDS[:205] not in outcome.said
    assert ("Content-Encoding 'br'" in outcome.said) == (how == "brotli")


def test_the_words_of_an_error_are_printable(api: Any, extract: Any) -> None:
    api.say(api.body(b"red \x1b[31m alert\x00\xff \xe2\x80\xae\r\n\tover", 400))
    outcome = extract("users", DEFTUNES_API_URL=api.url)
    assert "red \N{REPLACEMENT CHARACTER}[31m alert" in outcome.said
    assert outcome.said.isprintable()


def test_a_login_page_is_shown(api: Any, extract: Any) -> None:
    api.say(api.body(b"<html><title>Please sign in</title>", kind="text/html"))
    assert "Please sign in" in extract("users", DEFTUNES_API_URL=api.url).said


@pytest.mark.parametrize("status", [202, 301, 303, 307, 400, 403, 404, 413, 429, 500, 503])
def test_whatever_names_a_time_is_asked_again_then(
    api: Any, extract: Any, make: Any, pauses: list[float], status: int
) -> None:
    api.say(api.body(b"", status, headers={"Retry-After": "7", "Location": "/x"}), scripted(api, make, "fine"))
    assert extract("users", DEFTUNES_API_URL=api.url).code == 0
    assert pauses == [7]
    api.say(api.body(b"", status, headers={"Retry-After": "7", "Location": "/x"}))
    assert extract("users").code == 75


def test_a_reply_that_is_being_prepared_is_temporary(api: Any, extract: Any) -> None:
    api.say(api.body(b'{"status": "preparing"}', 202))
    outcome = extract("users", DEFTUNES_API_URL=api.url)
    assert (outcome.code, len(api.asked)) == (75, 6)
    assert "preparing" in outcome.said


@pytest.mark.parametrize(
    "value",
    [
        "soon",
        "",
        "-5",
        "nan",
        "1e9",
        "Mon, 01 Jan 99999 00:00:00 GMT",
        "Mon, 01 Jan 2020 00:00:00 +9999",
        "٣",
        "99999999999999999999",
    ],
)
def test_a_time_that_cannot_be_read_is_none(api: Any, extract: Any, make: Any, value: str) -> None:
    headers = {"Retry-After": value.encode().decode("latin-1")}
    api.say(api.body(b"no such path", 404, headers=headers))
    assert extract("users", DEFTUNES_API_URL=api.url).code in ((2,) if not value.isdecimal() else (2, 75))


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "Application/JSON ; charset=UTF-8",
        "application/json;charset=latin-1",
        "text/json",
        "application/vnd.deftunes.v1+json",
        "application/hal+json; profile=x",
    ],
)
def test_content_types_of_json_are_read(api: Any, extract: Any, make: Any, kind: str) -> None:
    api.say(api.records([make.user(1)], kind=kind))
    assert extract("users", DEFTUNES_API_URL=api.url).code == 0


@pytest.mark.parametrize(
    "kind", ["application/problem+json", "application/x-ndjson", "application/json-seq", "application/xml", "text/csv"]
)
def test_other_content_types_are_refused(api: Any, extract: Any, make: Any, kind: str) -> None:
    api.say(api.body(b'[{"title": "out of order"}]', kind=kind))
    outcome = extract("users", DEFTUNES_API_URL=api.url)
    assert outcome.code == 65
    assert f"found {kind!r}" in outcome.said
    assert "out of order" in outcome.said
