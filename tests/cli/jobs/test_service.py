"""From a command line to a Job: workload, args, the pod untouched, and what people are told when it cannot be."""

from __future__ import annotations

import copy
import dataclasses
import re
import subprocess
import sys
from typing import Any

import pytest

from deftunes_cli.jobs import service
from deftunes_cli.jobs.client import KubeClient
from deftunes_cli.jobs.workload import cron_job_name, job_of, job_request
from deftunes_contract.errors import RetryableError, UsageError

MONTH = ("2020-01-01", "2020-02-01")
WHEN = ["--start", *MONTH[:1], "--end", *MONTH[1:], "--run-id", "r"]


def _cron_job(name: str = "deftunes-transform-api") -> dict[str, Any]:
    pod = {
        "metadata": {"labels": {"deftunes/workload": "transform-api"}},
        "spec": {"containers": [{"name": "stage", "image": "i", "args": ["old"], "aFieldOfTomorrow": {"a": [1]}}]},
    }
    template = {
        "metadata": {"labels": {"app.kubernetes.io/instance": "deftunes"}},
        "spec": {"backoffLimit": 3, "template": pod},
    }
    return {"metadata": {"name": name, "namespace": "music", "uid": "u"}, "spec": {"jobTemplate": template}}


@pytest.mark.parametrize(
    ("line", "workload", "args"),
    [
        (["extract", "users", "--allow-empty", "users"], "extract-users", ["users", *WHEN, "--allow-empty", "users"]),
        (["transform", "users", "sessions"], "transform-api", ["users", "sessions", *WHEN]),
        (["quality", "sessions"], "quality-api", ["sessions", *WHEN]),
        (["publish", "songs"], "publish-songs", ["publish", "songs", *WHEN]),
        (["dbt", "--full-refresh"], "dbt", ["build", *WHEN, "--full-refresh"]),
    ],
)
def test_a_call_finds_its_workload_and_its_args(line: list[str], workload: str, args: list[str]) -> None:
    call = job_request(line[0], line[1:], *MONTH, "r")
    assert (call.workload, call.args) == (workload, args)


def test_maintain_has_no_interval() -> None:
    assert job_request("maintain", ["--dry-run"], "", "", "r").args == ["maintain", "--dry-run"]
    with pytest.raises(UsageError, match="leave --start"):
        job_request("maintain", [], *MONTH, "r")


@pytest.mark.parametrize(
    "line",
    [["cook", "users"], ["extract"], ["extract", "users", "sessions"], ["transform", "songs", "users"], ["dbt", "x"]],
)
def test_calls_no_workload_can_answer_are_refused(line: list[str]) -> None:
    with pytest.raises(UsageError):
        job_request(line[0], line[1:], *MONTH, "r")


def test_the_job_is_the_cron_jobs_template_but_for_name_and_args() -> None:
    cron_job = _cron_job()
    before = copy.deepcopy(cron_job)
    body = job_of(cron_job, job_request("transform", ["users", "sessions"], *MONTH, "My run/1"))
    assert cron_job == before
    body["spec"]["template"]["spec"]["containers"][0]["args"] = ["old"]
    assert body["spec"] == before["spec"]["jobTemplate"]["spec"]
    meta = body["metadata"]
    assert meta["name"].startswith("deftunes-transform-api-202001-")
    assert meta["annotations"] == {"cronjob.kubernetes.io/instantiate": "manual"}
    assert meta["ownerReferences"][0] == {
        "apiVersion": "batch/v1", "kind": "CronJob", "name": "deftunes-transform-api", "uid": "u", "controller": True,
    }  # fmt: skip
    assert meta["labels"] == {
        "app.kubernetes.io/instance": "deftunes",
        "deftunes.io/stage": "transform",
        "deftunes.io/entity": "users_sessions",
        "deftunes.io/interval": "2020-01-01_2020-02-01",
        "deftunes.io/run-id": "my-run-1-4a56a741",
    }


def test_names_fit_and_follow_the_chart() -> None:
    body = job_of(_cron_job("x" * 52), job_request("transform", ["users"], *MONTH, "r"))
    assert len(body["metadata"]["name"]) == 63
    assert cron_job_name("shop", "dbt") == "shop-deftunes-dbt"
    assert cron_job_name("deftunes-two", "dbt") == "deftunes-two-dbt"


def test_a_lost_answer_does_not_make_two_jobs(cluster: KubeClient, world: Any) -> None:
    world.cron_jobs["deftunes-transform-api"] = _cron_job()
    world.faults = [("POST", "/jobs", 504)]
    name = service.make(cluster, "deftunes", job_request("transform", ["users"], *MONTH, "r"))
    assert set(world.jobs) == {"j", name}


def test_a_chart_that_is_not_there_is_named(cluster: KubeClient, world: Any) -> None:
    world.cron_jobs["other"] = _cron_job("other")
    with pytest.raises(UsageError, match="expected CronJob deftunes-dbt in namespace music, found: other; .*helm list"):
        service.make(cluster, "deftunes", job_request("dbt", [], *MONTH, "r"))


def test_a_missing_right_names_verb_and_resource(cluster: KubeClient, world: Any) -> None:
    world.cron_jobs["deftunes-transform-api"] = _cron_job()
    world.faults = [("POST", "/jobs", 403)]
    with pytest.raises(UsageError, match=r"you may not create jobs in namespace music \(403: said the stand-in\)"):
        service.make(cluster, "deftunes", job_request("transform", ["users"], *MONTH, "r"))


def test_no_cluster_is_said(cluster: KubeClient) -> None:
    cluster.api.configuration.host = "http://127.0.0.1:9"
    with pytest.raises(RetryableError, match="expected a Kubernetes API server at http://127.0.0.1:9, found none"):
        service.rows(cluster)


def test_cancel_waits_for_the_pods_and_may_be_repeated(cluster: KubeClient, world: Any) -> None:
    world.pod("a", {"running": {}})
    assert service.cancel(cluster, "j", 5) == "j is cancelled, its pods are gone"
    assert not world.pods
    assert "nothing to cancel" in service.cancel(cluster, "j", 5)


@pytest.mark.parametrize(
    "name", ["", "../cronjobs/j", "../../other/jobs/j", "j/log", "j?a=b", "j,k", "J", ".", "-j", "j\n"]
)
def test_a_name_that_is_none_reaches_no_other_object_and_not_all_of_them(
    name: str, cluster: KubeClient, world: Any
) -> None:
    before = dict(world.jobs)
    for call in (
        lambda: service.cancel(cluster, name, 1),
        lambda: service.logs(cluster, name, print, print),
        lambda: service.follow(cluster, name, print, print, 1),
        lambda: cluster.pods(name),
        lambda: dataclasses.replace(cluster, namespace=name).jobs("x"),
    ):
        with pytest.raises(UsageError, match=re.escape(repr(name))):
            call()
    assert world.jobs == before


def test_help_does_not_import_the_client() -> None:
    code = "from deftunes_cli.__main__ import main; main(['job', '--help'])"
    code += "; import sys; print('kubernetes' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip().endswith("False")
