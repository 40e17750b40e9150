"""Make, list, show and cancel Jobs."""

from __future__ import annotations

import time
from dataclasses import replace

from deftunes_cli.jobs import states
from deftunes_cli.jobs.client import Json, KubeClient, NotFound
from deftunes_cli.jobs.follow import Follower, Say
from deftunes_cli.jobs.pod_log import PodLog
from deftunes_cli.jobs.workload import CONTAINER, STAGE_LABEL, JobRequest, cron_job_name, job_of
from deftunes_contract.errors import RetryableError, UsageError

Row = dict[str, str]


def make(cluster: KubeClient, release: str, call: JobRequest) -> str:
    """Make the Job of a call from the chart's CronJob; its name. Raises UsageError when the chart is not there."""
    name: str = cluster.create_job(job_of(_cron_job(cluster, release, call.workload), call))["metadata"]["name"]
    return name


def _cron_job(cluster: KubeClient, release: str, workload: str) -> Json:
    """By its usual name, else by its labels: the chart's fullnameOverride changes the name only."""
    wanted = cron_job_name(release, workload)
    try:
        return cluster.cron_job(wanted)
    except NotFound:
        found = cluster.cron_jobs()
    labels = {"deftunes.io/workload": workload, "app.kubernetes.io/instance": release}
    for one in found:
        own = one["spec"]["jobTemplate"].get("metadata", {}).get("labels", {})
        if labels.items() <= own.items():
            return one
    names = ", ".join(sorted(one["metadata"]["name"] for one in found)) or "none"
    raise UsageError(
        f"expected CronJob {wanted} in namespace {cluster.namespace}, found: {names}; "
        "is the chart installed there? helm list --all-namespaces"
    )


def rows(cluster: KubeClient) -> list[Row]:
    """Jobs made by `make`, youngest first."""
    found = sorted(cluster.jobs(STAGE_LABEL), key=lambda job: str(job["metadata"].get("creationTimestamp", "")))
    return [_row(job) for job in reversed(found)]


def _row(job: Json) -> Row:
    labels = job["metadata"].get("labels") or {}
    return {
        "name": job["metadata"]["name"],
        "stage": labels.get(STAGE_LABEL, ""),
        "entities": labels.get("deftunes.io/entity", "").replace("_", " "),
        "interval": labels.get("deftunes.io/interval", "").replace("_", " "),
        "run_id": labels.get("deftunes.io/run-id", ""),
        "state": states.state(job),
        "created": job["metadata"].get("creationTimestamp", ""),
    }


def logs(cluster: KubeClient, name: str, write: Say, say: Say) -> None:
    """Print what the Job's pods have said so far. Raises NotFound, RetryableError."""
    cluster.job(name)
    pods = cluster.pods(name)
    if not pods:
        say(f"{name} has no pod")
    for pod in pods:
        if not states.has_log(pod):
            say(f"{name} waits: {states.waiting(pod)}")
        elif not PodLog(cluster, pod["metadata"]["name"], CONTAINER, write).read(follow=False):
            raise RetryableError(f"the log of {pod['metadata']['name']} broke off; run the command again")


def follow(cluster: KubeClient, name: str, write: Say, say: Say, timeout: float | None) -> states.Verdict:
    """Follow a Job that must be there. Raises NotFound."""
    cluster.job(name)
    patient = replace(cluster, timeouts=replace(cluster.timeouts, attempts=cluster.timeouts.attempts_following))
    return Follower(patient, name, write, say, timeout).wait()


def cancel(cluster: KubeClient, name: str, timeout: float) -> str:
    """Delete a Job and wait until its pods are gone; a sentence. One that is gone already is no fault."""
    until = time.monotonic() + timeout
    try:
        cluster.delete_job(name)
    except NotFound:
        if not cluster.pods(name):
            return f"{name} is not in namespace {cluster.namespace}: nothing to cancel"
    while left := cluster.pods(name) or _still_there(cluster, name):
        if time.monotonic() > until:
            raise RetryableError(
                f"{name} is being deleted, but after {timeout:g} seconds {len(left)} pods or its Job are left"
            )
        time.sleep(cluster.timeouts.poll)
    return f"{name} is cancelled, its pods are gone"


def _still_there(cluster: KubeClient, name: str) -> list[Json]:
    try:
        return [cluster.job(name)]
    except NotFound:
        return []
