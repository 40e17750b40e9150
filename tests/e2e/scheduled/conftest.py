"""A platform with Airflow in a namespace of its own, the catch-up with its disturbances, and what it must equal.

docs/airflow.md is the installation under test. While the schedule catches up by itself, every part of Airflow is killed
once in the middle of a run, and a stage's pod is evicted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow_watch import Airflow, PodTimes
from figures import comparable
from walk import Shell, clean_environment, cluster_of, section

from deftunes_simulator.config import WorldConfig
from deftunes_simulator.world import start_world

NAMESPACE = "deftunes-airflow"
RUNS = {"api": 3, "songs": 2}
KILLED = {"2020-02": "airflow-scheduler", "2020-03": "airflow-triggerer", "2020-04": "airflow-api-server"}
"""Month of the API's pipeline → the part of Airflow that is killed while its transform's pod works."""


@pytest.fixture(scope="session")
def person(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A person at a shell, whose home is a folder of the test."""
    cluster = cluster_of(os.environ)
    assert cluster is not None
    shell = Shell.on(cluster, tmp_path_factory.mktemp("operator"), NAMESPACE)
    shell.environment["HOME"] = str(shell.folder)
    shell.try_(f"kubectl delete namespace {NAMESPACE} --wait")
    yield shell
    shell.try_(f"helm uninstall deftunes --namespace {NAMESPACE} --wait")
    shell.try_(f"kubectl delete namespace {NAMESPACE} --wait")


@pytest.fixture(scope="session")
def installed(person: Shell) -> Iterator[Airflow]:
    """Airflow, up, reached by a forwarded port; and the times of every pod from here on."""
    person.script(section("airflow.md", "Install"), seconds=900)
    with PodTimes(person) as times, Airflow(person, times) as airflow:
        yield airflow


@pytest.fixture(scope="session")
def caught_up(installed: Airflow) -> Airflow:
    """All scheduled months are loaded, although every part of Airflow was killed and a pod evicted meanwhile."""
    airflow, deadline = installed, time.monotonic() + 1500
    evicted = False
    while airflow.successes() != RUNS:
        assert time.monotonic() < deadline, f"expected {RUNS} runs to succeed in 25 minutes: {airflow.state()}"
        for pod in airflow.person.get("pods --field-selector=status.phase=Running")["items"]:
            labels, name = pod["metadata"]["labels"], pod["metadata"]["name"]
            month = airflow.month_of(labels)
            if labels.get("task_id") == "transform_json" and month in KILLED and month not in airflow.disturbed:
                airflow.kill(KILLED[month])
                airflow.disturbed[month] = name
            if labels.get("task_id") == "quality_songs" and not evicted:
                airflow.evict(name)
                airflow.disturbed["evicted"], evicted = name, True
        time.sleep(1)
    return airflow


@pytest.fixture(scope="session")
def embedded_months(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """`deftunes verify --json` of an embedded run over the same world and months."""
    folder = tmp_path_factory.mktemp("embedded-months")
    # seed, scale and months are the chart's
    with start_world(WorldConfig(seed=42, scale=2000, months=4), folder / "world") as world:
        environment = clean_environment() | {
            "DEFTUNES_HOME": str(folder / "home"),
            "DEFTUNES_API_URL": world.api_url,
            "DEFTUNES_SONGS_DSN": world.songs_dsn,
        }
        commands = [
            "run --pipeline songs --start 2020-01-01 --end 2020-04-01",
            "run --pipeline api --start 2020-01-01 --end 2020-05-01",
            "verify --json",
        ]
        for command in commands:
            argv = [sys.executable, "-m", "deftunes_cli", *command.split()]
            done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, timeout=600)
            assert done.returncode == 0, done.stderr[-3000:]
    return comparable(json.loads(done.stdout))


@pytest.fixture(scope="session")
def alerts(caught_up: Airflow) -> None:
    """A receiver of alerts in the namespace, and Airflow upgraded to tell it."""
    person = caught_up.person
    person.run(f"kubectl apply --filename {Path(__file__).parent / 'receiver.yaml'}")
    encoded = "aHR0cDovL3JlY2VpdmVyOjgwODAvYWxlcnQ="  # http://receiver:8080/alert
    patch = json.dumps({"data": {"alert-webhook": encoded}})
    person.run(f"kubectl patch secret deftunes-airflow --namespace {NAMESPACE} --patch '{patch}'")
    person.run(
        f"helm upgrade deftunes charts/deftunes --namespace {NAMESPACE} --reuse-values --set airflow.alerts=true"
        " --wait --timeout 10m",
        650,
    )
    caught_up.reconnect()
