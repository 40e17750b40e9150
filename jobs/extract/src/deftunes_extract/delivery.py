"""One delivery: read a source to its end, put its objects on the store, and write the receipt last.

source ─► parts ─► store ─► guards ─► receipt (one atomic put) ─► objects that only the replaced receipt names go away

What protects it: nothing counts before the receipt, so a crash at any point leaves the earlier delivery as it was.
Names of objects hold their content's hash, so a rerun or a rival never puts other content under a name. Whoever removes
objects looks again afterwards: if a rival's receipt has come to name one of them, the delivery is made again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import structlog

from deftunes_contract.allowances import NONE_ALLOWED, Allowances
from deftunes_contract.entity import Entity
from deftunes_contract.errors import DataRejected, RetryableError, StageError, UsageError
from deftunes_contract.heartbeat import heartbeat
from deftunes_contract.interval import Interval
from deftunes_contract.layout import landing_path, receipt
from deftunes_contract.object_store import ObjectStore
from deftunes_contract.provisional import utc_now
from deftunes_contract.receipt import LandedObject, Receipt, find_receipt
from deftunes_contract.retry import Deadline, RetryPolicy
from deftunes_contract.store_errors import in_context, os_errors
from deftunes_extract.part_writer import PartWriter
from deftunes_extract.settings import ExtractSettings
from deftunes_extract.slices import SliceReceipts, read_slices
from deftunes_extract.source import LoadTotals, Put, SlicedSource, Source, SourceError
from deftunes_extract.volume_guard import check_row_count

R = TypeVar("R")

_SUFFIXES = {"jsonl": "jsonl.gz", "pgcopy": "copy.gz"}


@dataclass(frozen=True)
class ExtractRequest:
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


def land(
    request: ExtractRequest, source: Source, store: ObjectStore, settings: ExtractSettings, retries: RetryPolicy
) -> Receipt:
    """Make one delivery and return its receipt. Raises StageError; the earlier delivery is intact then."""
    slices = SliceReceipts(store, request.folder)
    with _translate_storage_errors(store, request):
        uploaded = slices.objects()
        replaced = _find_receipt(store, request, request.interval)
        before = _find_receipt(store, request, request.interval.previous)

        def attempt() -> Receipt:
            objects, totals = _read(request, source, store, settings, retries.deadline, uploaded)
            check_row_count(
                request.entity, request.interval, totals.records, source.name, (replaced, before), request.allowances
            )
            made = _build_receipt(request, settings.origin(request.entity.name, source.name), objects, totals)
            store.write(receipt(request.entity.landing_folder, request.interval.ingest_on), made.to_json())
            outdated = {o.name for o in replaced.objects} if replaced else set()
            slices.clear()
            _delete_unreferenced(request, store, uploaded | outdated)
            return made

        try:
            return retries.call(str(request), attempt, partial(_give_up, request), structlog.get_logger("extract"))
        except BaseException as error:
            if isinstance(error, DataRejected | UsageError):  # the next attempt will not go on with these slices
                slices.clear()
            with suppress(SourceError):
                _delete_unreferenced(request, store, uploaded)
            raise


def _read(
    request: ExtractRequest,
    source: Source,
    store: ObjectStore,
    settings: ExtractSettings,
    deadline: Deadline,
    uploaded: set[str],
) -> tuple[tuple[LandedObject, ...], LoadTotals]:
    """Read the source into objects on the store, in slices where it has some."""
    speed = _Speed()

    def write(read: Callable[[Put], R], first: int = 0) -> tuple[R, tuple[LandedObject, ...]]:
        suffix = _SUFFIXES[request.entity.landing_format]
        with PartWriter(store, request.folder, suffix, settings.part_bytes, settings.scratch, uploaded, first) as parts:

            def put(lines: bytes, count: int) -> None:
                parts.write(lines, count)
                speed.bytes += len(lines)

            return read(put), parts.close()

    log = structlog.get_logger("extract")
    with heartbeat(log, f"reading {request}", announce=False, facts=speed.facts):
        if isinstance(source, SlicedSource) and len(source.slices()) > 1:
            plan = (source.name, request.entity.digest, request.entity.landing_format, settings.part_bytes)
            objects, totals = read_slices(source, SliceReceipts(store, request.folder), plan, write, deadline)
        else:
            totals, objects = write(lambda put: source.read(deadline, put))
    landed = sum(o.records for o in objects)
    if landed != totals.records:
        raise StageError(f"{request}: counted {totals.records:,} records but landed {landed:,} lines; report this")
    return objects, totals


def _give_up(request: ExtractRequest, error: SourceError, reason: str) -> StageError:
    """How the stage ends after the last attempt."""
    first = "" if error.error_class is RetryableError else "have the source corrected, then "
    return error.error_class(
        f"{request}: {error} ({reason}). Nothing was delivered and the earlier delivery is intact; "
        f"{first}run the same command again"
    )


def _build_receipt(
    request: ExtractRequest, source: str, objects: tuple[LandedObject, ...], totals: LoadTotals
) -> Receipt:
    return Receipt(
        entity=request.entity.name,
        start=request.interval.start,
        end=request.interval.end,
        contract_version=request.entity.version,
        run_id=request.run_id,
        source=source,
        format=request.entity.landing_format,
        objects=objects,
        records=totals.records,
        units=totals.units,
        amount=totals.amount,
        min_time=totals.min_time,
        max_time=totals.max_time,
        warnings=totals.warnings,
        landed_at=utc_now(),
        partial=request.partial,
        contract_digest=request.entity.digest,
    )


def _find_receipt(store: ObjectStore, request: ExtractRequest, interval: Interval) -> Receipt | None:
    """The receipt of an interval. Raises DataRejected when there is one that nobody can read."""
    return find_receipt(store, request.entity, interval.ingest_on)


def _delete_unreferenced(request: ExtractRequest, store: ObjectStore, names: Collection[str]) -> None:
    """Remove objects that the receipt does not name, as far as that works: what they cost is room, not truth.

    Raises SourceError when the receipt names an object that is gone, because a rival was writing at the same time.
    """
    if not names:
        return
    try:
        of_slices = SliceReceipts(store, request.folder).objects()
        for name in sorted(set(names) - _referenced_objects(request, store) - of_slices):
            store.delete(f"{request.folder}/{name}")
        present = {path.rpartition("/")[2] for path in store.list(request.folder)}
        lost = _referenced_objects(request, store) - present
    except Exception as fault:
        structlog.get_logger("extract").warning(f"{request}: unneeded objects may be left in {request.folder}: {fault}")
        return
    if lost:
        raise SourceError(f"another extract of the same month ran at the same time, and {min(lost)} is gone")


def _referenced_objects(request: ExtractRequest, store: ObjectStore) -> set[str]:
    now = _find_receipt(store, request, request.interval)
    return {o.name for o in now.objects} if now else set()


@contextmanager
def _translate_storage_errors(store: ObjectStore, request: ExtractRequest) -> Iterator[None]:
    """Say which delivery it was that the store, or the folder of unfinished parts, did not take."""
    place = store.uri(request.folder)
    state = "nothing was delivered and the earlier delivery is intact"
    with in_context(f"{request} to go to {place}", state), os_errors(place):
        yield


class _Speed:
    """How much was read since it was made."""

    def __init__(self) -> None:
        self.bytes, self._began = 0, time.monotonic()

    def facts(self) -> Mapping[str, object]:
        """For a line of the log."""
        seconds = max(time.monotonic() - self._began, 0.001)
        return {"megabytes": round(self.bytes / 1e6), "per_second": round(self.bytes / seconds / 1e6, 1)}
