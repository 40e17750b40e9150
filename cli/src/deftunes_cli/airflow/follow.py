"""Follow runs to their end: a line for every change of state, then the verdict.

    the runs, every two seconds ─► their tasks ─► what changed ─► success, refused (65) or failed (1)

Giving up (Ctrl-C, no server) never touches the runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from deftunes_cli.airflow import runs as read
from deftunes_cli.airflow.client import AirflowClient, Json
from deftunes_contract.errors import DataRejected, RetryableError, StageError

Say = Callable[[str], None]


@dataclass
class Follower:
    """Runs to be followed: `name` is what they are together, `runs` asks for them."""

    airflow: AirflowClient
    name: str
    runs: Callable[[], list[Json]]
    again: str
    """What to do about a failure."""
    _states: dict[tuple[str, str], str] = field(default_factory=dict)
    _failures: dict[str, list[read.Failure]] = field(default_factory=dict)
    _over: dict[str, str] = field(default_factory=dict)

    def wait(self, write: Say) -> str:
        """Until all runs are over, a line to `write` for every change; a sentence about the success.

        Raises DataRejected (a gate closed), StageError (a run failed), RetryableError (following was given up).
        """
        try:
            while not self._round(write):
                time.sleep(self.airflow.timeouts.poll)
        except KeyboardInterrupt:
            raise RetryableError(f"stopped following; {self._goes_on()}") from None
        except RetryableError as gone:
            raise RetryableError(f"{gone}; {self._goes_on()}") from gone
        return self._verdict()

    def _round(self, write: Say) -> bool:
        found = self.runs()
        for run in found:
            key = run["dag_run_id"]
            if key in self._over:
                continue
            month = read.month_of(run)
            label, over = f"{month:%Y-%m}" if month else key, run["state"] in read.OVER
            if not over:
                self._run(run, label, write)
            if run["state"] != "queued":
                self._tasks(run, label, write)
            if over:
                self._run(run, label, write)
                self._over[key] = run["state"]
        return bool(found) and all(run["dag_run_id"] in self._over for run in found)

    def _run(self, run: Json, label: str, write: Say) -> None:
        if self._changed(run["dag_run_id"], "", run["state"]):
            write(f"{label}  run {run['dag_run_id']}  {run['state']}")

    def _tasks(self, run: Json, label: str, write: Say) -> None:
        tasks = read.tasks_of(self.airflow, run, following=True)
        # None: not its turn yet
        for task in sorted(tasks, key=lambda one: one["start_date"] or "~"):
            if task["state"] and self._changed(run["dag_run_id"], task["id"], task["state"]):
                write(f"{label}  {task['task_id']}  {task['state']}")
        if run["state"] == "failed":
            self._failures[label] = read.failures_of(self.airflow, run, tasks)

    def _changed(self, run_id: str, task: str, state: str) -> bool:
        before, self._states[run_id, task] = self._states.get((run_id, task)), state
        return before != state

    def _verdict(self) -> str:
        if not self._failures:
            return f"{self.name}: {len(self._over)} of {len(self._over)} runs succeeded"
        told = "; ".join(
            f"{month} {', '.join(map(str, failures))}"
            if failures
            else f"{month} failed without a failed task: its run was marked, or its backfill cancelled"
            for month, failures in self._failures.items()
        )
        refused = any(failure.refused for failures in self._failures.values() for failure in failures)
        kind = DataRejected if refused else StageError
        raise kind(f"{self.name}: {len(self._failures)} of {len(self._over)} runs failed: {told}. {self.again}")

    def _goes_on(self) -> str:
        return f"{self.name} goes on; deftunes airflow state tells how, Airflow's pages stop it: {self.airflow.url}"
