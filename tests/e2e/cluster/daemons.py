"""Long-running processes: started detached with a log, known by pid and start time, and stopped by that alone."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from places import LOGS, RUN
from tools import say


def start(name: str, command: Sequence[str | Path], env: dict[str, str] | None = None) -> None:
    """Start it unless it runs."""
    if pid_of(name) is not None:
        return
    LOGS.mkdir(parents=True, exist_ok=True)
    RUN.mkdir(parents=True, exist_ok=True)
    with (LOGS / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=os.environ | (env or {}),
        )
    (RUN / f"{name}.pid").write_text(f"{process.pid} {_started(process.pid)}")


def pid_of(name: str) -> int | None:
    """Its process, when it is still the one that was started."""
    file = RUN / f"{name}.pid"
    if not file.is_file():
        return None
    pid, started = file.read_text().split()
    return int(pid) if _started(int(pid)) == started else None


def stop(name: str, seconds: float = 20) -> None:
    """End it: SIGTERM, then SIGKILL."""
    pid = pid_of(name)
    for number in (signal.SIGTERM, signal.SIGKILL):
        if pid is None:
            break
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            break
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and pid_of(name) is not None:
            _reap(pid)
            time.sleep(0.1)
        pid = pid_of(name)
    (RUN / f"{name}.pid").unlink(missing_ok=True)


def wait_for(what: str, ready: Callable[[], bool], name: str, seconds: float = 60) -> None:
    """Wait until it is ready; says where to look when it never is."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline or pid_of(name) is None:
            tail = (LOGS / f"{name}.log").read_text(errors="replace")[-1500:]
            raise SystemExit(f"expected {what} within {seconds:.0f} s, found nothing; {LOGS}/{name}.log ends:\n{tail}")
        time.sleep(0.2)
    say(f"  {what}")


def _reap(pid: int) -> None:
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _started(pid: int) -> str:
    """Start time in ticks since boot, empty when there is no such process or it is a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]
