"""What a person sees of Airflow (its API through a forwarded port), and when pods' containers began and ended."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from walk import Shell

PORT = 18080


class PodTimes:
    """How long the container `stage` of every pod of a namespace took: pods that succeed are deleted at once."""

    def __init__(self, person: Shell) -> None:
        self._person = person
        self._file = person.folder / "pods.json"

    def __enter__(self) -> PodTimes:
        command = f"kubectl get pods --namespace {self._person.namespace} --watch --output json"
        with self._file.open("w") as out:
            self._watch = subprocess.Popen(command.split(), env=self._person.environment, stdout=out)
        return self

    def __exit__(self, *_: object) -> None:
        self._watch.terminate()
        self._watch.wait()

    def seconds(self) -> dict[str, float]:
        """Seconds that each ended stage took."""
        found = {}
        for pod in self._documents():
            for container in pod.get("status", {}).get("containerStatuses", []):
                if container["name"] == "stage" and (ended := container["state"].get("terminated")):
                    begin, end = (datetime.fromisoformat(ended[key]) for key in ("startedAt", "finishedAt"))
                    found[pod["metadata"]["name"]] = (end - begin).total_seconds()
        return found

    def _documents(self) -> Iterator[dict[str, Any]]:
        text, position, decoder = self._file.read_text(encoding="utf-8"), 0, json.JSONDecoder()
        while position < len(text):
            try:
                document, position = decoder.raw_decode(text, position)
            except ValueError:
                return  # the last one is being written
            yield document
            position += len(text[position:]) - len(text[position:].lstrip())


class Airflow:
    """Airflow's API, asked as the first user; survives a killed API server."""

    def __init__(self, person: Shell, times: PodTimes) -> None:
        self.person = person
        self.times = times
        self.disturbed: dict[str, str] = {}
        self._password = person.folder / "admin-password"

    def __enter__(self) -> Airflow:
        secret = "kubectl get secret deftunes-airflow --output jsonpath='{.data.admin-password}'"
        self._password.write_text(self.person.run(f"{secret} --namespace {self.person.namespace} | base64 -d"))
        self.person.environment["DEFTUNES_AIRFLOW_URL"] = f"http://127.0.0.1:{PORT}"
        self.person.environment["DEFTUNES_AIRFLOW_PASSWORD_FILE"] = str(self._password)
        self._forward: subprocess.Popen[bytes] | None = None
        self.reconnect()
        return self

    def __exit__(self, *_: object) -> None:
        self.disconnect()

    def disconnect(self) -> None:
        """Give the port back."""
        if self._forward is not None:
            self._forward.terminate()
            self._forward.wait()
            self._forward = None

    def reconnect(self, seconds: float = 240) -> None:
        """Forward the port to an API server that answers."""
        deadline = time.monotonic() + seconds
        while True:
            self.disconnect()
            command = f"kubectl port-forward service/deftunes-airflow-api-server {PORT}:8080"
            self._forward = subprocess.Popen(
                [*command.split(), "--namespace", self.person.namespace],
                env=self.person.environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            time.sleep(2)
            try:
                answer = httpx.post(
                    f"http://127.0.0.1:{PORT}/auth/token",
                    json={"username": "admin", "password": self._password.read_text()},
                    timeout=20,
                    trust_env=False,
                )
                answer.raise_for_status()
                self._token = answer.json()["access_token"]
                return
            except httpx.HTTPError:
                assert time.monotonic() < deadline, "Airflow's API did not come back"
                time.sleep(1)

    def get(self, path: str, **query: Any) -> Any:
        """GET below /api/v2."""
        for attempt in range(3):
            try:
                answer = httpx.get(
                    f"http://127.0.0.1:{PORT}/api/v2/{path}",
                    params=query,
                    headers={"Authorization": f"Bearer {self._token}", "Accept": "application/json"},
                    timeout=30,
                    trust_env=False,
                )
                answer.raise_for_status()
                return answer.json()
            except httpx.HTTPError:
                if attempt == 2:
                    raise
                self.reconnect()
        return None

    def runs(self, pipeline: str) -> list[dict[str, Any]]:
        """Runs of a pipeline."""
        return list(self.get(f"dags/deftunes_{pipeline}_pipeline_dag/dagRuns")["dag_runs"])

    def tasks(self, pipeline: str, run_id: str) -> dict[str, dict[str, Any]]:
        """Task instances of a run, by task."""
        found = self.get(f"dags/deftunes_{pipeline}_pipeline_dag/dagRuns/{run_id}/taskInstances")
        return {task["task_id"]: task for task in found["task_instances"]}

    def log(self, pipeline: str, run_id: str, task: str, attempt: int = 1) -> str:
        """A task's log, as the web pages show it."""
        return json.dumps(
            self.get(f"dags/deftunes_{pipeline}_pipeline_dag/dagRuns/{run_id}/taskInstances/{task}/logs/{attempt}")
        )

    def state(self) -> list[tuple[str, str, str]]:
        """Pipeline, run, state."""
        return [(p, run["dag_run_id"], run["state"]) for p in ("api", "songs") for run in self.runs(p)]

    def successes(self) -> dict[str, int]:
        """How many runs of each pipeline succeeded; one that failed is an error at once."""
        state = self.state()
        failed = [row for row in state if row[2] == "failed"]
        assert not failed, f"{failed}\n{self.person.try_('deftunes airflow state')}"
        return {p: sum(row[0] == p and row[2] == "success" for row in state) for p in ("api", "songs")}

    def month_of(self, labels: dict[str, str]) -> str | None:
        """Month (YYYY-MM) of a scheduled run's pod: the run's id holds the end of its interval."""
        name, _, moment = labels.get("run_id", "").partition("__")
        if name != "scheduled":
            return None
        year, month = int(moment[:4]), int(moment[5:7]) - 1
        return f"{year}-{month:02}" if month else f"{year - 1}-12"

    def kill(self, component: str) -> None:
        """End all pods of a component at once, without a farewell."""
        self.person.run(
            f"kubectl delete pods --namespace {self.person.namespace} --force --grace-period=0"
            f" --selector=app.kubernetes.io/component={component}"
        )

    def evict(self, pod: str) -> None:
        """Evict a pod as a drain does."""
        namespace = self.person.namespace
        body: Path = self.person.folder / "eviction.json"
        body.write_text(
            json.dumps(
                {
                    "apiVersion": "policy/v1",
                    "kind": "Eviction",
                    "metadata": {"name": pod, "namespace": namespace},
                }
            )
        )
        self.person.run(f"kubectl create --raw /api/v1/namespaces/{namespace}/pods/{pod}/eviction --filename {body}")
