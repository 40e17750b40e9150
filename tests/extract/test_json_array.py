"""Records out of a JSON array, however it is written and however it arrives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deftunes_contract.errors import DataRejected, RetryableError
from deftunes_contract.landed_record import parse
from deftunes_extract import json_array
from deftunes_extract.json_array import read_records
from deftunes_extract.source import SourceError

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))
like_records = st.fixed_dictionaries({"id": texts, "items": st.lists(st.fixed_dictionaries({"id": texts}), max_size=3)})
arrays = st.lists(like_records, max_size=12) | st.lists(values, max_size=8)
forms = st.sampled_from([(None, (",", ":")), (None, (", ", ": ")), (2, (",", ": ")), (0, (",", ":"))])
slow_to_shrink = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(autouse=True)
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows of a few records, so that small arrays meet their edges and the fast lane."""
    monkeypatch.setattr(json_array, "WINDOW", 48)


def pieces(body: bytes, size: int) -> Iterator[bytes]:
    return (body[start : start + size] for start in range(0, len(body), size))


def landed(body: bytes, size: int) -> list[bytes]:
    return [bytes(record) for batch in read_records(pieces(body, size)) for record in batch]


def written(array: list[Any], form: tuple[int | None, tuple[str, str]], ascii_only: bool = False) -> bytes:
    indent, separators = form
    return json.dumps(array, ensure_ascii=ascii_only, indent=indent, separators=separators).encode()


@slow_to_shrink
@given(array=arrays, form=forms, ascii_only=st.booleans(), size=st.integers(1, 200))
def test_any_array_in_any_pieces_gives_its_records(
    array: list[Any], form: tuple[int | None, tuple[str, str]], ascii_only: bool, size: int
) -> None:
    records = landed(written(array, form, ascii_only), size)
    assert [parse(record) for record in records] == array
    assert not any(b"\n" in record or b"\r" in record for record in records)


@slow_to_shrink
@given(array=arrays, ascii_only=st.booleans(), size=st.integers(1, 200))
def test_a_records_own_text_is_kept(array: list[Any], ascii_only: bool, size: int) -> None:
    expected = [written(record, (None, (",", ":")), ascii_only) for record in array]
    assert landed(b"[" + b" , ".join(expected) + b"] \r\n", size) == expected


def reference(body: bytes) -> list[Any] | None:
    """What the standard library makes of a whole body; None when it is no JSON array."""

    def refuse(name: str) -> None:
        raise ValueError(name)

    try:
        found = json.loads(body.decode(), parse_constant=refuse)
    except ValueError:
        return None
    return found if isinstance(found, list) else None


@slow_to_shrink
@given(
    array=arrays.filter(bool),
    form=forms,
    at=st.integers(0, 10_000),
    cut=st.integers(0, 3),
    put=st.sampled_from(
        [b"", b",", b"]", b"[", b"{", b"}", b'"', b"\\", b":", b"\n", b"1", b"e", b"-", b"\xff", b"nul", b"NaN"]
    ),
    size=st.integers(1, 200),
)
def test_what_is_spoilt_is_judged_like_the_standard_library_does(
    array: list[Any], form: tuple[int | None, tuple[str, str]], at: int, cut: int, put: bytes, size: int
) -> None:
    body = written(array, form)
    at %= len(body)
    spoilt = body[:at] + put + body[at + cut :]
    expected = reference(spoilt)
    if expected is None:
        with pytest.raises(SourceError):
            landed(spoilt, size)
    else:
        assert [parse(record) for record in landed(spoilt, size)] == expected


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"  ",
        b"[",
        b'[{"a": 1}',
        b'[{"a": 1},',
        b'[{"a": 1}, {"b": "some te',
        b'[{"a": 1}, {"b": "caf\xc3',
        b'[{"a": "\\u00e',
        b"[12",
        b"[1.5e+",
        b"[tru",
        b"[-",
    ],
)
def test_an_array_cut_short_is_temporary(body: bytes, size: int) -> None:
    with pytest.raises(SourceError, match="ends before") as caught:
        landed(body, size)
    assert caught.value.error_class is RetryableError


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize(
    "body",
    [
        b'{"detail": "no"}',
        b"<html></html>",
        b'"text"',
        b"null",
        b'[{"a": 1},]',
        b"[,]",
        b'[{"a": 1} {"a": 2}]',
        b'[{"a": 1}]]',
        b'[{"a": 1}] trailing',
        b'[{"a": 1}],[]',
        b"[NaN]",
        b'[{"a": -Infinity}]',
        b"[{'a': 1}]",
        b'[{"a": "line\nbreak"}]',
        b'[{"a": "\xff"}, {"a": 1}]',
        b'[{"a": "\xed\xa0\x80"}, {"a": 1}]',
        b"[01]",
        b"\xef\xbb\xbf\xef\xbb\xbf[1]",
        b"[\xef\xbb\xbf1]",
        "[1]".encode("utf-16"),
        "[1]".encode("utf-16-le"),
        "[1]".encode("utf-32-be"),
        b"[1.]",
        b"[trux]",
        b'[{"a": 1}, {"a" 2}, {"a": 3}]',
        b"[" * 100_000 + b"]" * 100_000,
    ],
)
def test_what_is_no_json_array_is_refused(body: bytes, size: int) -> None:
    with pytest.raises(SourceError) as caught:
        landed(body, max(size, len(body) // 1000))
    assert caught.value.error_class is DataRejected


@pytest.mark.parametrize("size", [1, 2, 5, 10_000])
def test_a_byte_order_mark_before_the_array_is_skipped(size: int) -> None:
    assert landed(b"\xef\xbb\xbf \r\n[1, 2]", size) == [b"1", b"2"]
    with pytest.raises(SourceError, match="ends before"):
        landed(b"\xef\xbb\xbf", size)


@pytest.mark.parametrize("coding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
def test_another_unicode_is_named(coding: str) -> None:
    with pytest.raises(SourceError, match=r"expected UTF-8 .RFC 8259., found UTF-16 or UTF-32"):
        landed('[{"a": 1}]'.encode(coding), 100)


def test_a_servers_own_words_are_shown_to_200_characters() -> None:
    words = "the report server is being moved to another building until Monday, " * 9
    for body in (words, f'[{{"a": 1}}, {words}', f'[{{"a": 1}} {words}', f"[] {words}"):
        with pytest.raises(SourceError) as caught:
            landed(body.encode(), 64)
        assert words[:40] in str(caught.value)
        assert len(str(caught.value)) < 300
    with pytest.raises(SourceError) as caught:
        landed(words.encode(), 10_000)
    assert words[:200] in str(caught.value)
    assert words[:201] not in str(caught.value)


def test_an_invalid_byte_after_many_good_records_is_refused() -> None:
    good = b'{"a": "some words"}'
    body = b"[" + b",".join([good] * 50 + [b'{"a": "\xff"}'] + [good] * 50) + b"]"
    for size in (10, 64, 5000):
        with pytest.raises(SourceError, match="UTF-8"):
            landed(body, size)


@pytest.mark.parametrize("more", [b'{"a":1},', b',{"a":1}', b'[{"a":1},{"a":1}]'])
def test_nothing_is_read_after_the_end_of_the_array(more: bytes) -> None:
    for spaces in range(100):
        body = b"[" + b",".join([b'{"a":1}'] * 20) + b"]" + b" " * spaces + more * 20
        with pytest.raises(SourceError, match="after the array") as caught:
            landed(body, 10)
        assert caught.value.error_class is DataRejected


def test_strange_but_valid_values_are_landed() -> None:
    body = b'[1e400,"\\ud800",[],{},{"a":1,"a":2},' + b"7" * 5000 + b",-0.0]"
    assert landed(body, 100) == [*body[1:-1].split(b",", 4)[:4], b'{"a":1,"a":2}', b"7" * 5000, b"-0.0"]


def test_a_large_record_is_landed_and_a_larger_one_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_array, "LARGEST_RECORD", 10_000)

    def body(length: int) -> bytes:
        return b'[{"a":1},{"a":1},{"a":"' + b"x" * (length - 8) + b'"}' + b',{"a":2}' * 50 + b"]"

    for size in (100, 3000, 100_000):
        assert [len(record) for record in landed(body(10_000), size)] == [7, 7, 10_000, *[7] * 50]
        with pytest.raises(SourceError, match="larger") as caught:
            landed(body(10_001), size)
        assert caught.value.error_class is DataRejected


def test_the_fast_lane_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    walked = []
    walk = json_array._Array._scan
    monkeypatch.setattr(json_array._Array, "_scan", lambda self, text: walked.append(text) or walk(self, text))
    array = [{"session": str(number), "items": [{"id": "a"}, {"id": "b"}]} for number in range(1000)]
    for form in ((None, (",", ":")), (2, (",", ": "))):
        walked.clear()
        assert len(landed(written(array, form), 1000)) == 1000
        assert len(walked) <= 3
