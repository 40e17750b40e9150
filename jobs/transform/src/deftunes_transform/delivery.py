"""A delivery, accepted: the receipt, and the proof that what lies in the landing zone is what was delivered.

Data flow: landing zone → receipt → names of the objects to read. Objects are named by their content, so a delivery that
passed cannot change under a reader; it can only be replaced, and `check_unchanged` tells.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass

from deftunes_contract.entity import Entity
from deftunes_contract.errors import DataRejected, RetryableError
from deftunes_contract.interval import Interval
from deftunes_contract.layout import landing_path, receipt
from deftunes_contract.object_store import ObjectStore
from deftunes_contract.receipt import LandedObject, Receipt, find_receipt, read_receipt
from deftunes_contract.store_errors import in_context

_AT_ONCE = 4
"""Objects hashed at a time: enough to keep S3 busy; each is held in memory, and extract cuts them at some 20 MB."""


@dataclass(frozen=True)
class Delivery:
    """One entity and interval as delivered. uris: full names of the objects, in the receipt's order."""

    entity: Entity
    interval: Interval
    receipt: Receipt
    uris: tuple[str, ...]


def open_delivery(store: ObjectStore, entity: Entity, interval: Interval, verify: bool) -> Delivery:
    """The delivery of an interval.

    verify: compare size and sha256 of every object, else only that it is there. Raises RetryableError when nothing was
    delivered or objects are not those of the receipt, DataRejected when the receipt is not for this contract.
    """
    with _reading(store, entity, interval):
        found = read_receipt(store, entity, interval)
        _check_contract(found, entity, interval)
        folder = landing_path(entity.landing_folder, interval.ingest_on)
        if verify:
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                faults = list(pool.map(lambda landed: _fault(store, folder, landed), found.objects))
        else:
            present = set(store.list(folder)) if found.objects else set()
            faults = [None if f"{folder}/{o.name}" in present else f"{o.name} is gone" for o in found.objects]
        if said := [fault for fault in faults if fault]:
            raise _changed(store, entity, interval, said[0])
        return Delivery(entity, interval, found, tuple(store.uri(f"{folder}/{o.name}") for o in found.objects))


def check_unchanged(store: ObjectStore, accepted: Delivery) -> None:
    """Raises RetryableError when the delivery was replaced or lost an object since it was accepted."""
    entity, interval = accepted.entity, accepted.interval
    with _reading(store, entity, interval):
        now = find_receipt(store, entity, interval.ingest_on)
        if now is None or now.digest != accepted.receipt.digest:
            raise _changed(store, entity, interval, "the receipt is another one than a moment ago")
        folder = landing_path(entity.landing_folder, interval.ingest_on)
        present = set(store.list(folder))
        if gone := [o.name for o in now.objects if f"{folder}/{o.name}" not in present]:
            raise _changed(store, entity, interval, f"{gone[0]} is gone")


def _check_contract(found: Receipt, entity: Entity, interval: Interval) -> None:
    """Raises DataRejected for a receipt of something else; minor versions of a contract only add to it."""
    expected = (entity.name, str(interval), entity.landing_format, entity.version.split(".")[0])
    delivered = (found.entity, f"[{found.start}, {found.end})", found.format, found.contract_version.split(".")[0])
    if expected != delivered:
        raise DataRejected(
            f"expected a delivery of {entity.name} for {interval} as {entity.landing_format} under contract version "
            f"{entity.version}, found one of {found.entity} for {delivered[1]} as {found.format} under "
            f"{found.contract_version}; {_again(entity, interval)} with this release"
        )


def _fault(store: ObjectStore, folder: str, landed: LandedObject) -> str | None:
    content = store.read(f"{folder}/{landed.name}")
    if content is None:
        return f"{landed.name} is gone"
    if len(content) != landed.bytes:
        return f"{landed.name} has {len(content):,} bytes instead of {landed.bytes:,}"
    if hashlib.sha256(content).hexdigest() != landed.sha256:
        return f"{landed.name} has another sha256"
    return None


def _changed(store: ObjectStore, entity: Entity, interval: Interval, fault: str) -> RetryableError:
    return RetryableError(
        f"the delivery of {entity.name} for {interval} changed: expected the objects that "
        f"{_place(store, entity, interval)} names, found that {fault}; {_again(entity, interval)}"
    )


def _place(store: ObjectStore, entity: Entity, interval: Interval) -> str:
    return store.uri(receipt(entity.landing_folder, interval.ingest_on))


def _again(entity: Entity, interval: Interval) -> str:
    return f"run deftunes-extract {entity.name} --start {interval.start} --end {interval.end} again"


def _reading(store: ObjectStore, entity: Entity, interval: Interval) -> AbstractContextManager[None]:
    """Say which delivery it was that could not be read."""
    return in_context(
        f"to read the delivery of {entity.name} for {interval} at {_place(store, entity, interval)}",
        "nothing was changed",
    )
