"""A process of its own that works on a lake, told what to do line by line: for races, and for being killed.

The environment says which lake. A line of JSON in, `{"do": "stage", "with": {...}}`, a line of JSON out. `die` names a
function of deftunes_lake and how often it may be called; the process is killed (SIGKILL) at the next call.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import Any


class Worker:
    """The test's end of it."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        with log.open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, __file__],
                env={**os.environ, **environment},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self.name = self._answer()

    def begin(self, do: str, **given: Any) -> None:
        """Send an order and do not wait."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": do, "with": given}) + "\n")
        self.process.stdin.flush()

    def end(self) -> Any:
        """Wait for the answer to the oldest order."""
        return self._answer()

    def call(self, do: str, **given: Any) -> Any:
        """Send an order and wait for its answer."""
        self.begin(do, **given)
        return self.end()

    def dies(self, do: str, **given: Any) -> None:
        """Send an order on which the process must die by SIGKILL."""
        self.begin(do, **given)
        assert self.process.stdout is not None
        answer = self.process.stdout.readline()
        assert not answer, f"it survived and said {answer}"
        assert self.process.wait() == -signal.SIGKILL, self.log.read_text()

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=120)

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the worker died:\n{self.log.read_text()[-3000:]}"
        return json.loads(line)["answer"]


def _serve() -> None:
    from lake_cases import LakeCase

    from deftunes_contract.logs import configure_logs

    configure_logs("text")
    case = LakeCase.open()
    _say(case.spark.sparkContext.applicationId)
    for line in sys.stdin:
        order = json.loads(line)
        _say(_do(case, order["do"], order["with"]))


def _do(case: Any, do: str, given: dict[str, Any]) -> Any:
    """One order; a foreseen error is an answer too."""
    from deftunes_contract.errors import StageError

    if fatal := given.pop("die", None):
        _let_die(*fatal)
    if "ingest_on" in given:
        given["ingest_on"] = date.fromisoformat(given["ingest_on"])
    try:
        if do == "together":
            with ThreadPoolExecutor(len(given["orders"])) as pool:
                return list(pool.map(lambda order: _do(case, *order), given["orders"]))
        answer = getattr(case, do)(**given)
    except StageError as error:
        return f"{type(error).__name__}: {error}"
    if isinstance(answer, tuple):
        return "; ".join(map(str, answer))
    return answer


def _let_die(module: str, name: str, calls: int) -> None:
    """Replace a function by one that kills the process when it was called so often."""
    place = import_module(f"deftunes_lake.{module}")
    original, left = getattr(place, name), [calls]

    def fatal(*args: Any, **more: Any) -> Any:
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1
        return original(*args, **more)

    setattr(place, name, fatal)


def _say(answer: Any) -> None:
    sys.stdout.write(json.dumps({"answer": answer}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _serve()
