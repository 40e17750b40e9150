"""What is published: read from the Iceberg tables' own metadata, without Spark and without opening a data file.

catalog (SQLite file or Glue) ─► metadata JSON of each table ─► tags `interval_<YYYYMMDD>` ─► LoadMetrics of the
tagged snapshot. Reads only. The JSON is read as such, not through pyiceberg, whose import costs more than the rest of
a verification of a small lake.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from deftunes_contract.errors import StageError
from deftunes_contract.layout import interval_tag
from deftunes_contract.load_metrics import LoadMetrics
from deftunes_contract.object_store import open_store
from deftunes_contract.registry import registry
from deftunes_contract.settings import LakeSettings
from deftunes_serving.catalog import metadata_locations

_INTERVAL_TAG = re.compile(r"interval_(\d{8})")


@dataclass(frozen=True)
class Published:
    """One published interval of a table: the tagged snapshot and what the transform wrote on it."""

    ingest_on: date
    snapshot_id: int
    summary: LoadMetrics


def table_locations(settings: LakeSettings) -> dict[str, str]:
    """Table name → address of its current metadata file; empty while the lake has no catalog yet."""
    if not settings.is_glue and not Path(settings.catalog_file).is_file():
        return {}
    return metadata_locations(settings, registry().tables)


def read_metadata(location: str) -> Mapping[str, Any]:
    """One table's metadata. Raises StageError when the file that the catalog names is not there."""
    folder, _, name = location.rpartition("/")
    content = open_store(folder).read(name)
    if content is None:
        raise StageError(
            f"expected the table metadata that the catalog names, found nothing at {location}; "
            "restore the file, or the catalog that belongs to this lake"
        )
    if content[:2] == b"\x1f\x8b":
        content = gzip.decompress(content)
    metadata: Mapping[str, Any] = json.loads(content)
    return metadata


def published_intervals(table: str, metadata: Mapping[str, Any]) -> dict[date, Published]:
    """ingest_on → what the interval's tag names. Raises StageError for a tag whose snapshot no transform made."""
    snapshots = {snapshot["snapshot-id"]: snapshot for snapshot in metadata.get("snapshots", [])}
    found: dict[date, Published] = {}
    for ref, target in metadata.get("refs", {}).items():
        match = _INTERVAL_TAG.fullmatch(ref)
        if match is None or target["type"] != "tag":
            continue
        ingest_on = datetime.strptime(match[1], "%Y%m%d").date()
        snapshot = snapshots.get(target["snapshot-id"], {})
        summary = LoadMetrics.from_properties(snapshot.get("summary", {}))
        if summary is None or summary.ingest_on != ingest_on:
            raise StageError(
                f"expected the tag {interval_tag(ingest_on)} of {table} on a snapshot staged for {ingest_on}, found "
                f"snapshot {target['snapshot-id']} with {'no deftunes properties' if summary is None else summary}; "
                "publish the interval again"
            )
        found[ingest_on] = Published(ingest_on, target["snapshot-id"], summary)
    return found
