"""Compressed replies: what is legal is read, what nobody asked for is named, and nothing unpacks without bounds."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from deftunes_contract.errors import DataRejected, RetryableError
from deftunes_extract.content_coding import PIECE, coding_of, unpack
from deftunes_extract.source import SourceError

TEXT = json.dumps([{"user_id": str(n), "words": "Zoë " * 7} for n in range(500)]).encode()


def pieces(body: bytes, size: int) -> Iterator[bytes]:
    return (body[start : start + size] for start in range(0, len(body), size))


def unpacked(body: bytes, size: int = 1000) -> bytes:
    return b"".join(unpack(pieces(body, size), "gzip", lambda: None))


@pytest.mark.parametrize("size", [1, 3, 1000, 1 << 20])
@pytest.mark.parametrize("members", [1, 2, 7])
@pytest.mark.parametrize("padding", [b"", b"\0" * 5000])
def test_gzip_of_any_number_of_members_is_read(size: int, members: int, padding: bytes) -> None:
    step = len(TEXT) // members + 1
    body = b"".join(gzip.compress(part) for part in pieces(TEXT, step)) + gzip.compress(b"") + padding
    assert unpacked(body, size) == TEXT


@pytest.mark.parametrize("size", [1, 1000, 1 << 20])
@pytest.mark.parametrize("missing", [1, 8, 9, 200])
def test_gzip_cut_short_is_temporary(size: int, missing: int) -> None:
    for body in (gzip.compress(TEXT), gzip.compress(b"") + gzip.compress(TEXT)):
        with pytest.raises(SourceError, match="ends before its gzip stream") as caught:
            unpacked(body[:-missing], size)
        assert caught.value.error_class is RetryableError


@pytest.mark.parametrize("body", [b"rubbish", gzip.compress(TEXT) + b"rubbish", zlib.compress(TEXT), TEXT])
def test_what_is_no_gzip_is_refused(body: bytes) -> None:
    with pytest.raises(SourceError, match="compression is broken") as caught:
        unpacked(body)
    assert caught.value.error_class is DataRejected


def test_a_damaged_member_is_refused() -> None:
    body = bytearray(gzip.compress(TEXT))
    body[-5] ^= 1
    with pytest.raises(SourceError, match="compression is broken"):
        unpacked(bytes(body))


def bomb(megabytes: int) -> bytes:
    """So many megabytes of spaces, in a thousandth of it."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packer.compress(b" " * PIECE) for _ in range(megabytes)) + packer.flush()


def test_memory_holds_one_piece_however_much_there_is() -> None:
    body = bomb(100)
    tracemalloc.start()
    assert sum(map(len, unpack([body], "gzip", lambda: None))) == 100 * PIECE
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * PIECE


@pytest.mark.parametrize("body", [bomb(64), gzip.compress(b"") * 5000])
def test_time_is_looked_at_within_one_chunk(body: bytes) -> None:
    asked: list[int] = []

    def check() -> None:
        asked.append(1)
        if len(asked) > 20:
            raise RetryableError("late")

    with pytest.raises(RetryableError, match="late"):
        list(unpack([body], "gzip", check))


@pytest.mark.parametrize("named", [[], [""], ["identity"], ["Identity, identity"], ["utf-8"]])
def test_no_coding(named: list[str]) -> None:
    assert coding_of(named) == ""


@pytest.mark.parametrize("named", [["gzip"], ["x-gzip"], [" GZIP "], ["identity, gzip"], ["identity", "gzip"]])
def test_one_gzip(named: list[str]) -> None:
    assert coding_of(named) == "gzip"


@pytest.mark.parametrize("named", ["br", "zstd", "deflate", "compress", "gzip, gzip", "gzip, br", "exi", "dcb"])
def test_another_coding_is_refused_by_its_name(api: Any, extract: Any, lake: Any, named: str) -> None:
    api.say(api.body(TEXT, headers={"Content-Encoding": named}))
    outcome = extract("users", DEFTUNES_API_URL=api.url)
    assert outcome.code == 65
    assert f"found Content-Encoding '{named}'" in outcome.said
    assert lake.content() == {}


@pytest.mark.parametrize("named", ["gzip", "X-GZIP", "identity", "identity, gzip"])
@pytest.mark.parametrize("chunked", [True, False])
def test_legal_codings_are_landed(api: Any, extract: Any, lake: Any, make: Any, named: str, chunked: bool) -> None:
    text = json.dumps([make.user(n) for n in range(1, 50)]).encode()
    half = len(text) // 2
    body = gzip.compress(text[:half]) + gzip.compress(text[half:]) if "gzip" in named.lower() else text

    def reply(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Encoding", named)
        if chunked:
            handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for piece in pieces(body, 100):
            handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        handler.wfile.write(b"0\r\n\r\n" if chunked else b"")

    api.say(reply)
    assert extract("users", DEFTUNES_API_URL=api.url).code == 0
    assert lake.receipt("users").records == 49


def test_a_reply_packed_twice_is_not_unpacked(api: Any, extract: Any) -> None:
    api.say(api.body(gzip.compress(bomb(256)), headers={"Content-Encoding": "gzip, gzip"}))
    outcome = extract("users", DEFTUNES_API_URL=api.url, DEFTUNES_EXTRACT_ATTEMPTS=1)
    assert outcome.code == 65
    assert "'gzip, gzip'" in outcome.said


def test_a_bomb_meets_the_bound_of_a_record(api: Any, extract: Any, lake: Any) -> None:
    api.say(api.body(gzip.compress(b"[") + bomb(64), headers={"Content-Encoding": "gzip"}))
    outcome = extract("users", DEFTUNES_API_URL=api.url, DEFTUNES_EXTRACT_ATTEMPTS=1)
    assert outcome.code == 65
    assert "at most 16 MiB" in outcome.said
    assert lake.content() == {}
