"""How old the published tables are: dbt's own source freshness, on the times of Iceberg's snapshots.

Data flow: catalog -> metadata file of each table -> commit time of main's snapshot -> `dbt source freshness`.

Spectrum shows no snapshots, and a column of the rows says when something was sold, not when it was published; so the
times are read from the tables' metadata, for both targets alike, and handed to dbt (models/staging/sources.yml). How
old is too old stands there too, written by `deftunes_serving.generate_sources`.
"""

from __future__ import annotations

from datetime import UTC, datetime

import duckdb
import structlog

from deftunes_contract.errors import DataRejected
from deftunes_contract.registry import registry
from deftunes_serving.catalog import metadata_locations
from deftunes_serving.lake_views import read_lake, read_metadata
from deftunes_serving.project import project_folder
from deftunes_serving.run_results import error_class, translate_errors
from deftunes_serving.runner import DbtProject
from deftunes_serving.settings import ServingSettings

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""What a table that was never published is as old as."""

log = structlog.get_logger("deftunes-dbt")


def published_at(settings: ServingSettings) -> dict[str, datetime]:
    """Entity -> when its main last changed, UTC; NEVER for a table that is not there or has nothing on main.

    Raises UsageError or RetryableError as `lake_views.attach` does.
    """
    locations = metadata_locations(settings, registry().names)
    with duckdb.connect() as connection:
        read_lake(connection, locations)
        return {name: _changed_at(connection, locations.get(name)) for name in registry().names}


def _changed_at(connection: duckdb.DuckDBPyConnection, location: str | None) -> datetime:
    if location is None:
        return NEVER
    metadata = read_metadata(connection, location)
    times = {one["snapshot-id"]: one["timestamp-ms"] for one in metadata.get("snapshots", ())}
    current = times.get(metadata.get("current-snapshot-id"))
    return NEVER if current is None else datetime.fromtimestamp(current / 1000, UTC)


def freshness(settings: ServingSettings) -> str:
    """Check the age of every published table; returns one sentence. Raises DataRejected for one that is too old."""
    settings.check_target()
    times = published_at(settings)
    project = DbtProject(project_folder(settings), settings.home, settings.target)
    said = {name: f"{time:%Y-%m-%d %H:%M:%S}" for name, time in times.items()}
    with translate_errors("the age of the published tables cannot be checked:"):
        results = project.run("source freshness", variables={"published_at": said})
    ages = {result.node.name: str(result.status) for result in results}
    if broken := [r for r in results if str(r.status) == "runtime error"]:
        raise error_class(str(broken[0].message))(
            f"the age of {broken[0].node.name} cannot be checked: {broken[0].message}"
        )
    listed = ", ".join(f"{name} {said[name]} UTC ({ages[name]})" for name in sorted(ages))
    if "error" in ages.values():
        raise DataRejected(
            f"published tables are too old (models/staging/sources.yml says how old they may be): {listed}"
        )
    for name, status in ages.items():
        if status == "warn":
            log.warning(f"{name} was last published {said[name]} UTC: its next month is due")
    return f"last published: {listed}"
