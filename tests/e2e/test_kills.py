"""A pod of each stage is killed at work and its job tries again: the figures stay what they were."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from figures import figures
from walk import Shell

WORKING = {
    "extract-sessions": 2.0,
    "extract-songs": 2.0,
    "transform-api": 3.0,
    "quality-api": 6.0,
    "publish-api": 4.0,
    "dbt": 4.0,
}
"""Workload, and seconds from its start (transform: from its executors' start) until it is in the middle, at most."""

SLOW_SOURCE = {
    # the first request gets no byte for half a minute in mid-record, the second one all of them
    "extract-sessions": "from urllib.request import *; urlopen(Request('http://127.0.0.1:8000/_faults', method='PUT', "
    """data=b'["sessions:stall:1:times=1,record=50,seconds=30"]', headers={'Content-Type': 'application/json'}))""",
    # for ten seconds nobody may read the table; the superuser comes in by the server's own socket only
    "extract-songs": "import glob, psycopg, tempfile, time; "
    "socket = glob.glob(tempfile.gettempdir() + '/pg-*/.s.PGSQL.5432')[0].rpartition('/')[0]; "
    "c = psycopg.connect(host=socket, port=5432, user='postgres', dbname='deftunes'); "
    "c.execute('lock table deftunes.songs in access exclusive mode'); print('locked', flush=True); time.sleep(10)",
}
"""A small month is read in a second: its source is slowed down, by Python in the shop's pod."""


def _pods(shell: Shell, job: str) -> list[dict[str, Any]]:
    return list(shell.get(f"pods --selector=job-name={job}")["items"])


def _running(shell: Shell, job: str) -> str | None:
    return next((pod["metadata"]["name"] for pod in _pods(shell, job) if pod["status"]["phase"] == "Running"), None)


def _executors(shell: Shell, driver: str) -> list[str]:
    return [
        pod["metadata"]["name"]
        for pod in shell.get("pods --selector=spark-role=executor")["items"]
        if any(owner["name"] == driver for owner in pod["metadata"].get("ownerReferences", []))
    ]


@contextmanager
def _slowed(shell: Shell, workload: str) -> Iterator[None]:
    code = SLOW_SOURCE.get(workload)
    if code is None:
        yield
        return
    command = ["kubectl", "exec", "--namespace", "deftunes", "deploy/deftunes-shop", "--", "python", "-c", code]
    with subprocess.Popen(command, env=shell.environment, stdout=subprocess.PIPE, text=True) as slowing:
        assert slowing.stdout is not None
        slowing.stdout.readline()  # it is slow from here on
        yield


@pytest.mark.parametrize("workload", WORKING)
def test_killed_and_tried_again(walked: Shell, workload: str) -> None:
    for halved in (1, 2, 4, 8):
        status = _killed(walked, workload, WORKING[workload] / halved)
        if status.get("failed"):
            break  # else this machine was faster than the kill, which comes sooner next time
    assert status.get("failed", 0) >= 1, f"it ended each time before it was killed: {status}"
    assert status["succeeded"] == 1


def _killed(shell: Shell, workload: str, delay: float) -> dict[str, Any]:
    """Start a job, kill its pod after `delay` seconds at work, wait for the job's end; its status."""
    job = f"killed-{workload}"
    shell.run(f"kubectl delete job {job} --namespace deftunes --ignore-not-found --cascade=foreground", 120)
    with _slowed(shell, workload):
        shell.run(f"kubectl create job {job} --namespace deftunes --from=cronjob/deftunes-{workload}")
        pod = shell.until(f"a running pod of {job}", lambda: _running(shell, job))
        if workload == "transform-api":
            shell.until(f"two executors of {pod}", lambda: len(_executors(shell, pod)) >= 2)
        time.sleep(delay)
        shell.run(f"kubectl delete pod {pod} --namespace deftunes --grace-period=0 --force --ignore-not-found")
    if workload == "transform-api":
        shell.until(f"the executors of {pod} to go with it", lambda: not _executors(shell, pod), 60)
    shell.run(f"kubectl wait job/{job} --namespace deftunes --for=condition=complete --timeout=5m", 320)
    return dict(shell.get(f"job/{job}")["status"])


def test_after_all_of_it_the_figures_are_the_same(walked: Shell, embedded: dict[str, Any]) -> None:
    killed = {job["metadata"]["name"] for job in walked.get("jobs")["items"]} & {f"killed-{name}" for name in WORKING}
    assert killed == {f"killed-{name}" for name in WORKING}
    assert figures(walked) == embedded


def test_a_refused_month_fails_at_once_and_says_so(walked: Shell) -> None:
    # before 2020 this world has no users: data refused is not tried again
    command = "deftunes job run extract users --start 2019-03-01 --end 2019-04-01 --run-id refused --namespace deftunes"
    assert walked.code(command) == 65
    jobs = [job for job in walked.get("jobs")["items"] if "201903" in job["metadata"]["name"]]
    assert [job["status"].get("failed") for job in jobs] == [1]
