"""A stand-in of Airflow 3.3's API server on loopback, asked over real sockets; its answers were copied from a real one.

It hides: the scheduler (a test moves runs and tasks by hand, `script` does at each look at the runs), paging by cursor,
filters other than by logical date, accounts with roles, JWTs that end by themselves, the DAGs' own parameter checks.
tests/e2e has those.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from deftunes_cli.__main__ import main
from deftunes_cli.airflow import service
from deftunes_cli.airflow.client import Timeouts

Json = dict[str, Any]
DAG = "deftunes_api_pipeline_dag"
PASSWORD = "tr1ckle-down"
FAST = Timeouts(poll=0.01, read_timeout=5, back_off=0.01, attempts=2, attempts_following=4)


class Stand:
    """What Airflow holds. `faults` are (method, end of path, status) answered first; 0 cuts the connection."""

    def __init__(self) -> None:
        self.dags = {DAG: False, "deftunes_songs_pipeline_dag": False, "deftunes_maintenance_dag": False}
        self.runs: list[Json] = []
        self.tasks: dict[str, list[Json]] = {}
        self.logs: dict[str, list[Json]] = {}
        self.backfills: list[Json] = []
        self.script: list[Callable[[], None]] = []
        self.faults: list[tuple[str, str, int]] = []
        self.asked: list[tuple[str, str, Json]] = []
        self.tokens: list[str] = []

    def run(self, month: str, state: str, kind: str = "scheduled", **more: Any) -> Json:
        """Put a run of a month, e.g. 2020-01."""
        year, number = map(int, month.split("-"))
        after = f"{year + number // 12}-{number % 12 + 1:02d}-01T00:00:00"
        begun = None if state == "queued" else f"2026-11-25T10:{len(self.runs) // 60:02d}:{len(self.runs) % 60:02d}Z"
        begin = f"{month}-01T00:00:00Z"
        made = {
            "dag_run_id": f"{kind}__{after}+00:00", "dag_id": DAG, "logical_date": begin, "run_type": kind,
            "queued_at": "2026-11-25T09:59:00.250000Z", "start_date": begun, "end_date": None,
            "duration": 61.5 if state in ("success", "failed") else None, "data_interval_start": begin,
            "data_interval_end": f"{after}Z", "run_after": f"{after}Z", "state": state, "conf": {},
        } | more  # fmt: skip
        self.runs.append(made)
        return made

    def task(self, run: Json, task_id: str, state: str | None, said: str = "") -> None:
        """Put or change a task of a run; with `said` its log ends with that exception."""
        tasks = self.tasks.setdefault(run["dag_run_id"], [])
        tasks[:] = [one for one in tasks if one["task_id"] != task_id]
        tasks.append(
            {
                "id": f"{run['dag_run_id']}/{task_id}",
                "task_id": task_id,
                "dag_run_id": run["dag_run_id"],
                "map_index": -1,
                "start_date": None,
                "state": state,
                "try_number": 2,
            }
        )
        if said:
            failed = {"event": "Task failed with exception", "level": "error"}
            self.logs[task_id] = [
                {"event": "::group::Log message source details", "sources": ["/opt/airflow/logs/attempt=2.log"]},
                {**failed, "error_detail": [{"exc_type": "AirflowFailException", "exc_value": said, "frames": []}]},
                {"event": "Failed to run on-failure callback", "level": "error"},
                {"event": "::endgroup::", "level": "info"},
            ]

    def bodies(self, method: str, path: str) -> list[Json]:
        return [body for asked, where, body in self.asked if asked == method and where.endswith(path)]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stand: Stand

    def log_message(self, format: str, *args: object) -> None: ...

    def do_GET(self) -> None:
        self._answer("GET", {})

    def do_POST(self) -> None:
        self._answer("POST", json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _answer(self, method: str, body: Json) -> None:
        split = urlsplit(self.path)
        words = [unquote(word) for word in split.path.split("/")[1:]]
        query = {key: values[0] for key, values in parse_qs(split.query).items()}
        self.stand.asked.append((method, split.path, body))
        for fault in self.stand.faults:
            if fault[0] == method and split.path.endswith(fault[1]):
                self.stand.faults.remove(fault)
                if fault[2]:
                    self._json(fault[2], {"detail": "said the stand-in"})
                else:
                    self.close_connection = True
                return
        if words == ["auth", "token"]:
            self._token(body)
        elif words[:2] != ["api", "v2"]:
            self._say(200, b"<!doctype html>", "text/html")
        elif self.headers["Authorization"].removeprefix("Bearer ") not in self.stand.tokens:
            self._json(403, {"detail": "Invalid JWT token"})
        elif words[2] == "backfills":
            self._backfills(method, words[3:], body, query)
        elif words[3] not in self.stand.dags:
            self._json(404, {"detail": f"The Dag with ID: `{words[3]}` was not found"})
        elif len(words) == 4:
            self._json(200, {"dag_id": words[3], "is_paused": self.stand.dags[words[3]]})
        else:
            self._runs(method, words[3], words[5:], body, query)

    def _token(self, body: Json) -> None:
        if body != {"username": "admin", "password": PASSWORD}:
            self._json(401, {"detail": "Invalid credentials"})
            return
        self.stand.tokens.append(f"token-{len(self.stand.tokens)}")
        self._json(201, {"access_token": self.stand.tokens[-1]})

    def _runs(self, method: str, dag: str, words: list[str], body: Json, query: dict[str, str]) -> None:
        stand = self.stand
        if method == "POST":
            made = stand.run("2020-01", "queued", "manual")
            nothing = dict.fromkeys(("logical_date", "data_interval_start", "data_interval_end"))
            made |= {"dag_id": dag, "dag_run_id": body["dag_run_id"], "conf": body["conf"], **nothing}
            self._json(200, made)
        elif len(words) <= 1:
            if stand.script:
                stand.script.pop(0)()
            found = [run for run in stand.runs if run["dag_id"] == dag]
            if words:
                self._json(200, next(run for run in found if run["dag_run_id"] == words[0]))
                return
            if "logical_date_gte" in query:
                first, last = query["logical_date_gte"], query["logical_date_lte"]
                found = [run for run in found if run["logical_date"] and first <= run["logical_date"] <= last]
            at, limit = int(query.get("offset", 0)), min(int(query.get("limit", 50)), 100)
            self._json(200, {"dag_runs": found[at : at + limit], "total_entries": len(found)})
        elif len(words) == 2:
            tasks = stand.tasks.get(words[0], [])
            self._json(200, {"task_instances": tasks, "total_entries": len(tasks)})
        else:
            lines = stand.logs.get(words[2])
            self._json(200, {"content": lines, "continuation_token": None}) if lines else self._json(
                404, {"detail": "no"}
            )

    def _backfills(self, method: str, words: list[str], body: Json, query: dict[str, str]) -> None:
        stand = self.stand
        if method == "GET":
            self._json(200, {"backfills": stand.backfills[::-1], "total_entries": len(stand.backfills)})
            return
        months = [f"2020-{number:02d}-01T00:00:00Z" for number in range(1, 13)]
        wanted = [month for month in months if body["from_date"] <= month <= body["to_date"]]
        again = {"none": [], "failed": ["failed"], "completed": ["failed", "success"]}[body["reprocess_behavior"]]
        there = {run["logical_date"]: run for run in stand.runs}
        wanted = [month for month in wanted if month not in there or there[month]["state"] in again]
        if words == ["dry_run"]:
            self._json(200, {"backfills": [{"logical_date": month} for month in wanted], "total_entries": len(wanted)})
        elif [one for one in stand.backfills if not one["completed_at"]]:
            self._json(409, {"detail": f"There is already a running backfill for dag {body['dag_id']}"})
        else:
            for month in wanted:
                if month in there:
                    there[month]["state"] = "queued"
                else:
                    stand.run(month[:7], "queued", "backfill")
            made = {"id": 7, **body, "completed_at": None, "is_paused": False}
            stand.backfills.append(made)
            self._json(200, made)

    def _json(self, status: int, body: Json) -> None:
        self._say(status, json.dumps(body).encode(), "application/json")

    def _say(self, status: int, data: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def stand(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    """The stand-in, and an environment that leads to it."""
    made = Stand()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"stand": made}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    monkeypatch.setenv("DEFTUNES_AIRFLOW_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("DEFTUNES_AIRFLOW_PASSWORD", PASSWORD)
    for name in ("DEFTUNES_AIRFLOW_PASSWORD_FILE", "DEFTUNES_AIRFLOW_USER"):
        monkeypatch.delenv(name, raising=False)
    patient = service.connect
    monkeypatch.setattr(service, "connect", lambda settings: patient(settings, FAST))
    yield made
    server.shutdown()
    server.server_close()


Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Run `deftunes airflow …`: exit code, standard output, standard error."""

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["airflow", *words])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run
