"""What a Job and its pods say of themselves. Pure functions over the API's JSON."""

from __future__ import annotations

import re
from dataclasses import dataclass

from deftunes_cli.jobs.client import Json
from deftunes_cli.jobs.workload import CONTAINER
from deftunes_contract.errors import ExitCode

# Reasons that do not pass by themselves once they lasted: somebody must change an image's name or a setting
STUCK = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
    }
)


@dataclass(frozen=True)
class Waiting:
    """Why a pod does not run yet."""

    reason: str
    message: str = ""

    @property
    def stuck(self) -> bool:
        """Whether waiting is of no use."""
        return self.reason in STUCK

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}" if self.message else self.reason


def condition(job: Json, kind: str) -> Json | None:
    """The condition of that type when it is true."""
    found = (job.get("status") or {}).get("conditions") or []
    return next((one for one in found if one["type"] == kind and one["status"] == "True"), None)


def state(job: Json) -> str:
    """One word for a list."""
    if job["metadata"].get("deletionTimestamp"):
        return "Cancelling"
    if condition(job, "Complete"):
        return "Complete"
    if failed := condition(job, "Failed"):
        return f"Failed ({failed.get('reason', 'no reason')})"
    status = job.get("status") or {}
    return "Running" if status.get("ready") else "Waiting" if status.get("active") else "Pending"


def _container(pod: Json) -> Json:
    found = (pod.get("status") or {}).get("containerStatuses") or []
    container: Json = next((one for one in found if one["name"] == CONTAINER), {})
    return container


def exit_code(pod: Json) -> int | None:
    """The stage container's exit code, when it has one."""
    terminated = (_container(pod).get("state") or {}).get("terminated")
    return int(terminated["exitCode"]) if terminated else None


def has_log(pod: Json) -> bool:
    """Whether the stage container has begun."""
    return bool({"running", "terminated"} & set(_container(pod).get("state") or {}))


def over(pod: Json) -> bool:
    """Whether nothing more will come of it."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed") or exit_code(pod) is not None


def waiting(pod: Json) -> Waiting:
    """Why a pod that has not begun has not."""
    if reason := (_container(pod).get("state") or {}).get("waiting"):
        return Waiting(reason.get("reason", "Waiting"), reason.get("message", ""))
    for one in (pod.get("status") or {}).get("conditions") or []:
        if one["type"] == "PodScheduled" and one["status"] != "True":
            return Waiting(one.get("reason", "Unschedulable"), one.get("message", ""))
    return Waiting("Pending")


def refused_pods(events: list[Json]) -> Waiting:
    """Why a Job has no pod: quota and admission speak through its events."""
    failed = [event for event in events if event.get("reason") == "FailedCreate"]
    return Waiting("FailedCreate", failed[-1].get("message", "")) if failed else Waiting("no pod yet")


@dataclass(frozen=True)
class Verdict:
    """How a Job ended."""

    code: int
    sentence: str


def verdict(job: Json, last_code: int | None) -> Verdict | None:
    """How it ended, None while it has not: the last pod's exit code, or what the Job's conditions say."""
    name = job["metadata"]["name"]
    if condition(job, "Complete"):
        return Verdict(ExitCode.DONE, f"{name}: done")
    failed = condition(job, "Failed")
    if failed is None:
        return None
    reason, message = failed.get("reason", ""), failed.get("message", "")
    if reason == "DeadlineExceeded":
        return Verdict(
            ExitCode.TEMPORARY,
            f"{name} was stopped by its deadline, activeDeadlineSeconds ({message}); "
            "run it again, or raise the deadline",
        )
    if last_code:
        return Verdict(last_code, f"{name} ended with exit code {last_code} ({reason}); the log's last line says why")
    if told := re.search(r"exit code (\d+)", message):
        return Verdict(int(told[1]), f"{name} ended with exit code {told[1]} ({message})")
    return Verdict(
        ExitCode.BUG,
        f"{name} failed and no pod is left to say why ({reason}: {message}); "
        f"see kubectl describe job {name}, then run it again",
    )
