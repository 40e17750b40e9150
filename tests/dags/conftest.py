"""The DAGs, read as the dag processor reads them, and the chart that their pods come from.

Run in Airflow's own environment (`make test-dags`), without the other rooms' fixtures, which need Spark.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm_binary import helm_or_skip

REPOSITORY = Path(__file__).resolve().parents[2]
HOME = REPOSITORY / "airflow"
CHART = REPOSITORY / "charts" / "deftunes"
SETTINGS = {
    "DEFTUNES_NAMESPACE": "deftunes",
    "DEFTUNES_API_PIPELINE_START": "2020-02-01",
    "DEFTUNES_API_PIPELINE_END": "2020-04-01",
    "DEFTUNES_SONGS_PIPELINE_START": "2020-02-01",
    "DEFTUNES_SONGS_PIPELINE_END": "2020-03-01",
}
"""As the chart's defaults set them (tests/chart holds it to that)."""


def pytest_configure() -> None:
    """Airflow reads its settings on import: they must be there before."""
    os.environ.update(SETTINGS)
    os.environ["AIRFLOW_HOME"] = str(Path(os.environ.get("TMPDIR", "/tmp")) / f"deftunes-dags-{os.getpid()}")
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "True"
    os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(HOME / "dags")
    os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"] = str(HOME / "plugins")
    sys.path.insert(0, str(HOME / "plugins"))


def pytest_unconfigure() -> None:
    """Leave nothing behind."""
    shutil.rmtree(os.environ["AIRFLOW_HOME"], ignore_errors=True)


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The chart's pod templates in a folder, as the ConfigMap is mounted; DEFTUNES_POD_TEMPLATES names it."""
    values = CHART / "ci" / "production-values.yaml"
    rendered = subprocess.run(
        [
            helm_or_skip(),
            "template",
            "deftunes",
            CHART,
            "--namespace",
            "deftunes",
            "--kube-version",
            "1.34.0",
            "--values",
            values,
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    documents = [document for document in yaml.safe_load_all(rendered) if document]
    (found,) = [d for d in documents if d["kind"] == "ConfigMap" and d["metadata"]["name"].endswith("pod-templates")]
    folder = tmp_path_factory.mktemp("templates")
    for name, text in found["data"].items():
        (folder / name).write_text(text, encoding="utf-8")
    os.environ["DEFTUNES_POD_TEMPLATES"] = str(folder)
    yield folder
    del os.environ["DEFTUNES_POD_TEMPLATES"]


@pytest.fixture(scope="session")
def dags(templates: Path) -> dict[str, Any]:
    """All DAGs by id; any that cannot be read is an error."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(HOME / "dags")
    assert bag.import_errors == {}
    return dict(bag.dags)
