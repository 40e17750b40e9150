"""The body of a reply: records joined to one JSON array, in chunks, whole or broken on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

CHUNK_BYTES = 256 * 1024  # large enough that per-chunk costs vanish, small enough to stay out of memory


@dataclass(frozen=True)
class Stall:
    """Say nothing for a while, then go on."""

    seconds: float


@dataclass(frozen=True)
class Reset:
    """Cut the connection."""


@dataclass(frozen=True)
class CleanEnd:
    """End the reply as if it were complete."""


Break = Stall | Reset | CleanEnd


def array_chunks(records: Iterator[bytes], opening: bytes = b"[") -> Iterator[bytes]:
    """Yield a JSON array of the records in chunks of about 256 KB; never more than one is held.

    ``opening`` is what stands before the first record: anything but ``[`` continues an array already begun.
    """
    batch: list[bytes] = []
    size = 0
    fresh = True
    for record in records:
        batch.append(record)
        size += len(record) + 1
        if size >= CHUNK_BYTES:
            yield opening + b",".join(batch)
            opening = b","
            fresh = False
            batch.clear()
            size = 0
    if batch:
        yield opening + b",".join(batch) + b"]"
    else:
        yield (opening if fresh else b"") + b"]"


def broken_chunks(records: Iterator[bytes], at: int, fault: Break) -> Iterator[bytes | Break]:
    """Yield the array up to the middle of record number ``at``, then the break, then (after a stall) the rest.

    A reply with fewer records breaks in its last one, a reply without records after the opening bracket.
    """
    sound: list[bytes] = []
    size = 0
    opening = b"["
    victim = next(records, b"")
    following: bytes | None = None
    position = 0
    while (following := next(records, None)) is not None and position < at:
        sound += (opening, victim)
        size += len(victim)
        if size >= CHUNK_BYTES:
            yield b"".join(sound)
            sound.clear()
            size = 0
        opening, victim = b",", following
        position += 1
    half = len(victim) // 2
    yield b"".join((*sound, opening, victim[:half]))
    yield fault
    if isinstance(fault, Stall):
        rest = records if following is None else chain([following], records)
        yield from array_chunks(rest, victim[half:] + (b"," if following is not None else b""))
