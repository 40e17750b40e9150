"""Follow a Job to its end: say why it waits, print its pods' logs, give back the exit code.

    Job ─► its pods, oldest first ─► log lines to standard output ─► exit code of the last pod

A pod may vanish, a node die, a stream stall: the Job makes another pod, and that one is followed. Only the Job's own
conditions end it. Giving up (time-out, Ctrl-C, no API server) never touches the Job.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from deftunes_cli.jobs import states
from deftunes_cli.jobs.client import ConnectionLost, Json, KubeClient, NotFound
from deftunes_cli.jobs.pod_log import PodLog
from deftunes_cli.jobs.workload import CONTAINER
from deftunes_contract.errors import RetryableError, StageError, UsageError

Say = Callable[[str], None]


@dataclass
class Follower:
    """One Job being followed. `write` gets log lines, `say` what a person may want to know meanwhile."""

    cluster: KubeClient
    job: str
    write: Say
    say: Say
    timeout: float | None = None
    _logs: dict[str, PodLog] = field(default_factory=dict)
    _done: set[str] = field(default_factory=set)
    _codes: dict[str, int] = field(default_factory=dict)
    _order: list[str] = field(default_factory=list)
    _said: set[str] = field(default_factory=set)
    _stuck_since: float | None = None

    def wait(self) -> states.Verdict:
        """Until the Job is Complete or Failed. Raises RetryableError (given up), UsageError (the pod cannot start)."""
        until = time.monotonic() + self.timeout if self.timeout else None
        try:
            while True:
                if found := self._round():
                    return found
                if until and time.monotonic() > until:
                    raise RetryableError(f"not over after {self.timeout:g} seconds; the job goes on: {self._again()}")
                time.sleep(self.cluster.timeouts.poll)
        except KeyboardInterrupt:
            raise RetryableError(f"stopped following; the job goes on: {self._again()}") from None
        except ConnectionLost as gone:
            raise RetryableError(f"{gone}; the job goes on: {self._again()}") from gone

    def _round(self) -> states.Verdict | None:
        # the Job first: a Job seen as over has all its pods in the list that is asked for after it
        try:
            job = self.cluster.job(self.job)
        except NotFound:
            return self._vanished()
        pods = self.cluster.pods(self.job)
        for pod in pods:
            self._pod(pod)
        if not pods and not states.condition(job, "Failed"):
            self._wait(states.refused_pods(self.cluster.events(self.job)))
        last = self._codes.get(self._order[-1]) if self._order else None
        return states.verdict(job, last)

    def _vanished(self) -> states.Verdict:
        last = self._codes.get(self._order[-1]) if self._order else None
        if last is None:
            raise RetryableError(f"{self.job} was deleted before it was over; if that was not meant, run it again")
        return states.Verdict(last, f"{self.job} is gone, its last pod ended with exit code {last}")

    def _pod(self, pod: Json) -> None:
        name = pod["metadata"]["name"]
        if name in self._done:
            return
        if name not in self._order:
            if self._order:
                self.say(f"{self.job}: the job made another pod, {name}")
            self._order.append(name)
        if states.has_log(pod):
            self._stuck_since = None
            self._print(name, over=states.over(pod))
        elif not states.over(pod):
            self._wait(states.waiting(pod))
        self._note(pod)

    def _note(self, pod: Json) -> None:
        name, code = pod["metadata"]["name"], states.exit_code(pod)
        if code is not None:
            self._codes[name] = code
        if states.over(pod):
            self._done.add(name)

    def _print(self, name: str, *, over: bool) -> None:
        log = self._logs.setdefault(name, PodLog(self.cluster, name, CONTAINER, self.write))
        pause = self.cluster.timeouts.back_off
        try:
            if not over:
                # a stream that stalls or breaks is opened again by the next round, after a look at the pod
                log.read(follow=True)
                return
            for _ in range(self.cluster.timeouts.attempts):
                if log.read(follow=False):
                    return
                time.sleep(pause)
                pause = min(pause * 2, self.cluster.timeouts.back_off_most)
        except NotFound:
            self.say(f"{self.job}: pod {name} is gone, its log may be cut short")
            return
        except StageError as fault:
            # 403 for ever, 400 while the container starts, 500 while its node is away: the Job still tells the end
            self._once(f"{self.job}: {fault}")
            return
        self.say(f"{self.job}: the end of the log of {name} could not be read; kubectl logs {name}")

    def _wait(self, why: states.Waiting) -> None:
        self._once(f"{self.job} waits: {why}")
        if not why.stuck:
            # ErrImagePull and ImagePullBackOff take turns with nothing else; anything else is progress
            self._stuck_since = None
            return
        now = time.monotonic()
        self._stuck_since = self._stuck_since or now
        if now - self._stuck_since > self.cluster.timeouts.start:
            raise UsageError(
                f"expected {self.job} to start, found {why} for {self.cluster.timeouts.start:g} seconds; correct the "
                f"image or the settings (helm upgrade), then deftunes job cancel {self.job} and run it again"
            )

    def _once(self, sentence: str) -> None:
        # pull errors take turns every few seconds: each is news only once
        if sentence not in self._said:
            self._said.add(sentence)
            self.say(sentence)

    def _again(self) -> str:
        where = f"--namespace {self.cluster.namespace}"
        return (
            f"follow it with deftunes job logs {self.job} --follow {where}, "
            f"or end it with deftunes job cancel {self.job} {where}"
        )
