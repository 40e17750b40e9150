"""Records out of an envelope, however it arrives; and the fields around them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deftunes_contract.errors import DataRejected, RetryableError
from deftunes_extract.json_array import LARGEST_ENVELOPE, WINDOW
from deftunes_extract.json_reply import JsonReply, value_at
from deftunes_extract.ndjson import read_lines
from deftunes_extract.source import SourceError

SELECTOR = ("data", "items")


def pieces(text: bytes, *sizes: int) -> Iterator[bytes]:
    start = 0
    for size in sizes:
        yield text[start : start + size]
        start += size
    yield text[start:]


def read(text: bytes, *sizes: int, selector: tuple[str, ...] = SELECTOR) -> tuple[list[Any], dict[str, Any]]:
    reply = JsonReply(selector)
    records = [json.loads(bytes(record)) for batch in reply.records(pieces(text, *sizes)) for record in batch]
    return records, reply.fields


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
fields = st.dictionaries(st.text(max_size=6).filter(lambda n: n not in ("data", "error", "errors")), values, max_size=4)


@settings(max_examples=300, deadline=None)
@given(
    before=fields,
    inside=st.dictionaries(st.text(max_size=5).filter(lambda n: n != "items"), values, max_size=3),
    after=fields,
    records=st.lists(values, max_size=6),
    indent=st.sampled_from([None, 2]),
    ascii=st.booleans(),
    data=st.data(),
)
def test_any_envelope_in_any_pieces(
    before: Any, inside: Any, after: Any, records: Any, indent: Any, ascii: bool, data: st.DataObject
) -> None:
    whole = {
        **before,
        "data": {**inside, "items": records, "z": [1]},
        **{k: v for k, v in after.items() if k not in before},
    }
    text = json.dumps(whole, indent=indent, ensure_ascii=ascii).encode("utf-8", "surrogatepass")
    try:
        text.decode()
    except UnicodeDecodeError:
        return
    sizes = data.draw(st.lists(st.integers(0, len(text)), max_size=4))
    found, around = read(text, *sizes)
    assert found == records
    assert around == {**whole, "data": {**whole["data"], "items": []}}


@pytest.mark.parametrize("count", [0, 1, 5000])
@pytest.mark.parametrize("separator", [",", ", ", ",\n  "])
def test_large_arrays_and_what_follows_them(make: Any, count: int, separator: str) -> None:
    lines = [json.dumps(make.user(number), ensure_ascii=False) for number in range(count)]
    tail = json.dumps({"again": [make.user(1), make.user(2)]})[1:]
    text = ('{"data": {"items": [' + separator.join(lines) + "]}, " + tail).encode()
    found, around = read(text, *[65536] * (len(text) // 65536))
    assert [json.dumps(record, ensure_ascii=False) for record in found] == lines
    assert len(around["again"]) == 2


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        (b'{"data": {"items": [{"a": 1}, {"b"', RetryableError, "ends before its JSON array does"),
        (b'{"data": {"items": [{"a": 1}]', RetryableError, "ends before its JSON does"),
        (b'{"data": {"items": [{"a": 1}]}, "x', RetryableError, "ends before its JSON does"),
        (b'{"data": {"ite', RetryableError, "ends before its JSON does"),
        (b"", RetryableError, "ends before its JSON does"),
        (b'{"data": {"items": [1]}} x', DataRejected, "invalid JSON"),
        (b'{"data": {"items": [1,]}}', DataRejected, "invalid JSON"),
        (b'{"data": {"items": null}}', DataRejected, "expected a JSON array at data.items"),
        (b'{"data": {"rows": []}}', DataRejected, "correct data_selector"),
        (b'{"data": []}', DataRejected, "expected a JSON array at data.items"),
        (b"[1, 2]", DataRejected, "expected a JSON object with data.items"),
        (b'"data"', DataRejected, "expected a JSON object with data.items"),
        (b'{"data": {"items": [1], "items": [2]}}', DataRejected, "'items' twice"),
        (b'{"data": {"items": [1]}, "data": {"items": []}}', DataRejected, "'data' twice"),
        (b'{"data": {"items": [1]}, "errors": ["no"]}', DataRejected, "an error among its fields: errors"),
        (b'{"error": {"code": 7}, "data": {"items": [1]}}', DataRejected, "an error among its fields: error"),
        (b'{"n": NaN, "data": {"items": [1]}}', DataRejected, "NaN is not JSON"),
        (b'{"n": "\xff", "data": {"items": [1]}}', DataRejected, "UTF-8"),
        (b'{"n": "' + b"x" * LARGEST_ENVELOPE + b'", "data": {"items": [1]}}', DataRejected, "1 MiB before"),
        (b'{"data": {"items": [1]}, "n": "' + b"x" * LARGEST_ENVELOPE + b'"}', DataRejected, "1 MiB after"),
        (b'{"a":' * 5000 + b"1", DataRejected, "nested too deeply"),
    ],
)
@pytest.mark.parametrize("size", [7, WINDOW])
def test_what_is_no_whole_envelope_is_refused(text: bytes, error: Any, said: str, size: int) -> None:
    with pytest.raises(SourceError, match=said) as caught:
        read(text, *[size] * min(len(text) // size, 5000))
    assert caught.value.error_class is error


def test_the_array_is_the_one_at_the_path_and_no_other() -> None:
    text = (
        b'{"items": [9], "x": {"data": {"items": [8]}}, "l": [{"data": {"items": [7]}}], "d\\u0061ta": {"items": [1]}}'
    )
    assert read(text)[0] == [1]
    assert read(b'{"a.b": [3]}', selector=("a.b",))[0] == [3]


def test_values_at_paths() -> None:
    document = {"a": {"b": [{"c": 1}]}, "n": None}
    assert value_at(document, ("a", "b", 0, "c")) == 1
    assert value_at(document, ("a", "b", 1, "c")) is None
    assert value_at(document, ("n", "x")) is None
    assert value_at(document, ("a", 0)) is None


lines_of = st.lists(values.map(lambda value: json.dumps(value, ensure_ascii=True)), max_size=8)


@settings(max_examples=200, deadline=None)
@given(lines=lines_of, end=st.sampled_from(["\n", "\r\n", "\n\n"]), last=st.booleans(), data=st.data())
def test_lines_in_any_pieces(lines: list[str], end: str, last: bool, data: st.DataObject) -> None:
    text = ("\ufeff" if data.draw(st.booleans()) else "") + end.join(lines) + (end if last else "")
    body = text.encode()
    sizes = data.draw(st.lists(st.integers(0, 9), max_size=6))
    found = [bytes(record).decode() for batch in read_lines(pieces(body, *sizes)) for record in batch]
    assert found == lines


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        (b'{"a": 1}\n{"b":', RetryableError, "ends in the middle of a record"),
        (b'{"a": 1}\n{"b": "x', RetryableError, "ends in the middle of a record"),
        (b'{"a": 1},\n{"b": 2}\n', DataRejected, "one record a line"),
        (b'{"a": 1} {"b": 2}\n', DataRejected, "one record a line"),
        (b'[{"a": 1},\n{"b": 2}]\n', DataRejected, "one record a line"),
        (b'{"a": NaN}\n', DataRejected, "NaN is not JSON"),
        (b'{"a": "\xff"}\n', DataRejected, "UTF-8"),
        (b"<html>\n", DataRejected, "one record a line"),
    ],
)
def test_lines_that_are_no_records(text: bytes, error: Any, said: str) -> None:
    with pytest.raises(SourceError, match=said) as caught:
        list(read_lines(pieces(text, 3, 5)))
    assert caught.value.error_class is error
