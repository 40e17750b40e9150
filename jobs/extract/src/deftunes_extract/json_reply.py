"""Records of an array that stands inside a JSON reply, and the fields around it, in bounded memory.

{"meta": {…}, "data": {"items": [ ─► records, streamed (json_array) ─► ], "next": …}} ─► fields: the reply without them

What stands before and after the array (1 MiB each at most) is kept and read as one JSON text in which the array is
empty: so the whole reply is checked, however large the array is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from deftunes_contract.errors import DataRejected
from deftunes_extract.json_array import (
    LARGEST_ENVELOPE,
    Record,
    not_json,
    read_embedded,
    read_records,
    refuse_constant,
    shown,
)
from deftunes_extract.source import SourceError

_TOKEN = re.compile(rb"[ \t\n\r]*(\"(?:[^\"\\]|\\.)*\"|[\[\]{}:,]|[^\s\"\[\]{}:,]+)", re.DOTALL)
_ERROR_FIELDS = ("error", "errors")


class JsonReply:
    """One reply. `selector`: the names that lead to the array; none when the reply is the array itself."""

    def __init__(self, selector: tuple[str, ...]) -> None:
        self._selector = selector
        self.fields: dict[str, Any] = {}
        """Everything but the records; known when `records` has come to its end."""

    def records(self, chunks: Iterable[bytes]) -> Iterator[list[Record]]:
        """Batches of records. Raises SourceError when the reply is cut short, no JSON, or has no array there."""
        chunks = iter(chunks)
        if not self._selector:
            yield from read_records(chunks)
            return
        head, rest = self._head(chunks)
        tail = bytearray((yield from read_embedded(chain([rest], chunks))))
        for chunk in chunks:
            tail += chunk
            if len(tail) > LARGEST_ENVELOPE:
                break
        if len(tail) > LARGEST_ENVELOPE:
            raise self._too_large("after")
        self.fields = self._parse(head + b"]" + bytes(tail))
        for name in _ERROR_FIELDS:
            if self.fields.get(name):
                raise SourceError(
                    f"expected records, found a reply with an error among its fields: {name}: "
                    f"{shown(json.dumps(self.fields[name], ensure_ascii=False))}",
                    DataRejected,
                )

    def _head(self, chunks: Iterator[bytes]) -> tuple[bytes, bytes]:
        """The reply up to and with the array's `[`, and what came after it."""
        head, looked_at, start = bytearray(), 0, None
        for chunk in chunks:
            head += chunk
            if len(head) < 2 * looked_at and len(head) <= LARGEST_ENVELOPE:
                continue
            looked_at, start = len(head), _start_of(bytes(head), self._selector)
            if start is not None or len(head) > LARGEST_ENVELOPE:
                break
        if start is None:
            start = _start_of(bytes(head), self._selector)
        if (start or len(head)) > LARGEST_ENVELOPE:
            raise self._too_large("before")
        if start is not None:
            return bytes(head[:start]), bytes(head[start:])
        self._parse(bytes(head))
        raise SourceError(
            f"expected a JSON array at {'.'.join(self._selector)}, found a reply that begins with "
            f"{shown(head.decode(errors='replace'))}; correct data_selector, or have the API send an empty array",
            DataRejected,
        )

    def _parse(self, text: bytes) -> dict[str, Any]:
        try:
            found = json.loads(
                text.decode("utf-8-sig"), object_pairs_hook=_without_doubles, parse_constant=refuse_constant
            )
        except UnicodeDecodeError as error:
            raise not_json(f"expected UTF-8, found {error.reason}") from None
        except json.JSONDecodeError as error:
            if error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated"):
                raise SourceError("the reply ends before its JSON does") from None
            raise not_json(f"{error.msg} at {shown(error.doc[error.pos :])}") from None
        except (RecursionError, ValueError):
            raise not_json("a field is nested too deeply or too long a number") from None
        if not isinstance(found, dict):
            raise SourceError(
                f"expected a JSON object with {'.'.join(self._selector)}, found {shown(json.dumps(found))}",
                DataRejected,
            )
        return found

    def _too_large(self, where: str) -> SourceError:
        return SourceError(
            f"expected at most {LARGEST_ENVELOPE >> 20} MiB {where} the array at {'.'.join(self._selector)}, "
            "found more",
            DataRejected,
        )


def value_at(fields: Any, path: tuple[str | int, ...]) -> Any:
    """The value at a path, None when there is none."""
    for step in path:
        if isinstance(step, int):
            fields = fields[step] if isinstance(fields, list) and step < len(fields) else None
        else:
            fields = fields.get(step) if isinstance(fields, dict) else None
    return fields


def _start_of(text: bytes, selector: tuple[str, ...]) -> int | None:
    """The position after the `[` that opens the array at these names; None when it has not come yet."""
    keys: list[str | None] = []  # of each open object the name of the field that is being read, None for an array
    position = 3 if text.startswith(b"\xef\xbb\xbf") else 0
    is_name = False
    while (found := _TOKEN.match(text, position)) is not None:
        token, position = found[1], found.end()
        match token[:1]:
            case b"{":
                keys.append("")
                is_name = True
            case b"[":
                if tuple(keys) == selector:
                    return position
                keys.append(None)
                is_name = False
            case b"}" | b"]":
                if not keys:
                    return None
                keys.pop()
                is_name = False
            case b",":
                is_name = bool(keys) and keys[-1] is not None
            case b'"' if is_name:
                try:
                    keys[-1] = str(json.loads(token))
                except ValueError:
                    return None
                is_name = False
    return None


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        double = next(name for name in names if names.count(name) > 1)
        raise SourceError(f"expected each field once, found {double[:64]!r} twice in one object", DataRejected)
    return fields
