"""A cluster, the platform on it, and the embedded run that it must equal.

The walk of docs/kubernetes.md is the installation under test: its commands are run as they stand, up to "Remove".
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from figures import comparable
from walk import REPOSITORY, Shell, blocks, clean_environment, cluster_of


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """These need a cluster: `make e2e` brings one, or names one by E2E_CONTEXT."""
    if cluster_of(os.environ) is None:
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason="no cluster: make e2e, or E2E_CONTEXT=<kubectl context>"))


@pytest.fixture(scope="session")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """Commands of a person: own kubeconfig (its current namespace changes), cluster's tools on PATH."""
    cluster = cluster_of(os.environ)
    assert cluster is not None
    shell = Shell.on(cluster, tmp_path_factory.mktemp("person"))
    yield shell
    # whatever happened, the next run finds an empty cluster
    shell.try_("helm uninstall deftunes --namespace deftunes --wait")
    shell.try_("kubectl delete namespace deftunes --wait")


@pytest.fixture(scope="session")
def walked(shell: Shell) -> Shell:
    """The page, walked to the figures."""
    shell.try_("kubectl delete namespace deftunes --wait")
    text = (REPOSITORY / "docs" / "kubernetes.md").read_text(encoding="utf-8")
    before, remove = text.split("## Remove")
    assert "helm uninstall" in remove
    shell.script(blocks(before), seconds=1500)
    return shell


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """`deftunes verify --json` of an embedded run over the same world: seed, scale and months of the chart."""
    home = tmp_path_factory.mktemp("embedded")
    environment = clean_environment() | {"DEFTUNES_HOME": str(home)}
    for command in (["deftunes", "demo", "--months", "2"], ["deftunes", "verify", "--json"]):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)
        assert done.returncode == 0, done.stderr[-3000:]
    return comparable(json.loads(done.stdout))
