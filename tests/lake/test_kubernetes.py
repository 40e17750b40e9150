"""A driver in a pod: what Spark is told, and what an executor's pod starts."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from deftunes_contract.exits import UsageError
from deftunes_contract.settings import from_environment
from deftunes_lake.kubernetes import LONGEST_PREFIX, ExecutorSettings, executor_conf
from deftunes_lake.pod import BACKEND, OPTIONS, executor_command

POD = {
    "POD_NAME": "deftunes-transform-api-202001-x7k2p-9hs4d",
    "POD_NAMESPACE": "shop",
    "POD_IP": "10.1.2.3",
    "DEFTUNES_SPARK_EXECUTOR_IMAGE": "registry.example/deftunes/transform:1",
}
EXECUTOR = {name: f"value-{name}" for name in OPTIONS.values()} | {"SPARK_EXECUTOR_MEMORY": "1024m"}


def _conf(monkeypatch: pytest.MonkeyPatch, **more: str) -> dict[str, str]:
    for name, value in (POD | more).items():
        monkeypatch.setenv(name, value)
    return executor_conf(from_environment(ExecutorSettings))


def test_executors_belong_to_the_drivers_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    conf = _conf(monkeypatch)
    assert conf["spark.kubernetes.driver.pod.name"] == POD["POD_NAME"]
    assert conf["spark.driver.host"] == POD["POD_IP"]
    assert conf["spark.kubernetes.namespace"] == "shop"
    assert {conf["spark.blockManager.port"], conf["spark.driver.blockManager.port"]} == {"7079"}


def test_a_long_pod_name_still_gives_a_prefix_that_spark_and_kubernetes_accept(monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = _conf(monkeypatch, POD_NAME="a-very-long-release-name-of-somebody-" + "9" * 20 + "-transform-api-x")[
        "spark.kubernetes.executor.podNamePrefix"
    ]
    assert 0 < len(prefix) <= LONGEST_PREFIX
    assert prefix[0].isalpha()


def test_the_most_is_never_below_the_least(monkeypatch: pytest.MonkeyPatch) -> None:
    conf = _conf(monkeypatch, DEFTUNES_SPARK_EXECUTORS_MIN="4", DEFTUNES_SPARK_EXECUTORS_MAX="1")
    assert conf["spark.dynamicAllocation.maxExecutors"] == "4"


def test_a_driver_outside_a_pod_is_told_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POD_NAME", raising=False)
    monkeypatch.delenv("POD_IP", raising=False)
    with pytest.raises(UsageError, match=r"POD_NAME.*POD_IP"):
        from_environment(ExecutorSettings)


def test_an_executor_is_the_jvm_that_its_driver_asks_for() -> None:
    options = {f"SPARK_JAVA_OPT_{number}": f"-Dnumber={number}" for number in (10, 2, 0)}
    command = executor_command(EXECUTOR | options | {"SPARK_CLASSPATH": "/jars/a.jar"}, "java", Path("/spark/jars"))
    # in the driver's order, which counts as numbers do
    assert command[:4] == ["java", "-Dnumber=0", "-Dnumber=2", "-Dnumber=10"]
    assert "-Xmx1024m" in command
    assert command[command.index("-cp") + 1] == "/jars/a.jar:/spark/jars/*"
    after = command[command.index(BACKEND) + 1 :]
    assert dict(zip(after[::2], after[1::2], strict=True)) == {key: EXECUTOR[name] for key, name in OPTIONS.items()}


def test_an_executor_started_by_hand_says_what_starts_it() -> None:
    with pytest.raises(UsageError, match="SPARK_DRIVER_URL.*started by a driver"):
        executor_command({}, "java", Path("/spark/jars"))


def test_the_entry_point_becomes_java_or_the_stage(tmp_path: Path) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text('#!/bin/sh\necho "$$ $@"\n')
    java.chmod(java.stat().st_mode | stat.S_IEXEC)
    entry = [sys.executable, "-m", "deftunes_lake.pod", "deftunes-transform"]
    environment = os.environ | EXECUTOR | {"JAVA_HOME": str(tmp_path)}
    with subprocess.Popen([*entry, "executor"], env=environment, stdout=subprocess.PIPE, text=True) as process:
        shown, _ = process.communicate(timeout=60)
    # the same process: a signal to the pod reaches the JVM
    assert shown.split()[0] == str(process.pid)
    assert BACKEND in shown
    done = subprocess.run([*entry, "--help"], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, "usage: deftunes-transform" in done.stdout) == (0, True)
