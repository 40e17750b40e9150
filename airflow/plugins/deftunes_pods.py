"""The one factory for a task: a stage's pod, from the chart's template, with arguments added and nothing else.

What the pod is (image, account, size, settings, deadline) stands in the chart. Here stands what Airflow does with it:
how long it waits, what it tries again, what it says when it fails. Settings, all from the chart:
DEFTUNES_POD_TEMPLATES (folder with the manifests), DEFTUNES_NAMESPACE.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.providers.cncf.kubernetes.pod_generator import make_safe_label_value
from airflow.providers.http.notifications.http import HttpNotifier
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from kubernetes.client.models import V1ContainerStateTerminated, V1Pod

TEMPORARY, NOTHING_TO_DO = 75, 99
"""Exit codes of docs/stage-contract.md that mean another thing than failure."""
SERVING_POOL = "deftunes_serving"
"""Has one slot, deferred tasks included: dbt builds of the two pipelines never overlap. Made by bootstrap.py."""

GUARDS = {"extract": ("empty", "shrink"), "quality": ("shrink", "source-change", "overlap"), "dbt": ("shrink",)}
"""First word of a workload → guards that its stage lets a caller lift (`--allow-<guard>`)."""

INTERVAL = (
    "--start",
    "{{ params.start or (data_interval_start | ds if data_interval_start else '') }}",
    "--end",
    "{{ params.end or (data_interval_end | ds if data_interval_end else '') }}",
    "--run-id",
    "{{ run_id }}",
)
"""The run's month, or for a run made by hand the month that its parameters name."""
PARTIAL = "{{ '--partial' if params.partial else '' }}"
"""For extract: a run made by hand may load a month that is not over. Scheduled runs begin after their month's end."""


class StagePodOperator(KubernetesPodOperator):
    """A stage's pod. It differs from its parent in how it ends, which follows the stage's exit code.

    75, and a pod that Kubernetes took away or never started, are tried again; 99 skips; everything else fails at once,
    because another attempt would end the same way. The exception is the stage's own last sentence.
    """

    def __init__(self, *, entities: Sequence[str] = (), guards: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.entities = tuple(entities)
        self.guards = tuple(guards)

    def execute(self, context: Context) -> None:
        """Start the pod, unless the run's parameters leave all of its entities out."""
        params = context["params"]
        if self.entities and not set(self.entities) & set(params["entities"]):
            raise AirflowSkipException(f"not asked for: this run is about {', '.join(params['entities'])}")
        if "--start" in self.arguments and not all(self.arguments[self.arguments.index("--start") :]):
            raise AirflowFailException(
                "expected a month, found a run by hand without one; give it the parameters start and end, both"
            )
        self.arguments = [*self.arguments, *self._allowed(params)]
        self.labels = {**(self.labels or {}), **self._run_labels(context)}
        super().execute(context)

    def _run_labels(self, context: Context) -> dict[str, str]:
        """What the pod is about, beside the template's labels: executors of Spark get the same."""
        month = [
            self.arguments[self.arguments.index(flag) + 1] for flag in ("--start", "--end") if flag in self.arguments
        ]
        chosen = [entity for entity in self.entities if entity in context["params"]["entities"]]
        found = {
            "run-id": str(context["run_id"]),
            "interval": "_".join(month),
            "entity": "_".join(chosen),
        }
        return {f"deftunes.io/{name}": make_safe_label_value(value) for name, value in found.items() if value}

    def _allowed(self, params: Mapping[str, Any]) -> list[str]:
        """Flags for the guards that the run's parameters lift, as far as this stage and its entities have them."""
        asked = [one.partition("=")[::2] for one in params.get("allow") or ()]
        own = set(self.entities) & set(params.get("entities") or self.entities)
        return [
            word
            for guard, subject in asked
            if guard in self.guards and (not self.entities or subject.partition(":")[0] in own)
            for word in (f"--allow-{guard}", subject)
        ]

    def build_pod_request_obj(self, context: Context | None = None, *, dry_run: bool = False) -> V1Pod:
        """The template's pod; entities and flags that the run leaves out have become empty arguments, which go."""
        self.arguments = [argument for argument in self.arguments if argument]
        return super().build_pod_request_obj(context, dry_run=dry_run)

    def cleanup(
        self,
        pod: V1Pod,
        remote_pod: V1Pod,
        xcom_result: dict[str, Any] | None = None,
        context: Context | None = None,
    ) -> None:
        """Say what the end of the pod means for the task."""
        try:
            super().cleanup(pod, remote_pod, xcom_result, context)
        except AirflowSkipException:
            raise
        except AirflowException as failure:
            raise _task_error(remote_pod) from failure


def stage_pod(
    task_id: str, workload: str, *arguments: str, entities: Sequence[str] = (), **more: Any
) -> StagePodOperator:
    """A task that runs `workload` of the chart with `arguments`, then those of `entities` that the run is about.

    `more` goes to the operator: outlets, pool, trigger_rule …
    """
    narrowed = [f"{{{{ '{entity}' if '{entity}' in params.entities else '' }}}}" for entity in entities]
    templates = os.environ.get("DEFTUNES_POD_TEMPLATES", "/etc/deftunes/pod-templates")
    options: dict[str, Any] = {
        "arguments": [*arguments, *narrowed, *INTERVAL],
        "pod_template_file": f"{templates}/{workload}.yaml",
        "namespace": os.environ.get("DEFTUNES_NAMESPACE"),
        "base_container_name": "stage",
        # the same word as in the template, which the operator's own default would replace
        "termination_message_policy": "FallbackToLogsOnError",
        "in_cluster": True,
        "kubernetes_conn_id": None,
        # waiting costs a row in the triggerer, not a process
        "deferrable": True,
        # quick, but not quicker than the scheduler learns that the task waits (min_heartbeat_interval in the chart)
        "poll_interval": 2,
        "startup_check_interval_seconds": 2,
        # a node that must be started and an image of a gigabyte that must be fetched: a quarter of an hour each
        "schedule_timeout_seconds": 900,
        "startup_timeout_seconds": 900,
        # every poll would read all events of the namespace; on a failure they are read once
        "log_events_on_startup": False,
        "log_events_on_failure": True,
        # the specification is in the chart, and alerts are read by people
        "log_pod_spec_on_failure": False,
        "on_finish_action": "delete_succeeded_pod",
        "durable": True,
        "skip_on_exit_code": NOTHING_TO_DO,
        # the pod ends itself by the chart's activeDeadlineSeconds, at most four hours; this is for one that cannot
        "execution_timeout": timedelta(hours=6),
        "retries": 3,
        "retry_delay": timedelta(seconds=30),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=10),
        "on_failure_callback": _alerts(),
    }
    guards = GUARDS.get(workload.partition("-")[0], ())
    return StagePodOperator(task_id=task_id, entities=entities, guards=guards, **(options | more))


def _alerts() -> list[HttpNotifier]:
    """One message to the webhook when a task has failed for good; nobody is told without the chart's airflow.alerts."""
    if "AIRFLOW_CONN_DEFTUNES_ALERTS" not in os.environ:
        return []
    text = "{{ dag.dag_id }} · {{ run_id }} · {{ ti.task_id }} failed: {{ exception }}"
    return [HttpNotifier(http_conn_id="deftunes_alerts", json={"text": text})]


def _task_error(pod: V1Pod | None) -> AirflowException:
    """What a failed pod means: try again (AirflowException) or not (AirflowFailException); its text is the reason."""
    ended = _terminated_state(pod)
    name = pod.metadata.name if pod else "the pod"
    if pod and (taken := _eviction_reason(pod)):
        return AirflowException(f"{name} was taken away ({taken}); it is tried again")
    if ended is None:
        return AirflowException(f"{name} did not start; `kubectl describe pod {name}` says why; it is tried again")
    sentence = _last_log_message(ended)
    if ended.exit_code == TEMPORARY:
        return AirflowException(f"{sentence} (exit code {TEMPORARY}, tried again)")
    return AirflowFailException(f"{sentence} (exit code {ended.exit_code})")


def _terminated_state(pod: V1Pod | None) -> V1ContainerStateTerminated | None:
    statuses = (pod.status.container_statuses or []) if pod and pod.status else []
    return next((status.state.terminated for status in statuses if status.name == "stage" and status.state), None)


def _eviction_reason(pod: V1Pod) -> str | None:
    """Why Kubernetes ended the pod although the stage had not: drained, preempted, evicted, deleted; else None."""
    disrupted = [c for c in pod.status.conditions or [] if c.type == "DisruptionTarget" and c.status == "True"]
    if disrupted:
        return str(disrupted[0].reason)
    if pod.metadata.deletion_timestamp:
        return "deleted"
    return pod.status.reason if pod.status.reason in ("Evicted", "Preempting", "NodeLost", "Terminated") else None


def _last_log_message(ended: V1ContainerStateTerminated) -> str:
    """The stage's last log line; Kubernetes keeps the end of the log as the container's message."""
    lines = [line for line in (ended.message or "").splitlines() if line.strip()]
    if not lines:
        return f"{ended.reason or 'no reason given'}: the pod's log has the details"
    try:
        return str(json.loads(lines[-1])["event"])
    except (ValueError, KeyError, TypeError):
        return lines[-1].strip()
