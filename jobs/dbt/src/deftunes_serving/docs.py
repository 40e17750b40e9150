"""dbt's documentation site of what is served: one folder of static files.

Data flow: the project's files + the serving database's catalogue -> HOME/<target>/index.html and its JSON files.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from datetime import date
from pathlib import Path

from deftunes_contract.errors import RetryableError
from deftunes_serving.atomic_file import COPY_PREFIX
from deftunes_serving.project import project_folder
from deftunes_serving.redshift import SERVING
from deftunes_serving.run_results import error_class, translate_errors
from deftunes_serving.runner import DbtProject
from deftunes_serving.settings import ServingSettings


def generate(settings: ServingSettings) -> str:
    """Write the site; returns one sentence. Reads only. Raises RetryableError when nothing is served yet."""
    settings.check_target()
    with tempfile.TemporaryDirectory(prefix="deftunes-docs-") as folder:
        environment = {"DEFTUNES_DBT_SCHEMA": SERVING}
        if settings.target == "embedded":
            environment["DEFTUNES_DBT_FILE"] = str(_copy(settings, Path(folder)))
        project = DbtProject(project_folder(settings), settings.home, settings.target, environment)
        with translate_errors("the documentation cannot be written:"):
            project.run("docs generate", variables={"start": date(2020, 1, 1), "end": date(2020, 2, 1)})
    # dbt writes a catalogue without content when the database refused to describe itself
    catalog = json.loads((settings.home / settings.target / "catalog.json").read_text(encoding="utf-8"))
    if faults := catalog.get("errors"):
        raise error_class(str(faults[0]))(f"the documentation lacks what is served: {faults[0]}")
    return f"documentation: {settings.home / settings.target / 'index.html'}; serve the folder to read it"


def _copy(settings: ServingSettings, folder: Path) -> Path:
    """A copy of the serving file: dbt opens what it documents for writing."""
    if settings.is_remote or not settings.serving_file.is_file():
        raise RetryableError(
            f"expected a serving file in a folder, found none at {settings.serving or settings.serving_file}"
        )
    return Path(shutil.copy(settings.serving_file, folder / f"{COPY_PREFIX}.duckdb"))
