"""The run record: what a run did, step by step, kept as JSON below the home for `status` and the dashboard."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from deftunes_cli.workspace import Workspace
from deftunes_contract.atomic_file import AtomicFile
from deftunes_contract.names import path_part
from deftunes_contract.redaction import redact


class Step(BaseModel):
    """One call of a stage. `month` is YYYY-MM or None for a step over the whole range; seconds is wall time."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    stage: str
    entities: tuple[str, ...]
    month: str | None
    started_at: datetime
    seconds: float
    exit_code: int
    sentence: str


class RunRecord(BaseModel):
    """One run over one or more months. Times are UTC; exit_code is that of the run as a whole.

    provisional: those of the months that were not over when the run began. contract_digests: entity → sha256 (hex) of
    its effective contract, overlays included.
    """

    model_config = ConfigDict(extra="ignore")

    run_id: str
    pipelines: tuple[str, ...]
    months: tuple[str, ...]
    provisional: tuple[str, ...] = ()
    contract_digests: dict[str, str] = {}
    started_at: datetime
    finished_at: datetime | None = None
    exit_code: int | None = None
    steps: list[Step] = []

    def save(self, home: Workspace) -> Path:
        """Write the record, replacing atomically. Raises DataRejected for a run id that is no name of a file."""
        home.runs.mkdir(parents=True, exist_ok=True)
        target = home.runs / f"{path_part(self.run_id, 'run id')}.json"
        with AtomicFile(target) as file:
            file.write_text(redact(self.model_dump_json(indent=2)) + "\n", encoding="utf-8")
        return target


def last_record(home: Workspace) -> RunRecord | None:
    """The record of the run that started last, or None before the first."""
    found = [RunRecord.model_validate_json(p.read_text(encoding="utf-8")) for p in home.runs.glob("[!.]*.json")]
    return max(found, key=lambda record: record.started_at, default=None)
