"""Where things lie in the lake: facts about paths, relative to the lake's root (`DEFTUNES_LAKE`).

A path is a string with forward slashes, valid as a folder below a local lake and as an S3 key below a prefix.
"""

from datetime import date

from deftunes_contract.names import path_part

TRANSFORM_ZONE = "transform_zone"
"""Root of the Iceberg tables (the catalog's warehouse)."""

RECEIPT = "_receipt.json"
"""Name of the hand-over file; written last, so its absence means: not delivered."""


def landing_path(landing_folder: str, ingest_on: date) -> str:
    """Folder of one delivery: `landing_zone/api/users/ingest_on=2020-02-01`."""
    return f"{landing_folder}/ingest_on={ingest_on}"


def receipt(landing_folder: str, ingest_on: date) -> str:
    """Receipt of one delivery."""
    return f"{landing_path(landing_folder, ingest_on)}/{RECEIPT}"


def quality_report(entity: str, ingest_on: date, run_id: str) -> str:
    """Folder of one gate decision: `result.json`, the report in `data_docs`. Raises DataRejected for no name."""
    return f"quality/{path_part(entity, 'entity')}/ingest_on={ingest_on}/run={path_part(run_id, 'run id')}"


def quality_result(entity: str, ingest_on: date, run_id: str) -> str:
    """The gate decision itself, JSON."""
    return f"{quality_report(entity, ingest_on, run_id)}/result.json"


def branch(run_id: str, ingest_on: date) -> str:
    """Iceberg branch on which a run stages one interval. Raises DataRejected for a run id that is no name."""
    return f"run_{path_part(run_id, 'run id')}_{ingest_on:%Y%m%d}"


def interval_tag(ingest_on: date) -> str:
    """Iceberg tag on the snapshot that last published an interval."""
    return f"interval_{ingest_on:%Y%m%d}"


def previous_tag(ingest_on: date) -> str:
    """Iceberg tag on what an interval showed before it was last published; rollback reads that partition of it.

    It is the interval's earlier publication, or main as it was when there was none.
    """
    return f"before_{ingest_on:%Y%m%d}"
