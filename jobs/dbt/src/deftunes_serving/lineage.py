"""What a published table's own metadata knows of its past: months that were rolled back, months that it ever had.

Data flow: catalog -> metadata file -> ancestry of `main` -> answers. A table of a catalog that was lost and begun anew
knows nothing of the months before, and so tells a loss from what somebody took away.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date
from typing import Any

import duckdb

from deftunes_contract.load_metrics import PREFIX
from deftunes_contract.settings import LakeSettings
from deftunes_serving.catalog import metadata_locations
from deftunes_serving.lake_views import quoted, read_lake, read_metadata

ROLLBACK = "deftunes-rollback"
"""Snapshot property of a rollback: the ingest_on that was taken back."""
INTERVAL = f"{PREFIX}ingest-on"
"""Snapshot property of a publication: its ingest_on."""


def rolled_back(settings: LakeSettings, entity: str, days: Collection[date]) -> set[date]:
    """Those of these months of which the table's latest word is a rollback."""
    with duckdb.connect() as connection:
        said: dict[str, bool] = {}
        for snapshot in _ancestry(connection, settings, entity)[1]:
            summary = snapshot.get("summary", {})
            day = summary.get(ROLLBACK, summary.get(INTERVAL))
            if day is not None:
                # the newest comes first
                said.setdefault(day, ROLLBACK in summary)
    return {day for day in days if said.get(str(day), False)}


def ever_held(settings: LakeSettings, entity: str, days: Collection[date]) -> set[date]:
    """Those of these months of which a snapshot that is still kept has rows, or that were rolled back."""
    found = rolled_back(settings, entity, days)
    with duckdb.connect() as connection:
        location, ancestry = _ancestry(connection, settings, entity)
        for snapshot in ancestry:
            if not (missing := [day for day in days if day not in found]):
                break
            listed = ", ".join(f"date '{day}'" for day in missing)
            scan = f"iceberg_scan({quoted(location)}, snapshot_from_id = {int(snapshot['snapshot-id'])})"
            rows = connection.execute(f"select distinct ingest_on from {scan} where ingest_on in ({listed})").fetchall()
            found |= {day for (day,) in rows}
    return found


def _ancestry(
    connection: duckdb.DuckDBPyConnection, settings: LakeSettings, entity: str
) -> tuple[str, list[dict[str, Any]]]:
    """The metadata file and main's snapshots, newest first; none for a table that is not there."""
    locations = metadata_locations(settings, (entity,))
    if entity not in locations:
        return "", []
    read_lake(connection, locations)
    return locations[entity], list(_from_head(read_metadata(connection, locations[entity])))


def _from_head(metadata: dict[str, Any]) -> Iterator[dict[str, Any]]:
    snapshots = {one["snapshot-id"]: one for one in metadata.get("snapshots", ())}
    snapshot = snapshots.get(metadata.get("current-snapshot-id"))
    while snapshot is not None:
        yield snapshot
        snapshot = snapshots.get(snapshot.get("parent-snapshot-id"))
