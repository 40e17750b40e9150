"""What an image weighs and what it can import: each carries its own stage and nothing of its neighbours'.

Sizes are those of the compressed layers, as the node reports them; layers that images share count in each.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from walk import Shell

MB = 1_000_000


@dataclass(frozen=True)
class Budget:
    """megabytes: at most. has, lacks: top-level packages."""

    megabytes: int
    has: tuple[str, ...]
    lacks: tuple[str, ...]


HEAVY = (
    "pyspark",
    "great_expectations",
    "pandas",
    "pyarrow",
    "dbt",
    "duckdb",
    "moto",
    "kubernetes",
    "pytest",
    "uv",
    "pip",
)
BUDGETS = {
    # the base with Python is some 70 MB of each
    "extract": Budget(130, ("deftunes_extract", "psycopg", "httpx"), HEAVY),
    "lake": Budget(720, ("deftunes_lake", "pyspark"), ("great_expectations", "pandas", "pyarrow", "dbt", "moto")),
    "transform": Budget(
        720, ("deftunes_transform", "pyspark"), ("deftunes_quality", "great_expectations", "dbt", "moto")
    ),
    "quality": Budget(
        880, ("deftunes_quality", "pyspark", "great_expectations"), ("deftunes_transform", "dbt", "moto")
    ),
    "dbt": Budget(
        330, ("deftunes_serving", "dbt", "duckdb"), ("pyspark", "great_expectations", "deftunes_lake", "moto")
    ),
    # DAGs import no stage
    "airflow": Budget(
        250, ("airflow", "kubernetes"), ("deftunes_contract", "pyspark", "dbt", "duckdb", "moto", "pandas", "pytest")
    ),
    "simulator": Budget(250, ("deftunes_simulator", "moto"), ("deftunes_contract", "pyspark", "dbt", "pandas")),
}


@pytest.fixture(scope="module")
def images(walked: Shell) -> dict[str, str]:
    """Full name of each image as the chart's pods ask for it."""
    pods = walked.run("kubectl get pods,cronjobs --namespace deftunes --output jsonpath='{..image}'").split()
    names = {name.rpartition("/")[2].rpartition(":")[0]: name for name in pods if "@" not in name}
    # this release came without Airflow; its image is built with the others
    return names | {"airflow": names["extract"].replace("/extract:", "/airflow:")}


@pytest.mark.parametrize("image", BUDGETS)
def test_an_image_stays_in_its_budget(walked: Shell, images: dict[str, str], image: str) -> None:
    nodes = json.loads(walked.run("kubectl get nodes --output json"))["items"]
    sizes = {
        name: entry["sizeBytes"]
        for node in nodes
        for entry in node["status"]["images"]
        for name in entry.get("names") or ()
    }
    assert sizes[images[image]] <= BUDGETS[image].megabytes * MB, f"{image}: {sizes[images[image]] / MB:.0f} MB"


@pytest.mark.parametrize("image", BUDGETS)
def test_an_image_can_import_its_own_stage_only(walked: Shell, images: dict[str, str], image: str) -> None:
    budget, name = BUDGETS[image], f"imports-{image}"
    code = f"import importlib.util as u; print([n for n in {budget.has + budget.lacks!r} if u.find_spec(n)])"
    overrides = {
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": name,
                    "image": images[image],
                    "command": ["python", "-c", f"{code}; import os; print(os.getuid())"],
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
        }
    }
    quoted = json.dumps(overrides).replace("'", "'\\''")
    walked.run(f"kubectl run {name} --namespace deftunes --image={images[image]} --overrides='{quoted}'")
    walked.run(
        f"kubectl wait pod/{name} --namespace deftunes --for=jsonpath='{{.status.phase}}'=Succeeded --timeout=60s"
    )
    found, user = walked.run(f"kubectl logs {name} --namespace deftunes").splitlines()
    walked.run(f"kubectl delete pod {name} --namespace deftunes --now")
    assert found == repr(list(budget.has))
    assert user == "10001"
