"""Records out of a JSON array that arrives in pieces: each record's own text, verbatim, on one line.

bytes off the wire ─► windows of 128 KiB ─► records (bytes-like, no line break inside) in batches. Memory is bounded
by a window, or by one record where records are larger; a record above 16 MiB is refused.

Two paths give the same records. The *slow path* is the standard library's decoder, record by record: what it accepts
is JSON here. The *fast path* lets msgspec split a whole window. It guesses where the window's last record ends, from
how records were separated so far, and the guess proves itself: what stands before a separator of the array is a
complete list of values exactly if it decodes as one. What the fast path does not accept goes to the slow path.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Generator, Iterable, Iterator

import msgspec

from deftunes_contract.errors import DataRejected
from deftunes_contract.landed_record import integer
from deftunes_extract.paging import claims_of_fields
from deftunes_extract.source import SourceError

WINDOW = 1 << 17
"""Bytes decoded at once: few enough for the processor's cache, enough that the cost per call vanishes."""
LARGEST_RECORD = 16 << 20
LARGEST_ENVELOPE = 1 << 20
"""Bytes before, and bytes after the array that are read of an object around it."""
TEXT_SHOWN = 200
"""Characters that a message shows of a reply."""

Record = bytes | msgspec.Raw
"""A record's own JSON text; bytes-like."""

_SPACE = re.compile(r"[ \t\n\r]*")
_BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"
"""Not to be sent before JSON, and no error where it is (RFC 8259 8.1)."""
_UNFINISHED = re.compile(r"|-|[.]|[eE][+-]?|t(?:ru?)?|f(?:a(?:ls?)?)?|n(?:ul?)?|u[0-9a-fA-F]{0,4}")
"""What may stand between a decoder's error and the end of a text that is JSON as far as it goes."""


def read_records(chunks: Iterable[bytes]) -> Iterator[list[Record]]:
    """Batches of records out of the pieces of one JSON array, and nothing but the array.

    Raises SourceError: temporary when the array is cut short, refused when it is not a UTF-8 JSON array or a record
    is larger than 16 MiB.
    """
    chunks = iter(chunks)
    try:
        yield from read_array(_Array(), chunks)
    except NotAnArray as other:
        raise other.with_fields(chunks) from None


def read_embedded(chunks: Iterator[bytes]) -> Generator[list[Record], None, bytes]:
    """The same of an array whose `[` has been read already; returns what of the reply came with its end, after `]`."""
    return (yield from read_array(_Array(embedded=True), chunks))


def read_array(array: _Array, chunks: Iterator[bytes]) -> Generator[list[Record], None, bytes]:
    """Batches of records until the array is closed (embedded) or the reply ends; returns the rest of the last piece."""
    waiting: list[bytes] = []
    size, enough = 0, WINDOW
    for chunk in chunks:
        waiting.append(chunk)
        size += len(chunk)
        if size < enough:
            continue
        records, rest = array.split(b"".join(waiting), last=False)
        if records:
            yield records
        if array.embedded and array.closed:
            return rest
        waiting, size = [rest], len(rest)
        # without progress, wait for twice as much: a large record is not read again with every chunk
        enough = size + WINDOW if records else min(size + max(WINDOW, size), LARGEST_RECORD + WINDOW)
    records, rest = array.split(b"".join(waiting), last=True)
    if records:
        yield records
    return rest


class NotAnArray(SourceError):
    """A reply that is something else; `text` is what of it has arrived."""

    def __init__(self, text: str) -> None:
        super().__init__(f"expected a JSON array, found a reply that begins with {shown(text)}", DataRejected)
        self.text = text

    def with_fields(self, more: Iterable[bytes]) -> SourceError:
        """The same, naming the fields by which an object around a page announces others."""
        body = self.text.encode()
        for chunk in more:
            body += chunk
            if len(body) > LARGEST_ENVELOPE:
                return self
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            return self
        claims = claims_of_fields(found) if isinstance(found, dict) else []
        return SourceError(f"{self}, which announces more by {'; '.join(claims)}", DataRejected) if claims else self


class _Array:
    """Where in the array the stream stands."""

    def __init__(self, embedded: bool = False) -> None:
        """`embedded`: the array stands in another value, so it is open already and something follows it."""
        self.embedded = self.opened = embedded
        self.closed = False
        self.after_comma = False
        self.separator = b""
        self._split_window = msgspec.json.Decoder(list[msgspec.Raw]).decode

    def split(self, window: bytes, last: bool) -> tuple[list[Record], bytes]:
        """Complete records at the start of a window, and what is left over."""
        if self.separator and not self.closed and not last and (fast := self._fast(window)) is not None:
            return fast
        text, partial = _decode(window)
        records, position = self._scan(text)
        rest = text[position:].encode() + partial
        if last and not self.closed:
            raise SourceError("the reply ends before its JSON array does")
        if self.embedded and self.closed:
            return records, rest
        if last and rest:
            raise not_json("expected nothing after the array, found a broken character")
        if len(rest) > LARGEST_RECORD:
            raise too_large()
        return records, rest

    def _fast(self, window: bytes) -> tuple[list[Record], bytes] | None:
        """The fast path; None when it does not accept this window."""
        cut = window.rfind(self.separator)
        if cut <= 0:
            return None
        head = window[:cut]
        try:
            if not head.isascii():
                head.decode()  # msgspec does not look into strings that it only passes over
            records: list[Record] = list(self._split_window(b"[%b]" % head))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        if not records or len(head) > LARGEST_RECORD:
            return None
        if b"\n" in head or b"\r" in head:
            records = [on_one_line(bytes(record)) for record in records]
        return records, window[cut + 1 :]

    def _scan(self, text: str) -> tuple[list[Record], int]:
        """The slow path: records one by one, and the position after the last of them and its comma."""
        records: list[Record] = []
        position = 0 if self.opened else self._open(text)
        comma = 0
        while self.opened and not self.closed:
            start = _skip(text, position)
            if text.startswith("]", start) and not self.after_comma:
                position, self.closed = start + 1, True
                break
            stop = self._value(text, start)
            if stop is None:
                break
            after = _skip(text, stop)
            if after == len(text):
                break
            if text[after] not in ",]":
                if _UNFINISHED.fullmatch(text, stop):
                    break  # a number whose end has not arrived
                raise not_json(f"expected , or ] after a record, found {shown(text[after:])}")
            if comma and text[start] == "{":
                self.separator = text[comma : start + 1 + len(text[start + 1 : stop].partition(":")[0])].encode()
            records.append(_encoded(text[start:stop]))
            position, comma, self.after_comma, self.closed = after + 1, after, text[after] == ",", text[after] == "]"
        if self.closed and not self.embedded:
            position = self._close(text, position)
        return records, position

    def _open(self, text: str) -> int:
        start = _skip(text, 1 if text.startswith(_BYTE_ORDER_MARK) else 0)
        if start == len(text):
            return 0
        if "\0" in text[start : start + 4]:
            raise not_json("expected UTF-8 (RFC 8259), found UTF-16 or UTF-32")
        if text[start] != "[":
            raise NotAnArray(text[start:])
        self.opened = True
        return start + 1

    def _close(self, text: str, position: int) -> int:
        end = _skip(text, position)
        if end < len(text):
            raise not_json(f"expected nothing after the array, found {shown(text[end:])}")
        return end

    def _value(self, text: str, start: int) -> int | None:
        """Where the value at `start` ends; None when its end has not arrived."""
        try:
            return DECODER.raw_decode(text, start)[1]
        except json.JSONDecodeError as error:
            if not error.msg.startswith("Unterminated string") and not _UNFINISHED.fullmatch(text, error.pos):
                raise not_json(f"{error.msg} at {shown(text[error.pos :])}") from None
            return None
        except RecursionError:
            raise not_json("a value is nested too deeply") from None


def _skip(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position


def _decode(window: bytes) -> tuple[str, bytes]:
    """The text of a window, and the bytes of a character whose end has not arrived."""
    try:
        text, used = codecs.utf_8_decode(window, "strict", False)
    except UnicodeDecodeError as error:
        if window.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise not_json("expected UTF-8 (RFC 8259), found UTF-16 or UTF-32") from None
        raise not_json(f"expected UTF-8, found byte 0x{window[error.start]:02x} ({error.reason})") from None
    return text, window[used:]


def _encoded(record: str) -> bytes:
    content = record.encode()
    if len(content) > LARGEST_RECORD:
        raise too_large()
    return on_one_line(content)


def on_one_line(record: bytes) -> bytes:
    """A record's text without raw line breaks."""
    # in valid JSON a raw line break is white space between tokens, never part of a string
    return record.replace(b"\n", b" ").replace(b"\r", b" ")


def shown(text: str) -> str:
    """The first characters of a text, for a message: enough for the server's own reason, where it says one."""
    return repr(text[:TEXT_SHOWN]) if text else "nothing"


def refuse_constant(name: str) -> None:
    """Python reads NaN and Infinity, JSON has neither."""
    raise not_json(f"{name} is not JSON")


def not_json(found: str) -> SourceError:
    """The error for a reply that is no JSON."""
    return SourceError(f"expected a JSON array, found invalid JSON: {found}", DataRejected)


def too_large() -> SourceError:
    """The error for a record that is too large."""
    return SourceError(f"expected records of at most {LARGEST_RECORD >> 20} MiB, found a larger one", DataRejected)


DECODER = json.JSONDecoder(parse_constant=refuse_constant, parse_int=integer)
"""What it accepts is JSON here."""
