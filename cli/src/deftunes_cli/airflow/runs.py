"""What Airflow's answers about runs and tasks mean."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from deftunes_cli.airflow.client import AirflowClient, Json, quote_path
from deftunes_contract.errors import ExitCode, StageError

OVER = ("success", "failed")
QUALITY = "quality_"
_CODE = re.compile(r"\(exit code (\d+)\)?")
"""How the DAGs' operator ends the sentence of a failed stage."""


@dataclass(frozen=True)
class Failure:
    """A failed task and what it said last; `words` are empty when its log cannot be had."""

    task: str
    words: str

    @property
    def refused(self) -> bool:
        """Whether a gate closed: by the exit code that the task named, else by its being a gate."""
        named = _CODE.findall(self.words)
        return int(named[-1]) == ExitCode.REFUSED if named else self.task.startswith(QUALITY)

    def __str__(self) -> str:
        return f"{self.task}: {self.words}" if self.words else self.task


def month_of(run: Json) -> date | None:
    """First day of the month that a run is about: of its parameters, else of its interval; None: it has none."""
    named = (run.get("conf") or {}).get("start")
    moment = named or run["data_interval_start"] or run["logical_date"]
    try:
        return datetime.fromisoformat(moment).date() if moment else None
    except (TypeError, ValueError):  # the parameter is anybody's
        return None


def latest(runs: Iterable[Json]) -> dict[date, Json]:
    """The run of every month that began last, or waits to begin: a run cleared anew has a new place in the queue."""
    ordered = sorted(runs, key=lambda run: max(_moments(run)))
    found = {month: run for run in ordered if (month := month_of(run))}
    return dict(sorted(found.items()))


def _moments(run: Json) -> list[datetime]:
    given = (run["start_date"], run["queued_at"], run["run_after"] if not run["queued_at"] else None)
    return [datetime.fromisoformat(moment) for moment in given if moment]


def path_of(run: Json) -> str:
    """Where a run is, below /api/v2."""
    return f"/dags/{quote_path(run['dag_id'])}/dagRuns/{quote_path(run['dag_run_id'])}"


def tasks_of(airflow: AirflowClient, run: Json, *, following: bool = False) -> list[Json]:
    """The task instances of a run."""
    answer = airflow.get(f"{path_of(run)}/taskInstances", following=following, limit=100)
    found: list[Json] = answer["task_instances"]
    return found


def failures_of(airflow: AirflowClient, run: Json, tasks: Iterable[Json]) -> list[Failure]:
    """The failed tasks of a run, with their last words."""
    failed = [task for task in tasks if task["state"] == "failed"]
    return [Failure(task["task_id"], _last_words(airflow, run, task)) for task in failed]


def _last_words(airflow: AirflowClient, run: Json, task: Json) -> str:
    # a log may be gone, or its store not answer; what failed is known without it
    with suppress(StageError):
        path = f"{path_of(run)}/taskInstances/{quote_path(task['task_id'])}/logs/{task['try_number']}"
        content = airflow.get(path, full_content="true", map_index=task["map_index"]).get("content") or []
        lines = [line for line in content if isinstance(line, dict) and line.get("level") in ("error", "critical")]
        # what comes after the task's own failure is a callback's
        own = [line for line in lines if line.get("event") == "Task failed with exception"]
        for line in reversed(own or lines):
            return _words(line)
    return ""


def _words(line: Json) -> str:
    """The exception that a log line shows, else its text."""
    [*errors] = line.get("error_detail") or [{}]
    return " ".join(str(errors[0].get("exc_value") or line.get("event", "")).split())


@dataclass(frozen=True)
class Row:
    """One month of a pipeline, as `deftunes airflow state` shows it."""

    pipeline: str
    start: str
    state: str
    run_id: str
    seconds: float | None
    failed: tuple[Failure, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """For pipes."""
        return asdict(self)


def row_of(airflow: AirflowClient, pipeline: str, month: date, run: Json) -> Row:
    """The row of a month's latest run; only a failed run costs further questions."""
    failed = failures_of(airflow, run, tasks_of(airflow, run)) if run["state"] == "failed" else []
    return Row(pipeline, str(month), run["state"], run["dag_run_id"], run["duration"], tuple(failed))
