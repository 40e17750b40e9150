"""Prove the figures: source = landed = published + quarantined = facts, for rows and for money.

receipts + landed files + Iceberg metadata and tables + serving tables ─► `Verification`. Reads only, needs no Spark.
Protected against reading two states at once: when a table moves while it is looked at, the result is thrown away. Run
it alone: `deftunes verify`, or `verify(from_environment(LakeSettings), Path("lake/serving.duckdb"))`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from deftunes_contract import layout
from deftunes_contract.entity import Entity
from deftunes_contract.errors import NothingToDo, RetryableError
from deftunes_contract.interval import Interval
from deftunes_contract.object_store import ObjectStore, open_store
from deftunes_contract.provisional import utc_now
from deftunes_contract.receipt import Receipt, find_receipt
from deftunes_contract.registry import load, registry
from deftunes_contract.retry import RetryPolicy
from deftunes_contract.settings import LakeSettings
from deftunes_serving.reader import NotBuilt, open_serving
from deftunes_serving.settings import ServingSettings
from deftunes_serving.verify import published_tables, serving_tables
from deftunes_serving.verify.landing_recount import recount_landing
from deftunes_serving.verify.model import Figures, PublishedRun, TableHash, Verification, figures
from deftunes_serving.verify.reconcile import Evidence, faults, pending, provisional
from deftunes_serving.verify.snapshots import Published, published_intervals, read_metadata, table_locations

Intervals = Mapping[str, Mapping[date, Published]]
"""Entity → ingest_on → what is published of it."""


@dataclass(frozen=True)
class _Public:
    """What DuckDB saw on `main`."""

    partitions: Mapping[str, Mapping[date, Figures]]
    quarantined: Mapping[published_tables.QuarantineKey, Figures]
    contents: Mapping[str, TableHash]
    members: Mapping[str, TableHash]


def verify(
    settings: LakeSettings,
    serving: ServingSettings | Path,
    months: Collection[Interval] | None = None,
    entities: Collection[str] | None = None,
) -> Verification:
    """Compare every hop of every delivered or published interval, and fingerprint every table.

    serving: the settings of the target in use, or a serving file.

    months: look at these intervals only, so that one month costs the same whatever the history; `tables` is then
    empty and `items` and `total_sales` are those of the months. entities: look at these only; default: all. When a
    run publishes meanwhile, it looks again. Raises NothingToDo when nothing was delivered or published, RetryableError
    when the lake changed every time or the serving tables cannot be read.
    """
    return RETRIES.call("verify", lambda: _look(settings, serving, months, entities or registry().names))


class _Moved(RetryableError):
    """The lake changed while it was looked at."""


RETRIES = RetryPolicy(6, (_Moved,), initial=0.5, longest=8)
"""For a lake that changed meanwhile: a run makes its tables public within some seconds."""


def _look(
    settings: LakeSettings,
    serving: ServingSettings | Path,
    months: Collection[Interval] | None,
    entities: Collection[str],
) -> Verification:
    only = None if months is None else {interval.ingest_on for interval in months}
    locations = table_locations(settings)
    published = {
        entity: _wanted(published_intervals(entity, read_metadata(locations[entity])), only)
        for entity in entities
        if entity in locations
    }
    store = open_store(settings.lake)
    receipts = {entity: _receipts(store, load(entity), only) for entity in entities}
    seen = _see_public(settings, locations, published, only)
    if not any(receipts.values()) and not any(seen.partitions.values()) and not any(published.values()):
        raise NothingToDo(
            f"expected deliveries or published tables, found none in {settings.lake_root}"
            f"{' for these months' if only else ''}; run deftunes demo, or deftunes run --start DAY --end DAY"
        )
    shown = _read_serving(serving, seen, must_exist=any(published.values()), whole=only is None)
    evidence = _gather(store, receipts, published, seen, shown, only)
    if table_locations(settings) != locations:
        raise _Moved(f"the tables of {settings.lake_root} changed while they were verified; run deftunes verify again")
    return _conclude(evidence, seen, shown)


def _wanted(days: Mapping[date, Published], only: Collection[date] | None) -> dict[date, Published]:
    return {day: found for day, found in days.items() if only is None or day in only}


def _receipts(store: ObjectStore, entity: Entity, only: Collection[date] | None) -> dict[date, Receipt]:
    """ingest_on → receipt of every delivery."""
    days = _delivered(store, entity) if only is None else sorted(only)
    found = {day: find_receipt(store, entity, day) for day in days}
    return {day: receipt for day, receipt in found.items() if receipt is not None}


def _delivered(store: ObjectStore, entity: Entity) -> list[date]:
    mark = f"/{layout.RECEIPT}"
    folders = (path.removesuffix(mark) for path in store.list(entity.landing_folder) if path.endswith(mark))
    return sorted(date.fromisoformat(folder.rpartition("ingest_on=")[2]) for folder in folders)


def _see_public(
    settings: LakeSettings, locations: Mapping[str, str], published: Intervals, only: Collection[date] | None
) -> _Public:
    if not locations:
        return _Public({}, {}, {}, {})
    with published_tables.open_public(settings) as connection:
        return _Public(
            partitions={entity: published_tables.partitions(connection, entity, only) for entity in published},
            quarantined=published_tables.quarantined(connection, only) if "quarantine" in locations else {},
            contents=published_tables.contents(connection, locations, published) if only is None else {},
            members=published_tables.members(connection) if only is None else {},
        )


def _read_serving(
    serving: ServingSettings | Path, seen: _Public, must_exist: bool, whole: bool
) -> serving_tables.ServingTables | None:
    """What is served; None where nothing is, and nothing must be."""
    try:
        with open_serving(serving) as reader:
            if not must_exist and not reader.relations():
                return None
            return serving_tables.read_tables(reader, seen.members, with_contents=whole)
    except NotBuilt as nothing:
        return serving_tables.missing_file(nothing.where) if must_exist else None


def _gather(
    store: ObjectStore,
    receipts: Mapping[str, Mapping[date, Receipt]],
    published: Intervals,
    seen: _Public,
    shown: serving_tables.ServingTables | None,
    only: Collection[date] | None,
) -> list[Evidence]:
    """One piece of evidence per entity and interval, sorted by both."""
    facts = shown.facts if shown is not None and shown.sound else None
    evidence = []
    for entity in receipts:
        contract = load(entity)
        has_money = contract.amount is not None
        nothing = figures(0, None, has_money)
        public_days, tags = seen.partitions.get(entity, {}), published.get(entity, {})
        own_facts = facts.get(entity) if facts is not None else None
        fact_days = {day for day in own_facts or {} if only is None or day in only}
        for day in sorted({*receipts[entity], *public_days, *tags, *fact_days}):
            receipt, tag = receipts[entity].get(day), tags.get(day)
            run = (entity, day, tag.summary.run_id) if tag is not None else None
            evidence.append(
                Evidence(
                    entity=entity,
                    ingest_on=day,
                    receipt=receipt,
                    landed=None if receipt is None else recount_landing(store, contract, receipt),
                    published=tag,
                    public=public_days.get(day, nothing),
                    quarantined=nothing if run is None else seen.quarantined.get(run, nothing),
                    facts=None if own_facts is None else own_facts.get(day, nothing),
                )
            )
    return evidence


def _conclude(evidence: list[Evidence], seen: _Public, shown: serving_tables.ServingTables | None) -> Verification:
    sales, now = seen.partitions.get(serving_tables.star_entity(), {}).values(), utc_now()
    return Verification(
        faults=tuple(fault for one in evidence for fault in faults(one)) + (shown.faults if shown else ()),
        pending=tuple(said for one in evidence if (said := pending(one)) is not None),
        provisional=tuple(said for one in evidence if (said := provisional(one, now)) is not None),
        intervals=tuple(one.check for one in evidence),
        items=sum(month.units for month in sales),
        total_sales=sum((month.amount or Decimal() for month in sales), Decimal("0.00")),
        sales=shown.sales if shown else (),
        tables={**seen.contents, **(shown.tables if shown else {})},
        runs=tuple(_run(one) for one in evidence),
    )


def _run(evidence: Evidence) -> PublishedRun:
    published, receipt = evidence.published, evidence.receipt
    landed_at: datetime | None = None if receipt is None else receipt.landed_at
    return PublishedRun(
        entity=evidence.entity,
        ingest_on=evidence.ingest_on,
        published_run=None if published is None else published.summary.run_id,
        snapshot_id=None if published is None else published.snapshot_id,
        delivered_run=None if receipt is None else receipt.run_id,
        landed_at=landed_at,
    )
