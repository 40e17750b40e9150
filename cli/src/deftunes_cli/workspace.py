"""Where an embedded platform keeps its state: one folder, `DEFTUNES_HOME`.

home/lake/            landing zone, Iceberg tables, catalog, quality reports, serving database
home/runs/            one record per run
home/dashboard.html   the picture of the last run
home/world/           the simulator's database, when `demo` started one
"""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path

from deftunes_contract.paths import local_folder

DEFAULT_HOME = ".deftunes"


@dataclass(frozen=True)
class Workspace:
    """The folders of one embedded platform."""

    root: Path

    @property
    def lake(self) -> Path:
        """Root of the embedded lake."""
        return self.root / "lake"

    @property
    def serving(self) -> Path:
        """DuckDB file with the serving schema."""
        return self.root / "lake" / "serving.duckdb"

    @property
    def runs(self) -> Path:
        """Records of runs."""
        return self.root / "runs"

    @property
    def dashboard(self) -> Path:
        """The picture of the last run."""
        return self.root / "dashboard.html"

    @property
    def world(self) -> Path:
        """State of the simulated world."""
        return self.root / "world"


def workspace_of(environment: Mapping[str, str]) -> Workspace:
    """The home that the environment names (`DEFTUNES_HOME`, default `.deftunes` below here). Raises UsageError."""
    return Workspace(local_folder(environment.get("DEFTUNES_HOME") or DEFAULT_HOME, "DEFTUNES_HOME"))


def export_defaults(home: Workspace, environment: MutableMapping[str, str] = os.environ) -> None:
    """Name the home's lake and serving file to the stages, unless the caller named others."""
    environment.setdefault("DEFTUNES_LAKE", str(home.lake))
    environment.setdefault("DEFTUNES_SERVING", str(home.serving))
