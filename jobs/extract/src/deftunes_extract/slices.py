"""A delivery that is read in slices, each with a receipt part of its own, so that the next attempt goes on.

slice ─► objects on the store ─► _slices/NNNNN.json ─► … ─► all slices compared with the source ─► one delivery

What protects the total: a slice counts while the source holds the same records of it. Its receipt part has the
source's fingerprint of it, taken in the snapshot that was read; at the end the source takes all of them again in one
snapshot, and a slice with another fingerprint is read anew. So the delivery is what the source held at that one moment,
however many attempts and processes have read it. Slices of another plan (contract, source, bounds, size of parts) are
not gone on with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from deftunes_contract.errors import StageError, UsageError
from deftunes_contract.object_store import ObjectStore
from deftunes_contract.receipt import LandedObject
from deftunes_contract.retry import Deadline
from deftunes_extract.source import LoadTotals, Put, SlicedSource, SourceError

FOLDER = "_slices"
_PARTS = 1000
"""Numbers of objects that a slice has: its objects keep their names whatever the slices before it hold."""
_ROUNDS = 3
"""How often slices that changed meanwhile are read again before the attempt fails."""

R = TypeVar("R")


class WriteObjects(Protocol):
    """Writes what a read puts as objects, numbered from `first`; gives the read's result and the objects."""

    def __call__(self, read: Callable[[Put], R], first: int) -> tuple[R, tuple[LandedObject, ...]]:
        """See the class."""


class SliceReceipt(BaseModel):
    """One slice that is on the store. plan: digest of what was to be read and how; fingerprint: see `SlicedSource`."""

    model_config = ConfigDict(frozen=True)

    plan: str
    number: int
    name: str
    fingerprint: str
    objects: tuple[LandedObject, ...]


class SliceReceipts:
    """The receipt parts of one delivery's folder."""

    def __init__(self, store: ObjectStore, folder: str) -> None:
        self._store, self._folder, self._place = store, folder, f"{folder}/{FOLDER}"

    def all(self) -> list[SliceReceipt]:
        """Every part of any plan; a file of another form is none."""
        found = []
        for path in self._store.list(self._place):
            try:
                found.append(SliceReceipt.model_validate_json(self._store.read(path) or b""))
            except ValidationError:
                continue
        return found

    def of_plan(self, plan: str) -> dict[int, SliceReceipt]:
        """The parts of a plan whose objects are all there, by their number."""
        present = {path.rpartition("/")[2] for path in self._store.list(self._folder)}
        parts = [part for part in self.all() if part.plan == plan and {o.name for o in part.objects} <= present]
        return {part.number: part for part in parts}

    def write(self, part: SliceReceipt) -> None:
        """Put or replace the part of a slice."""
        self._store.write(f"{self._place}/{part.number:05d}.json", f"{part.model_dump_json(indent=2)}\n".encode())

    def objects(self) -> set[str]:
        """The names of the objects of all parts."""
        return {o.name for part in self.all() for o in part.objects}

    def clear(self) -> None:
        """Remove all parts; their objects stay."""
        for path in list(self._store.list(self._place)):
            self._store.delete(path)


def read_slices(
    source: SlicedSource, parts: SliceReceipts, plan: Sequence[object], write: WriteObjects, deadline: Deadline
) -> tuple[tuple[LandedObject, ...], LoadTotals]:
    """Read the slices that are missing, until all are the source's of one moment. Raises what `read` raises."""
    log = structlog.get_logger("extract")
    names = source.slices()
    digest = hashlib.sha256("\n".join(map(str, (*plan, *names))).encode()).hexdigest()
    kept = parts.of_plan(digest)
    if kept:
        log.info(f"{source.name}: {len(kept)} of {len(names)} slices are there from an earlier attempt")
    missing = [number for number in range(len(names)) if number not in kept]
    for _ in range(_ROUNDS):
        for number in missing:
            kept[number] = _read_slice(source, number, digest, write, deadline)
            parts.write(kept[number])
            log.info(f"{source.name}: slice {names[number]} is on the store", slice=number + 1, of=len(names))
        totals, fingerprints = source.summary(deadline)
        missing = [number for number, now in enumerate(fingerprints) if kept[number].fingerprint != now]
        if not missing:
            return tuple(o for number in range(len(names)) for o in kept[number].objects), totals
        log.info(f"{source.name}: {len(missing)} slices have changed since they were read", first=names[missing[0]])
    raise SourceError(f"{source.name}: rows change while they are read: {len(missing)} slices did {_ROUNDS} times")


def _read_slice(source: SlicedSource, number: int, plan: str, write: WriteObjects, deadline: Deadline) -> SliceReceipt:
    name = source.slices()[number]
    (records, fingerprint), objects = write(lambda put: source.read_slice(number, deadline, put), number * _PARTS)
    if (landed := sum(o.records for o in objects)) != records:
        raise StageError(f"{source.name}: counted {records:,} records of slice {name} but landed {landed:,}")
    if len(objects) > _PARTS:
        raise UsageError(
            f"{source.name}: expected at most {_PARTS} objects of slice {name}, found {len(objects):,}; allow more "
            "bytes for one (DEFTUNES_PART_BYTES) or make the slices of the contract smaller"
        )
    return SliceReceipt(plan=plan, number=number, name=name, fingerprint=fingerprint, objects=objects)
