"""From a call to a Job: which CronJob has the pod, which arguments it gets. Pure; asks nobody.

    STAGE ENTITY… --start --end  ─►  CronJob <release>-<workload>  ─►  its jobTemplate with other args

Everything of the pod but its args is the chart's, so a pod made here is the pod that kubectl makes.
"""

from __future__ import annotations

import copy
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from deftunes_cli.jobs.client import Json
from deftunes_contract.errors import UsageError
from deftunes_contract.interval import Interval, parse_day
from deftunes_contract.names import clean_run_id
from deftunes_contract.registry import registry

STAGES = ("extract", "transform", "quality", "publish", "dbt", "verify", "maintain")
CONTAINER = "stage"
STAGE_LABEL = "deftunes.io/stage"
NAME_MOST = 63


@dataclass(frozen=True)
class JobRequest:
    """One stage for one interval."""

    stage: str
    entities: tuple[str, ...]
    start: str
    end: str
    run_id: str
    flags: tuple[str, ...] = ()

    @property
    def workload(self) -> str:
        """The chart's name for it."""
        if self.stage in ("dbt", "verify", "maintain"):
            return self.stage
        owner = self.entities[0] if self.stage == "extract" else registry().entity(self.entities[0]).pipeline
        # the chart names workloads so: an underscore is no letter of an object's name
        return f"{self.stage}-{owner.replace('_', '-')}"

    @property
    def args(self) -> list[str]:
        """The pod's args: argv of the stage's command; the lake image speaks deftunes-lake, dbt's deftunes-dbt."""
        if self.stage == "maintain":
            return ["maintain", *self.flags]
        verb = {"publish": ["publish"], "dbt": ["build"]}.get(self.stage, [])
        when = ["--start", self.start, "--end", self.end, "--run-id", self.run_id]
        return [*verb, *self.entities, *when, *self.flags]


def job_request(stage: str, words: Sequence[str], start: str, end: str, run_id: str) -> JobRequest:
    """Read a command line: words up to the first flag are entities, the rest is the stage's. Raises UsageError."""
    if stage not in STAGES:
        raise UsageError(f"expected a stage ({', '.join(STAGES)}), found {stage!r}")
    cut = next((at for at, word in enumerate(words) if word.startswith("-")), len(words))
    entities, flags = tuple(dict.fromkeys(words[:cut])), tuple(words[cut:])
    if stage in ("dbt", "maintain"):
        if entities:
            raise UsageError(f"{stage} takes no entities, found {' '.join(entities)}; leave them out")
    else:
        _check_entities(stage, entities)
    if stage == "maintain":
        if start or end:
            raise UsageError("maintain looks after all intervals: leave --start and --end out")
    elif not (start and end):
        raise UsageError(f"{stage} needs --start and --end, e.g. --start 2020-01-01 --end 2020-02-01")
    elif stage in ("dbt", "verify"):
        list(Interval.months(parse_day(start, "--start"), parse_day(end, "--end")))
    else:
        Interval.parse(start, end)
    return JobRequest(stage, entities, start, end, run_id, flags)


def _check_entities(stage: str, entities: tuple[str, ...]) -> None:
    unknown = [entity for entity in entities if entity not in registry().names]
    if unknown or not entities:
        raise UsageError(f"{stage}: expected {', '.join(registry().names)}, found {' '.join(unknown) or 'none'}")
    if stage == "extract" and len(entities) > 1:
        raise UsageError(f"extract has a pod per entity, found {' '.join(entities)}; make a job for each")
    pipelines = {entity: registry().entity(entity).pipeline for entity in entities}
    if stage != "verify" and len(set(pipelines.values())) > 1:
        told = ", ".join(f"{entity} ({pipeline})" for entity, pipeline in pipelines.items())
        raise UsageError(f"{stage} has a workload per pipeline, found {told}; make a job for each pipeline")


def cron_job_name(release: str, workload: str) -> str:
    """As the chart names it (templates/_names.tpl)."""
    full = release[:35].rstrip("-") if "deftunes" in release else release[:26].rstrip("-") + "-deftunes"
    return f"{full}-{workload}"


def job_of(cron_job: Json, call: JobRequest, now: datetime | None = None) -> Json:
    """The Job `kubectl create job --from` would make, with this call's args and labels that say what it is."""
    template = copy.deepcopy(cron_job["spec"]["jobTemplate"])
    meta, cron = template.get("metadata") or {}, cron_job["metadata"]
    labels = {
        STAGE_LABEL: call.stage,
        "deftunes.io/entity": "_".join(call.entities),
        "deftunes.io/interval": f"{call.start}_{call.end}" if call.start else "",
        "deftunes.io/run-id": label_value(call.run_id),
    }
    body = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name(cron["name"], call, now or datetime.now(UTC)),
            "namespace": cron["namespace"],
            "labels": {**(meta.get("labels") or {}), **{key: value for key, value in labels.items() if value}},
            "annotations": {"cronjob.kubernetes.io/instantiate": "manual", **(meta.get("annotations") or {})},
            # as kubectl: no blockOwnerDeletion, which would ask for more rights
            "ownerReferences": [
                {
                    "apiVersion": "batch/v1",
                    "kind": "CronJob",
                    "name": cron["name"],
                    "uid": cron["uid"],
                    "controller": True,
                }
            ],
        },
        "spec": template["spec"],
    }
    containers = body["spec"]["template"]["spec"]["containers"]
    stage = next((one for one in containers if one["name"] == CONTAINER), None)
    if stage is None:
        found = ", ".join(one["name"] for one in containers)
        raise UsageError(f"CronJob {cron['name']}: expected a container {CONTAINER}, found {found}; is it the chart's?")
    stage["args"] = call.args
    return body


def job_name(cron_job: str, call: JobRequest, now: datetime) -> str:
    """`<cronjob>-<yyyymm>-<5 random>`; a pod's label holds it, so 63 characters."""
    month = call.start[:7].replace("-", "") if call.start else f"{now:%Y%m}"
    tail = f"-{month}-{secrets.token_hex(3)[:5]}"
    return cron_job[: NAME_MOST - len(tail)].rstrip("-") + tail


def label_value(text: str) -> str:
    """A run id as the stages clean it, and short enough for a label: at most 63 characters. Raises UsageError."""
    return clean_run_id(clean_run_id(text), NAME_MOST)
