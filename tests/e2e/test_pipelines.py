"""Two months of both pipelines as pods, some by kubectl alone and some by our command, equal the embedded run."""

from __future__ import annotations

from typing import Any

from figures import figures
from walk import Shell


def test_the_cluster_holds_what_the_embedded_run_holds(walked: Shell, embedded: dict[str, Any]) -> None:
    found = figures(walked)
    assert found["faults"] == []
    assert found["items"] > 0
    assert found == embedded


def test_transform_had_executors_of_its_own(walked: Shell) -> None:
    started = [
        event["involvedObject"]["name"]
        for event in walked.get("events")["items"]
        if event["reason"] == "Started" and "-exec-" in event["involvedObject"]["name"]
    ]
    drivers = {name.rpartition("-exec-")[0] for name in started if not name.startswith(("killed-", "guarded-"))}
    # four transform jobs: two months, two pipelines; each had two at the least
    assert len(drivers) == 4, started
    assert all(sum(name.startswith(driver) for name in started) >= 2 for driver in drivers), started


def test_executors_left_with_their_drivers(walked: Shell) -> None:
    assert walked.get("pods --selector=spark-role=executor")["items"] == []


def test_kubectl_knows_our_command_too(walked: Shell) -> None:
    ours = walked.run("deftunes job list --namespace deftunes")
    assert "february" in ours
    assert walked.run("kubectl deftunes job list --namespace deftunes") == ours


def test_no_secret_reached_a_log_or_an_argument(walked: Shell) -> None:
    encoded = walked.run(
        "kubectl get secret deftunes-credentials --namespace deftunes --output jsonpath='{.data.songs-password}'"
    )
    password = walked.run(f"echo {encoded} | base64 -d")
    assert len(password) == 32
    everything = walked.run("kubectl get all,configmaps --namespace deftunes --output yaml")
    for pod in walked.get("pods")["items"]:
        everything += walked.try_(f"kubectl logs --namespace deftunes {pod['metadata']['name']} --all-containers")
    assert "deftunes-extract" in everything
    assert password not in everything
