"""Both pipelines on schedule: disturbed everywhere, a bad month, a backfill; the figures are the embedded run's."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from airflow_watch import Airflow
from figures import figures
from walk import section

JANUARY = "backfill__2020-02-01T00:00:00+00:00"
PODS_OF_SONGS = 5


def _keys(airflow: Airflow) -> dict[str, str]:
    return dict(airflow.person.get("secret/deftunes-airflow-keys")["data"])


def _faults(airflow: Airflow, *rules: str) -> None:
    code = (
        "import sys; from urllib.request import *; urlopen(Request('http://127.0.0.1:8000/_faults', method='PUT', "
        "data=sys.argv[1].encode(), headers={'Content-Type': 'application/json'}))"
    )
    airflow.person.run(
        f"kubectl exec --namespace {airflow.person.namespace} deploy/deftunes-shop --"
        f" python -c \"{code}\" '{json.dumps(rules)}'"
    )


def test_the_schedule_catches_up_although_all_of_it_was_killed(caught_up: Airflow) -> None:
    assert set(caught_up.disturbed) == {"2020-02", "2020-03", "2020-04", "evicted"}
    for pipeline in ("api", "songs"):
        for run in caught_up.runs(pipeline):
            states = {task["state"] for task in caught_up.tasks(pipeline, run["dag_run_id"]).values()}
            assert states == {"success"}, run
    tries = [
        task["try_number"]
        for run in caught_up.runs("songs")
        for name, task in caught_up.tasks("songs", run["dag_run_id"]).items()
        if name == "quality_songs"
    ]
    assert max(tries) == 2, "the evicted pod was tried again"


def test_pods_that_succeeded_are_gone_and_their_logs_are_not(caught_up: Airflow) -> None:
    left = caught_up.person.get("pods --selector=dag_id --field-selector=status.phase=Succeeded")["items"]
    assert [pod["metadata"]["name"] for pod in left] == []
    run = caught_up.runs("songs")[0]["dag_run_id"]
    assert "published" in caught_up.log("songs", run, "publish")


def test_a_month_is_backfilled_and_waiting_costs_little(
    caught_up: Airflow, record_property: Callable[[str, object], None]
) -> None:
    caught_up.disconnect()
    try:
        caught_up.person.script(
            section("airflow.md", "The catch-up") + section("airflow.md", "A month before the schedule"),
            seconds=600,
        )
    finally:
        caught_up.reconnect()
    (run,) = [run for run in caught_up.runs("songs") if run["dag_run_id"] == JANUARY]
    assert run["state"] == "success"
    pods = {
        pod: seconds
        for pod, seconds in caught_up.times.seconds().items()
        if any(label in pod for label in ("songs", "dbt"))
    }
    stages = sum(list(pods.values())[-PODS_OF_SONGS:])
    overhead = (run["duration"] - stages) / PODS_OF_SONGS
    record_property("overhead", f"run {run['duration']:.0f} s, stages {stages:.0f} s, {overhead:.1f} s more a pod")
    assert 0 < overhead < 20, "the promise of 10 s is measured on a quiet machine; this is for what has gone wrong"


@pytest.fixture(scope="module")
def refused(alerts: None, caught_up: Airflow) -> Iterator[dict[str, Any]]:
    """January of the API's pipeline while the shop says every session twice; what was public before."""
    before, keys = figures(caught_up.person), _keys(caught_up)
    _faults(caught_up, "sessions:duplicate_session:1")
    command = "deftunes airflow backfill --pipeline api --start 2020-01-01 --end 2020-02-01"
    yield {"code": caught_up.person.code(command, 600), "before": before, "keys": keys}
    _faults(caught_up)


def test_a_bad_month_closes_the_gate_and_changes_nothing(refused: dict[str, Any], caught_up: Airflow) -> None:
    assert refused["code"] == 65
    tasks = caught_up.tasks("api", JANUARY)
    assert {name: task["state"] for name, task in tasks.items()} == {
        "extract_users": "success",
        "extract_sessions": "success",
        "transform_json": "success",
        "quality_users": "success",
        "quality_sessions": "failed",
        "publish": "upstream_failed",
        "dbt": "upstream_failed",
        "verify": "upstream_failed",
    }
    assert tasks["quality_sessions"]["try_number"] == 1, "refused data is not tried again"
    shown = {key: refused["before"][key] for key in ("items", "total_sales", "sales", "tables")}
    after = figures(caught_up.person)
    # the quarantine of the refused run is staged with it and public to nobody but verify
    shown["tables"].pop("quarantine"), after["tables"].pop("quarantine")
    assert {key: after[key] for key in shown} == shown


def test_the_alert_names_rule_and_count(refused: dict[str, Any], caught_up: Airflow) -> None:
    person = caught_up.person
    told = person.run(f"kubectl logs --namespace {person.namespace} receiver").splitlines()
    (alert,) = [line for line in told if line.startswith("/alert")]
    assert "deftunes_api_pipeline_dag" in alert
    assert "quality_sessions failed" in alert
    assert "session_item_unique" in alert
    assert any(character.isdigit() for character in alert.split("session_item_unique")[1])


def test_an_upgrade_kept_the_keys(refused: dict[str, Any]) -> None:
    assert set(refused["keys"]) == {"fernet-key", "jwt-secret", "session-secret"}


def test_clearing_finishes_the_month_and_all_figures_are_the_embedded_runs(
    refused: dict[str, Any], caught_up: Airflow, embedded_months: dict[str, Any]
) -> None:
    _faults(caught_up)
    caught_up.person.run(
        f"kubectl exec --namespace {caught_up.person.namespace} deploy/deftunes-airflow-scheduler"
        " --container scheduler -- airflow tasks clear deftunes_api_pipeline_dag --yes --downstream"
        " --task-regex extract_ --start-date 2020-01-01 --end-date 2020-01-01"
    )

    def finished() -> bool:
        (run,) = [run for run in caught_up.runs("api") if run["dag_run_id"] == JANUARY]
        return bool(run["state"] == "success")

    caught_up.person.until("January to finish", finished, 400)
    found = figures(caught_up.person)
    assert found["faults"] == []
    assert found == embedded_months


def test_maintenance_runs_when_nothing_is_open(refused: dict[str, Any], caught_up: Airflow) -> None:
    runs = caught_up.get("dags/deftunes_maintenance_dag/dagRuns")["dag_runs"]
    assert runs
    caught_up.person.run("deftunes airflow trigger --pipeline maintenance", 400)


def test_no_secret_reached_a_log_or_an_argument(refused: dict[str, Any], caught_up: Airflow) -> None:
    person = caught_up.person
    secrets = [
        base64.b64decode(value).decode()
        for name in ("deftunes-airflow", "deftunes-airflow-keys", "deftunes-credentials")
        for key, value in person.get(f"secret/{name}")["data"].items()
        if key not in ("alert-webhook", "aws-access-key-id", "aws-secret-access-key")
    ]
    assert len(secrets) == 8
    everything = person.run(f"kubectl get all,configmaps --namespace {person.namespace} --output yaml")
    for pod in person.get("pods")["items"]:
        name = pod["metadata"]["name"]
        everything += person.try_(f"kubectl logs --namespace {person.namespace} {name} --all-containers")
    assert "deftunes-airflow-scheduler" in everything
    assert [secret[:4] for secret in secrets if secret in everything] == []


@pytest.mark.parametrize("component", ["scheduler", "triggerer", "api-server", "dag-processor", "setup"])
def test_only_what_makes_pods_may(installed: Airflow, component: str) -> None:
    person = installed.person
    account = f"--as=system:serviceaccount:{person.namespace}:deftunes-airflow-{component}"
    may = {
        (verb, what): person.try_(f"kubectl auth can-i {verb} {what} --namespace {person.namespace} {account}").strip()
        for verb, what in [("create", "pods"), ("get", "secrets"), ("create", "jobs"), ("create", "configmaps")]
    }
    makes = "yes" if component in ("scheduler", "triggerer") else "no"
    assert {key: answer.splitlines()[0] for key, answer in may.items()} == {
        ("create", "pods"): makes,
        ("get", "secrets"): "no",
        ("create", "jobs"): "no",
        ("create", "configmaps"): "no",
    }
