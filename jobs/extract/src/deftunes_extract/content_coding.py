"""Content codings (RFC 9110 8.4.1): the bytes of a reply, unpacked a bounded piece at a time.

raw bytes ─► identity, or one gzip of any number of members (RFC 1952 2.2) ─► pieces of at most 1 MiB

Only gzip is asked for. Everything else is refused by its name, `gzip, gzip` too: packed twice, 2 KB become 4 GB.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator

from deftunes_contract.errors import DataRejected
from deftunes_extract.source import SourceError

PIECE = 1 << 20
"""Bytes unpacked at once, however small the packed ones were."""
_NONE = frozenset({"", "identity", "none", "utf-8"})
"""No coding; the last two are what some servers write for it."""
_GZIP = frozenset({"gzip", "x-gzip"})


def coding_of(values: Iterable[str]) -> str:
    """`gzip`, or nothing, from the Content-Encoding fields of a reply. Raises SourceError for any other coding."""
    named = [name.strip().lower() for value in values for name in value.split(",")]
    codings = [name for name in named if name not in _NONE]
    if not codings:
        return ""
    if len(codings) == 1 and codings[0] in _GZIP:
        return "gzip"
    raise SourceError(
        f"expected a reply without compression or with one gzip, as Accept-Encoding asks for, found Content-Encoding "
        f"{', '.join(codings)[:200]!r}",
        DataRejected,
    )


def unpack(raw: Iterable[bytes], coding: str, check: Callable[[], None]) -> Iterator[bytes]:
    """The content of a reply, in pieces. `check` is called before each of them, and raises when the time is up.

    Raises SourceError: refused when it is no gzip, temporary when it ends within a member.
    """
    if not coding:
        for chunk in raw:
            check()
            yield chunk
        return
    member = None
    began = False
    for chunk in raw:
        rest = chunk
        while rest:
            check()
            if member is None:
                if began:
                    rest = rest.lstrip(
                        b"\0"
                    )  # some servers and tapes pad the end of gzip with zeros, gzip(1) skips them
                    if not rest:
                        break
                member, began = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16), True
            yield from _some(member, rest)
            rest = member.unused_data if member.eof else member.unconsumed_tail
            member = None if member.eof else member
    while member is not None and not member.eof:
        check()
        before = list(_some(member, b""))
        yield from before
        if not before:
            raise SourceError("the reply ends before its gzip stream does")


def _some(member: zlib._Decompress, packed: bytes) -> Iterator[bytes]:
    """At most one piece."""
    try:
        piece = member.decompress(packed, PIECE)
    except zlib.error as error:
        raise SourceError(f"the reply's compression is broken: expected gzip, found {error}", DataRejected) from error
    if piece:
        yield piece
