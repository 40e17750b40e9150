"""One pod description, three users: kubectl, our command and the chart's template make the same pod."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml
from walk import Shell

GIVEN_BY_SERVER = ("controller-uid", "job-name")


def _pod(spec: dict[str, Any], metadata: dict[str, Any]) -> dict[str, Any]:
    """What a pod is, without its name and arguments and without what the server adds to any job's pod."""
    labels = {k: v for k, v in metadata.get("labels", {}).items() if not k.endswith(GIVEN_BY_SERVER)}
    spec = copy.deepcopy(spec)
    for container in spec["containers"]:
        container.pop("args", None)
    return {"labels": labels, "annotations": metadata.get("annotations", {}), "spec": spec}


def _template(job: dict[str, Any]) -> dict[str, Any]:
    template = job["spec"]["template"]
    return _pod(template["spec"], template["metadata"])


def _defaulted(shell: Shell, pod: str, name: str) -> dict[str, Any]:
    """The chart's pod template as the server would keep it in a job."""
    manifest = yaml.safe_load(pod)
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"template": {"metadata": manifest["metadata"], "spec": manifest["spec"]}},
    }
    job["spec"]["template"]["metadata"].pop("name", None)
    file = shell.folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump(job), encoding="utf-8")
    made = shell.run(f"kubectl create --namespace deftunes --dry-run=server --output json --filename {file}")
    return dict(yaml.safe_load(made))


WAYS = {
    "extract-users": "extract users",
    "transform-api": "transform users sessions",
    "quality-songs": "quality songs",
    "publish-api": "publish users sessions",
    "dbt": "dbt",
}


@pytest.mark.parametrize("workload", WAYS)
def test_three_ways_to_the_same_pod(walked: Shell, workload: str) -> None:
    shell = walked
    by_kubectl = yaml.safe_load(
        shell.run(
            f"kubectl create job parity --from=cronjob/deftunes-{workload} --namespace deftunes --dry-run=server"
            " --output json"
        )
    )
    templates = shell.get("configmap/deftunes-pod-templates")["data"]
    by_template = _defaulted(shell, templates[f"{workload}.yaml"], "parity")
    made = shell.run(
        f"deftunes job run {WAYS[workload]} --start 2020-01-01 --end 2020-02-01 --no-follow --namespace deftunes"
    )
    before = {job["metadata"]["name"]: job for job in shell.get("jobs")["items"]}
    (name,) = [name for name in before if name in made]
    shell.run(f"deftunes job cancel {name} --namespace deftunes")
    assert _template(by_kubectl) == _template(before[name])
    assert _template(by_kubectl) == _template(by_template)
    for key in ("backoffLimit", "podFailurePolicy", "activeDeadlineSeconds", "ttlSecondsAfterFinished"):
        assert by_kubectl["spec"][key] == before[name]["spec"][key]
