"""Records of a reply that holds one JSON value a line (NDJSON, JSON Lines), verbatim and in batches.

chunks ─► lines ─► records. A line is at most 16 MiB; empty lines are skipped. Nothing in the format marks its end, so
the caller checks that HTTP does (`Content-Length` or chunks).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

import msgspec

from deftunes_extract.json_array import DECODER, LARGEST_RECORD, Record, not_json, on_one_line, shown, too_large
from deftunes_extract.source import SourceError

_accept = msgspec.json.Decoder(msgspec.Raw).decode
_SPACE = b" \t\r"


def read_lines(chunks: Iterable[bytes]) -> Iterator[list[Record]]:
    """Batches of records. Raises SourceError: temporary when the last line is cut, refused when a line is no JSON."""
    rest = bytearray()
    began = False
    for chunk in chunks:
        if not began and len(rest) + len(chunk) < 3:
            rest += chunk
            continue
        if not began:
            rest, began = bytearray((bytes(rest) + chunk).removeprefix(b"\xef\xbb\xbf")), True
        else:
            rest += chunk
        end = rest.rfind(b"\n", len(rest) - len(chunk) if len(rest) > len(chunk) else 0)
        if end >= 0:
            records = [
                _record(line, last=False) for raw in bytes(rest[:end]).split(b"\n") if (line := raw.strip(_SPACE))
            ]
            del rest[: end + 1]
            if records:
                yield records
        if len(rest) > LARGEST_RECORD:
            raise too_large()
    if last := bytes(rest).removeprefix(b"\xef\xbb\xbf").strip(_SPACE + b"\n"):
        yield [_record(line, last=True) for raw in last.split(b"\n") if (line := raw.strip(_SPACE))]


def _record(line: bytes, last: bool) -> bytes:
    """The line, when it is one JSON value."""
    if len(line) > LARGEST_RECORD:
        raise too_large()
    try:
        text = line.decode()
        _accept(line)  # does not look into strings, which are UTF-8
    except UnicodeDecodeError as error:
        raise not_json(f"expected UTF-8, found byte 0x{line[error.start]:02x} ({error.reason})") from None
    except (msgspec.MsgspecError, RecursionError):
        _check(text, last)
    return on_one_line(line)


def _check(text: str, last: bool) -> None:
    """The slow path: raises what is wrong with a line that msgspec does not accept."""
    try:
        DECODER.decode(text)
    except json.JSONDecodeError as error:
        if last and (error.pos >= len(text) or error.msg.startswith("Unterminated")):
            raise SourceError("the reply ends in the middle of a record") from None
        raise not_json(f"expected one record a line, found {error.msg} at {shown(text[error.pos :])}") from None
    except RecursionError:
        raise not_json("a value is nested too deeply") from None
