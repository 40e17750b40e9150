"""One delivery: read a source to its end, put its objects on the store, and write the receipt last.

source ─► parts ─► store ─► guards ─► receipt (one atomic put) ─► objects that only the replaced receipt names go away

What protects it: nothing counts before the receipt, so a crash at any point leaves the earlier delivery as it was.
Names of objects hold their content's hash, so a rerun or a rival never puts other content under a name. Whoever removes
objects looks again afterwards: if a rival's receipt has come to name one of them, the delivery is made again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Protocol

import structlog

from deftunes_contract.allowances import NONE_ALLOWED, Allowances
from deftunes_contract.entity import Entity
from deftunes_contract.errors import RetryableError, StageError, UsageError
from deftunes_contract.interval import Interval
from deftunes_contract.layout import landing_path, receipt
from deftunes_contract.object_store import ObjectStore
from deftunes_contract.provisional import utc_now
from deftunes_contract.receipt import LandedObject, Receipt, find_receipt
from deftunes_extract.metrics import LoadTotals
from deftunes_extract.part_writer import PartWriter
from deftunes_extract.patience import Deadline, Patience, SourceError
from deftunes_extract.settings import ExtractSettings
from deftunes_extract.volume_guard import check_arrival

_SUFFIXES = {"jsonl": "jsonl.gz", "pgcopy": "copy.gz"}
_PROGRESS_SECONDS = 5.0


Put = Callable[[bytes, int], None]
"""Takes a block of whole lines and their number."""


class Source(Protocol):
    """Where records come from. `name` says so in the receipt, without credentials."""

    name: str

    def read(self, deadline: Deadline, put: Put) -> LoadTotals:
        """Put everything, in blocks of whole lines; may be called again after a SourceError."""


@dataclass(frozen=True)
class Order:
    """What is to be delivered. partial: the interval is not over, so the delivery is provisional."""

    entity: Entity
    interval: Interval
    run_id: str
    allowances: Allowances = NONE_ALLOWED
    partial: bool = False

    def __str__(self) -> str:
        return f"{self.entity.name} for {self.interval}"

    @property
    def folder(self) -> str:
        """Where it goes."""
        return landing_path(self.entity.landing_folder, self.interval.ingest_on)


def deliver(order: Order, source: Source, store: ObjectStore, settings: ExtractSettings, patience: Patience) -> Receipt:
    """Make one delivery and return its receipt. Raises StageError; the earlier delivery is intact then."""
    uploaded: set[str] = set()
    with _lake_faults(store, order):
        replaced = _receipt(store, order, order.interval)
        before = _receipt(store, order, order.interval.previous)

        def attempt() -> Receipt:
            objects, totals = _land(order, source, store, settings, patience.deadline, uploaded)
            check_arrival(
                order.entity, order.interval, totals.records, source.name, (replaced, before), order.allowances
            )
            made = _signed(order, settings.origin(order.entity.name, source.name), objects, totals)
            store.write(receipt(order.entity.landing_folder, order.interval.ingest_on), made.to_json())
            outdated = {o.name for o in replaced.objects} if replaced else set()
            _sweep(order, store, uploaded | outdated)
            return made

        try:
            return patience.run(str(order), attempt)
        except BaseException:
            with suppress(SourceError):
                _sweep(order, store, uploaded)
            raise


def _land(
    order: Order,
    source: Source,
    store: ObjectStore,
    settings: ExtractSettings,
    deadline: Deadline,
    uploaded: set[str],
) -> tuple[tuple[LandedObject, ...], LoadTotals]:
    """Read the source into objects on the store. Names of everything put there are added to `uploaded`."""
    suffix = _SUFFIXES[order.entity.landing_format]
    progress = _Progress(order)
    with PartWriter(store, order.folder, suffix, settings.part_bytes, settings.scratch, uploaded) as parts:

        def put(lines: bytes, count: int) -> None:
            parts.put(lines, count)
            progress.say(len(lines))

        totals = source.read(deadline, put)
        objects = parts.close()
    landed = sum(o.records for o in objects)
    if landed != totals.records:
        raise StageError(f"{order}: counted {totals.records:,} records but landed {landed:,} lines; please report this")
    return objects, totals


def _signed(order: Order, source: str, objects: tuple[LandedObject, ...], totals: LoadTotals) -> Receipt:
    return Receipt(
        entity=order.entity.name,
        start=order.interval.start,
        end=order.interval.end,
        contract_version=order.entity.version,
        run_id=order.run_id,
        source=source,
        format=order.entity.landing_format,
        objects=objects,
        records=totals.records,
        units=totals.units,
        amount=totals.amount,
        min_time=totals.min_time,
        max_time=totals.max_time,
        warnings=totals.warnings,
        landed_at=utc_now(),
        partial=order.partial,
    )


def _receipt(store: ObjectStore, order: Order, interval: Interval) -> Receipt | None:
    """The receipt of an interval. Raises DataRejected when there is one that nobody can read."""
    return find_receipt(store, order.entity, interval.ingest_on)


def _sweep(order: Order, store: ObjectStore, names: Collection[str]) -> None:
    """Remove objects that the receipt does not name, as far as that works: what they cost is room, not truth.

    Raises SourceError when the receipt names an object that is gone, because a rival was writing at the same time.
    """
    if not names:
        return
    try:
        for name in sorted(set(names) - _named(order, store)):
            store.delete(f"{order.folder}/{name}")
        present = {path.rpartition("/")[2] for path in store.list(order.folder)}
        lost = _named(order, store) - present
    except Exception as fault:
        structlog.get_logger("extract").warning(f"{order}: unneeded objects may be left in {order.folder}: {fault}")
        return
    if lost:
        raise SourceError(f"another extract of the same month ran at the same time, and {min(lost)} is gone")


def _named(order: Order, store: ObjectStore) -> set[str]:
    now = _receipt(store, order, order.interval)
    return {o.name for o in now.objects} if now else set()


@contextmanager
def _lake_faults(store: ObjectStore, order: Order) -> Iterator[None]:
    """Turns what files and S3 raise into an end of the stage."""
    try:
        yield
    except Exception as fault:
        from_s3 = type(fault).__module__.partition(".")[0] in ("botocore", "boto3", "s3transfer")
        if not from_s3 and not isinstance(fault, OSError):
            raise
        code = str(getattr(fault, "response", {}).get("Error", {}).get("Code", ""))
        final = isinstance(fault, PermissionError | NotADirectoryError | FileNotFoundError) or code in _S3_USAGE
        final = final or type(fault).__name__ in ("NoCredentialsError", "NoRegionError", "ParamValidationError")
        raise (UsageError if final else RetryableError)(
            f"{order}: expected to write to {store.uri(order.folder)}, found {fault}; nothing was delivered and the "
            f"earlier delivery is intact. {'Correct the lake or its rights' if final else 'Run the same command again'}"
        ) from fault


_S3_USAGE = frozenset({"AccessDenied", "NoSuchBucket", "InvalidAccessKeyId", "SignatureDoesNotMatch", "403", "404"})


class _Progress:
    """A log line every few seconds."""

    def __init__(self, order: Order) -> None:
        self._log, self._order = structlog.get_logger("extract"), order
        self._began = self._said = time.monotonic()
        self._bytes = 0

    def say(self, more: int) -> None:
        """Count bytes, and say so now and then."""
        self._bytes += more
        now = time.monotonic()
        if now - self._said >= _PROGRESS_SECONDS:
            self._said = now
            rate = self._bytes / (now - self._began) / 1e6
            self._log.info(f"reading {self._order}", megabytes=round(self._bytes / 1e6), per_second=round(rate, 1))
