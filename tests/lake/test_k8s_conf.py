"""A driver in a pod: what Spark is told, and what an executor's pod starts."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from deftunes_contract.errors import UsageError
from deftunes_contract.settings import from_environment
from deftunes_lake.entrypoint import BACKEND, OPTIONS, executor_command
from deftunes_lake.k8s_conf import LONGEST_PREFIX, ExecutorSettings, executor_conf, protection_conf

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


def test_executors_are_labelled_with_what_the_driver_is_about(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "labels"
    file.write_text(
        'app.kubernetes.io/component="transform"\ndeftunes.io/entity="users_sessions"\ndeftunes.io/run-id="june-1"\n'
        'deftunes.io/interval=""\ndeftunes.io/spark-driver="true"\ndeftunes.io/workload="transform-api"',
        encoding="utf-8",
    )
    prefix = "spark.kubernetes.executor.label."
    conf = _conf(monkeypatch, DEFTUNES_SPARK_EXECUTOR_LABELS_FILE=str(file))
    labels = {name.removeprefix(prefix): value for name, value in conf.items() if name.startswith(prefix)}
    assert labels == {"deftunes.io/entity": "users_sessions", "deftunes.io/run-id": "june-1"}
    assert not any(name.startswith(prefix) for name in _conf(monkeypatch, DEFTUNES_SPARK_EXECUTOR_LABELS_FILE=""))


def test_a_long_pod_name_still_gives_a_prefix_that_spark_and_kubernetes_accept(monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = _conf(monkeypatch, POD_NAME="a-very-long-release-name-of-somebody-" + "9" * 20 + "-transform-api-x")[
        "spark.kubernetes.executor.podNamePrefix"
    ]
    assert 0 < len(prefix) <= LONGEST_PREFIX
    assert prefix[0].isalpha()


def test_driver_and_executors_authenticate_and_encrypt(monkeypatch: pytest.MonkeyPatch) -> None:
    conf = _conf(monkeypatch, DEFTUNES_SPARK_SECRET_FILE="/etc/secret")
    on = ("spark.authenticate", "spark.network.crypto.enabled", "spark.io.encryption.enabled")
    assert {name: conf[name] for name in on} == dict.fromkeys(on, "true")
    assert conf["spark.network.crypto.saslFallback"] == "false"
    # by a file: an environment variable of the executor is read by everybody who may look at its pod
    assert conf["spark.authenticate.secret.file"] == "/etc/secret"
    assert not [name for name in conf if name.endswith("authenticate.secret")]
    # nobody has to name a file to be protected
    bare = _conf(monkeypatch, DEFTUNES_SPARK_SECRET_FILE="")
    assert bare == {name: value for name, value in conf.items() if name != "spark.authenticate.secret.file"}


def test_a_driver_makes_nothing_but_pods(monkeypatch: pytest.MonkeyPatch) -> None:
    """The chart's Role grants nothing else; with Spark's defaults every run would be refused at its ConfigMap."""
    conf = _conf(monkeypatch)
    assert conf["spark.kubernetes.executor.disableConfigMap"] == "true"
    never = ("service.deleteOnTermination", "ownPersistentVolumeClaim", "reusePersistentVolumeClaim")
    assert {conf[f"spark.kubernetes.driver.{name}"] for name in never} == {"false"}


SHUFFLE = """
import json, pathlib, socket, struct, sys
from pyspark.sql import SparkSession
builder = SparkSession.builder.master("local[1]")
for key, value in json.loads(sys.argv[1]).items():
    builder = builder.config(key, value)
spark = builder.getOrCreate()
rows = spark.range(2000).selectExpr("id", "concat('a-name-to-look-for-', id) as name").repartition(2, "id")
assert rows.groupBy("name").count().count() == 2000
files = [file for file in pathlib.Path(spark.conf.get("spark.local.dir")).rglob("shuffle_*.data")]
answer, body = b"", b"let me in"
with socket.create_connection(("127.0.0.1", int(spark.conf.get("spark.driver.port"))), timeout=10) as stranger:
    # an RpcRequest: length of the frame, type 3, id of the request, length of the body
    stranger.sendall(struct.pack(">qbqi", 21 + len(body), 3, 1, len(body)) + body)
    stranger.settimeout(5)
    try:
        while part := stranger.recv(4096):
            answer += part
        closed = True
    except TimeoutError:
        closed = False
shown = sum(b"a-name-to-look-for-" in file.read_bytes() for file in files)
print(json.dumps({"files": len(files), "shown": shown, "closed": closed, "answer": answer.decode(errors="replace")}))
"""


@pytest.mark.parametrize("protected", [True, False])
def test_a_stranger_is_refused_and_reads_no_shuffled_row(tmp_path: Path, protected: bool) -> None:
    """Spark itself, with our settings; and without them, so that it is they that protect."""
    conf = {"spark.local.dir": str(tmp_path), "spark.shuffle.compress": "false", "spark.ui.enabled": "false"}
    conf |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    conf |= protection_conf() if protected else {}
    command = [sys.executable, "-c", SHUFFLE, json.dumps(conf)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["files"] > 0
    assert (seen["shown"] == 0) is protected
    assert seen["closed"] is protected
    assert ("Unknown challenge message" in seen["answer"]) is protected


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


def test_an_executor_reads_the_secret_from_the_file_that_its_driver_names() -> None:
    """Spark's SecurityManager looks at the file only if spark.master says k8s://, which executors are not told."""
    named = EXECUTOR | {"SPARK_JAVA_OPT_1": "-Dspark.authenticate.secret.file=/etc/secret"}
    told = [
        [option for option in executor_command(env, "java", Path()) if "master" in option] for env in (named, EXECUTOR)
    ]
    assert told == [["-Dspark.master=k8s://driver"], []]


def test_an_executor_started_by_hand_says_what_starts_it() -> None:
    with pytest.raises(UsageError, match="SPARK_DRIVER_URL.*started by a driver"):
        executor_command({}, "java", Path("/spark/jars"))


def test_the_entry_point_becomes_java_or_the_stage(tmp_path: Path) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text('#!/bin/sh\necho "$$ $@"\n')
    java.chmod(java.stat().st_mode | stat.S_IEXEC)
    entry = [sys.executable, "-m", "deftunes_lake.entrypoint", "deftunes-transform"]
    environment = os.environ | EXECUTOR | {"JAVA_HOME": str(tmp_path)}
    with subprocess.Popen([*entry, "executor"], env=environment, stdout=subprocess.PIPE, text=True) as process:
        shown, _ = process.communicate(timeout=60)
    # the same process: a signal to the pod reaches the JVM
    assert shown.split()[0] == str(process.pid)
    assert BACKEND in shown
    done = subprocess.run([*entry, "--help"], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, "usage: deftunes-transform" in done.stdout) == (0, True)
