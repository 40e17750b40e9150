"""The receipt: the hand-over from extract to transform, written last.

No receipt means not delivered, so a crashed extract is invisible. A receipt names its objects with size and sha256,
so a reader can prove that what it reads is what was delivered.
"""

from __future__ import annotations

import hashlib
from datetime import date, datetime
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, ValidationError

from deftunes_contract.entity import Entity
from deftunes_contract.errors import DataRejected, RetryableError
from deftunes_contract.interval import Interval
from deftunes_contract.layout import receipt as receipt_path
from deftunes_contract.load_metrics import LoadMetrics
from deftunes_contract.names import PathPart, faults_of
from deftunes_contract.object_store import ObjectStore
from deftunes_contract.redaction import redact


class LandedObject(BaseModel):
    """One file of a delivery: name within the delivery's folder, size in bytes, sha256 (hex), number of records.

    The name is a part of a path that is read and removed, so one with a separator is no receipt's.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: PathPart
    bytes: int
    sha256: str
    records: int


class Receipt(BaseModel):
    """What was delivered for one entity and interval.

    records: lines landed. units: table rows they stand for (sessions: items, at least 1 a record). amount: sum of the
    readable prices (None where the entity has no money). min_time, max_time: of the event time, zone-less UTC.
    warnings: what was noticed and let through, such as columns that the contract does not know. partial: the interval
    was not over when it was read, so more records of it may follow. contract_digest: sha256 of the effective contract,
    overlay included; empty in receipts of versions that did not write it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    entity: str
    start: date
    end: date
    contract_version: str
    run_id: str
    source: str
    format: str
    objects: tuple[LandedObject, ...]
    records: int
    units: int
    amount: Decimal | None
    min_time: datetime | None
    max_time: datetime | None
    warnings: tuple[str, ...] = ()
    landed_at: datetime
    partial: bool = False
    contract_digest: str = ""

    @property
    def interval(self) -> Interval:
        """The interval that this delivery covers."""
        return Interval(self.start, self.end)

    @property
    def digest(self) -> str:
        """sha256 (hex) over the objects: equal digests are equal deliveries."""
        listing = "\n".join(f"{o.name} {o.bytes} {o.sha256}" for o in self.objects)
        return hashlib.sha256(listing.encode()).hexdigest()

    def is_source_of(self, summary: LoadMetrics) -> bool:
        """Whether a staged snapshot was made from this delivery.

        The same objects, read again after the month was over, are another delivery: now it is known that they are all.
        """
        return (self.digest, self.partial) == (summary.receipt, summary.partial)

    def to_json(self) -> bytes:
        """The file's content."""
        return (redact(self.model_dump_json(indent=2)) + "\n").encode()


def find_receipt(store: ObjectStore, entity: Entity, ingest_on: date) -> Receipt | None:
    """The receipt of a delivery, or None when nothing was delivered. Raises DataRejected for a file of another form.

    Fields that this release does not know are ignored, and fields that an older one did not know have defaults.
    """
    path = receipt_path(entity.landing_folder, ingest_on)
    content = store.read(path)
    try:
        return None if content is None else Receipt.model_validate_json(content)
    except ValidationError as error:
        interval = Interval.of_ingest_on(ingest_on)
        raise DataRejected(
            f"expected a receipt at {store.uri(path)}, found a file of another form ({faults_of(error)}); nothing was "
            f"read, written or removed. Remove it and run deftunes-extract {entity.name} --start {interval.start} "
            f"--end {interval.end} again"
        ) from None


def read_receipt(store: ObjectStore, entity: Entity, interval: Interval) -> Receipt:
    """The receipt of a delivery.

    Raises RetryableError when nothing was delivered, DataRejected as `find_receipt` does.
    """
    found = find_receipt(store, entity, interval.ingest_on)
    if found is None:
        raise RetryableError(
            f"expected a delivery of {entity.name} for {interval}, found no receipt at "
            f"{store.uri(receipt_path(entity.landing_folder, interval.ingest_on))}; "
            f"run deftunes-extract {entity.name} --start {interval.start} --end {interval.end} first"
        )
    return found
