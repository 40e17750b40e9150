"""Count a delivery again, independently of the extract that wrote its receipt.

landing_zone/<entity>/ingest_on=D/<objects of the receipt> ─► one streaming pass: sha256 of the stored bytes, lines,
units and readable prices (rules: docs/architecture.md, "The hand-overs"). Reads only; memory stays at a few lines
however large the delivery is.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import IO, Any

import structlog

from deftunes_contract.entity import Entity
from deftunes_contract.heartbeat import heartbeat
from deftunes_contract.landed_record import RecordMeasure
from deftunes_contract.layout import landing_path
from deftunes_contract.object_store import ObjectStore
from deftunes_contract.receipt import LandedObject, Receipt
from deftunes_contract.store_errors import ObjectNotFound
from deftunes_serving.verify.model import Discrepancy, Figures

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Recount:
    """What the landed files hold; `figures` is None when a file could not be read to its end."""

    figures: Figures | None
    faults: tuple[Discrepancy, ...]


def recount_landing(store: ObjectStore, entity: Entity, receipt: Receipt) -> Recount:
    """Read every object that the receipt names, once, and count records, units and cents."""
    tally = _Tally(entity)
    folder = landing_path(entity.landing_folder, receipt.end)
    log = structlog.get_logger("verify")
    with heartbeat(
        log, f"counting landed records of {entity.name}", announce=False, facts=lambda: {"so_far": tally.records}
    ):
        faults = [
            fault
            for listed in receipt.objects
            for fault in _read(store, f"{folder}/{listed.name}", listed, tally, receipt)
        ]
    whole = not any(fault.hop == "landed object unreadable" for fault in faults)
    return Recount(tally.figures if whole else None, tuple(faults))


class _Tally:
    """Running sums over lines."""

    def __init__(self, entity: Entity) -> None:
        self.entity, self.records, self.units, self.cents = entity, 0, 0, 0
        self._measure = RecordMeasure(entity)

    def add(self, lines: Iterator[bytes]) -> int:
        """Count lines; returns how many there were."""
        before = self.records
        for line in lines:
            self.records += 1
            if self._measure.is_constant:
                self.units += 1
            else:
                units, cents = self._measure.of_line(line)
                self.units += units
                self.cents += cents
        return self.records - before

    @property
    def figures(self) -> Figures:
        """The sums so far."""
        amount = None if self.entity.amount is None else Decimal(self.cents).scaleb(-2)
        return Figures(units=self.units, amount=amount)


def _read(
    store: ObjectStore, path: str, listed: LandedObject, tally: _Tally, receipt: Receipt
) -> Iterator[Discrepancy]:
    """Count one object; yields what is wrong with it."""
    subject = f"{receipt.entity} {receipt.interval.month}"
    advice = (
        f"restore the object, or run deftunes-extract {receipt.entity} --start {receipt.start} --end {receipt.end}"
        " again and then the stages after it"
    )
    where = f"at {store.uri(path)}"
    try:
        stored = store.open(path)
    except ObjectNotFound:
        yield _fault("landed object unreadable", subject, f"the landed object {listed.name}", "nothing", where, advice)
        return
    with stored:
        hashing = _Hashing(stored)
        try:
            with gzip.GzipFile(fileobj=io.BufferedReader(hashing, _CHUNK)) as lines:
                records = tally.add(iter(lines))
        except (OSError, EOFError, zlib.error) as error:
            yield _fault("landed object unreadable", subject, "a gzip file", str(error), where, advice)
            records = listed.records
        while hashing.read(_CHUNK):
            pass
    if hashing.sha256 != listed.sha256:
        yield _fault("landed object", subject, f"sha256 {listed.sha256}", hashing.sha256, where, advice)
    elif records != listed.records:
        yield _fault("landed object", subject, f"{listed.records:,} records", f"{records:,}", where, advice)


def _fault(hop: str, subject: str, expected: str, found: str, where: str, advice: str) -> Discrepancy:
    return Discrepancy(hop=hop, subject=subject, expected=expected, found=found, where=where, advice=advice)


class _Hashing(io.RawIOBase):
    """Passes bytes on and keeps their sha256."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source, self._hash = source, hashlib.sha256()

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer from the source."""
        content = self._source.read(len(buffer))
        buffer[: len(content)] = content
        self._hash.update(content)
        return len(content)

    @property
    def sha256(self) -> str:
        """Of all that was read, hex."""
        return self._hash.hexdigest()
