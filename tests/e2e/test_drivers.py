"""What a driver's pod may do, by trying it with that pod's own token, and what a stranger hears from Spark's ports.

First a pod that Spark itself would make is let through; then each change of it is refused, and by the policy alone.
"""

from __future__ import annotations

import copy
import json
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from walk import Shell

NAMESPACE = "deftunes"
STRANGER = """
import os, socket, struct, sys
body = b"let me in"
for port in (7078, 7079):
    answer = b""
    with socket.create_connection((os.environ["POD_IP"], port), timeout=10) as stranger:
        # an RpcRequest: length of the frame, type 3, id of the request, length of the body
        stranger.sendall(struct.pack(">qbqi", 21 + len(body), 3, 1, len(body)) + body)
        while part := stranger.recv(4096):
            answer += part
    print(port, "Unknown challenge message" in answer.decode(errors="replace"))
"""


class Driver:
    """A pod with the driver's account, and kubectl with that pod's token."""

    def __init__(self, shell: Shell, pod: dict[str, Any], folder: Path) -> None:
        self.shell, self.pod, self.folder = shell, pod, folder
        config = json.loads(shell.run("kubectl config view --raw --minify --flatten --output json"))
        name = pod["metadata"]["name"]
        account = pod["spec"]["serviceAccountName"]
        bound = f"--bound-object-kind Pod --bound-object-name {name} --bound-object-uid {pod['metadata']['uid']}"
        token = shell.run(f"kubectl create token {account} --namespace {NAMESPACE} --duration 1h {bound}").strip()
        # the person's certificate would win over the token
        config["users"][0]["user"] = {"token": token}
        self.config = folder / "driver.conf"
        self.config.touch(mode=0o600)
        self.config.write_text(json.dumps(config))

    def kubectl(self, command: str) -> tuple[int, str]:
        """Exit code and all that was said."""
        text, _, code = self.shell.try_(
            f"kubectl --kubeconfig {self.config} --namespace {NAMESPACE} {command} 2>&1; echo code=$?", seconds=60
        ).rpartition("code=")
        return int(code), text

    def creates(self, manifest: dict[str, Any]) -> tuple[int, str]:
        """Ask the server to make it: all of admission is asked, nothing is made."""
        file = self.folder / "asked.yaml"
        file.write_text(yaml.safe_dump(manifest))
        return self.kubectl(f"create --dry-run=server --filename {file}")


@pytest.fixture(scope="module")
def driver(walked: Shell, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    """A driver's pod as the chart makes it, that does nothing: its own command is a sleep."""
    job = json.loads(
        walked.run(
            f"kubectl create job idle --namespace {NAMESPACE} --from=cronjob/deftunes-transform-api"
            " --dry-run=client --output json"
        )
    )
    (stage,) = job["spec"]["template"]["spec"]["containers"]
    stage["command"], stage["args"] = ["sleep", "1800"], []
    folder = tmp_path_factory.mktemp("driver")
    (folder / "job.json").write_text(json.dumps(job))
    walked.run(f"kubectl create --filename {folder}/job.json")
    pods = walked.until(
        "the idle driver",
        lambda: [
            pod
            for pod in walked.get("pods --selector=job-name=idle")["items"]
            if pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]
        ],
    )
    # the namespace's pod security would refuse some of it too; the policy must not lean on it
    level = f"kubectl label namespace {NAMESPACE} --overwrite pod-security.kubernetes.io/enforce="
    walked.run(f"{level}privileged")
    yield Driver(walked, pods[0], folder)
    walked.run(f"{level}restricted")
    walked.run(f"kubectl delete job idle --namespace {NAMESPACE} --now")


@pytest.fixture(scope="module")
def executor(walked: Shell, driver: Driver) -> dict[str, Any]:
    """What Spark makes of the chart's template: a name, the owner, its own labels, image, arguments, memory."""
    text = walked.get("configmap/deftunes-executor")["data"]["executor.yaml"]
    pod: dict[str, Any] = yaml.safe_load(text)
    owner = {"apiVersion": "v1", "kind": "Pod", "controller": True}
    pod["metadata"] |= {
        "name": "tried-exec-1",
        "namespace": NAMESPACE,
        "ownerReferences": [owner | {key: driver.pod["metadata"][key] for key in ("name", "uid")}],
    }
    pod["metadata"]["labels"] |= {"spark-role": "executor", "spark-exec-id": "1"}
    (container,) = pod["spec"]["containers"]
    container["args"] = ["executor"]
    container["resources"] = {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "256Mi"}}
    return pod


def test_a_pod_like_sparks_own_is_let_through(driver: Driver, executor: dict[str, Any]) -> None:
    code, said = driver.creates(executor)
    assert code == 0, said


def _spec(**changed: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda pod: pod["spec"].update(changed)


def _container(**changed: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda pod: pod["spec"]["containers"][0].update(changed)


def _context(**changed: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda pod: pod["spec"]["containers"][0]["securityContext"].update(changed)


def _volume(**source: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda pod: pod["spec"]["volumes"].append({"name": "tried", **source})


def _variable(**source: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda pod: pod["spec"]["containers"][0]["env"].append({"name": "TRIED", "valueFrom": source})


def _second(pod: dict[str, Any]) -> None:
    pod["spec"]["containers"].append(copy.deepcopy(pod["spec"]["containers"][0]) | {"name": "second"})


SPOILED: dict[str, Callable[[dict[str, Any]], Any]] = {
    "another image": _container(image="docker.io/library/busybox:1.36"),
    "another image of ours": _container(image="deftunes.local/deftunes/extract:0.1.0"),
    "a second container": _second,
    "an init container": lambda pod: pod["spec"].update(
        initContainers=[copy.deepcopy(pod["spec"]["containers"][0]) | {"name": "first"}]
    ),
    "a Secret mounted": _volume(secret={"secretName": "deftunes-credentials"}),
    "a Secret projected": _volume(projected={"sources": [{"secret": {"name": "deftunes-credentials"}}]}),
    "a token projected": _volume(projected={"sources": [{"serviceAccountToken": {"path": "token"}}]}),
    "a ConfigMap mounted": _volume(configMap={"name": "deftunes-pod-templates"}),
    "a claim mounted": _volume(persistentVolumeClaim={"claimName": "somebody-s"}),
    "the host's files": _volume(hostPath={"path": "/"}),
    "a key of a Secret": _variable(secretKeyRef={"name": "deftunes-credentials", "key": "songs-dsn"}),
    "a key of another Secret": _variable(secretKeyRef={"name": "deftunes-airflow", "key": "aws-access-key-id"}),
    "a whole Secret": _container(envFrom=[{"secretRef": {"name": "deftunes-credentials"}}]),
    "another account": _spec(serviceAccountName="deftunes-extract"),
    "its own account": _spec(serviceAccountName="deftunes-transform"),
    "a token": _spec(automountServiceAccountToken=True),
    "the host's network": _spec(hostNetwork=True),
    "the host's processes": _spec(hostPID=True),
    "a chosen node": _spec(nodeName="deftunes"),
    "root": lambda pod: pod["spec"]["securityContext"].update(runAsUser=0, runAsNonRoot=False),
    "no seccomp": lambda pod: pod["spec"]["securityContext"].update(seccompProfile={"type": "Unconfined"}),
    "privileged": _context(privileged=True, allowPrivilegeEscalation=True),
    "escalation": _context(allowPrivilegeEscalation=True),
    "a capability": _context(capabilities={"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}),
    "a writable root": _context(readOnlyRootFilesystem=False),
    "labels of a driver": lambda pod: pod["metadata"]["labels"].update({"deftunes.io/spark-driver": "true"}),
    "labels of another component": lambda pod: pod["metadata"]["labels"].update(
        {"app.kubernetes.io/component": "extract"}
    ),
    "no owner": lambda pod: pod["metadata"].pop("ownerReferences"),
    "another owner": lambda pod: pod["metadata"]["ownerReferences"][0].update(
        uid="0b6a7f0e-0000-4000-8000-000000000000"
    ),
}


@pytest.mark.parametrize("change", SPOILED)
def test_any_other_pod_is_refused(driver: Driver, executor: dict[str, Any], change: str) -> None:
    pod = copy.deepcopy(executor)
    SPOILED[change](pod)
    code, said = driver.creates(pod)
    assert code != 0, f"made a pod with {change}"
    by_flag = "disallowed by cluster policy"  # --allow-privileged, which the cluster of our own leaves off
    assert "ValidatingAdmissionPolicy 'deftunes-driver.deftunes'" in said or by_flag in said, said


def test_what_is_not_its_own_stays(walked: Shell, driver: Driver) -> None:
    for kind in ("configmap", "secret", "service", "persistentvolumeclaim", "job"):
        code, said = driver.kubectl(f"delete {kind} --all --dry-run=server")
        assert code != 0, kind
        assert "forbidden" in said, said
    shop = walked.get("pods --selector=app.kubernetes.io/component=shop")["items"][0]["metadata"]["name"]
    for pod in (shop, driver.pod["metadata"]["name"]):
        code, said = driver.kubectl(f"delete pod {pod} --dry-run=server")
        assert code != 0, pod
        assert "its own executors only" in said, said
    # all at once is asked one by one
    code, said = driver.kubectl("delete --raw /api/v1/namespaces/deftunes/pods?dryRun=All")
    assert code != 0
    assert "its own executors only" in said, said


def test_a_person_with_the_accounts_token_only_makes_nothing(walked: Shell, executor: dict[str, Any]) -> None:
    """A token that no pod holds names no driver: impersonating the account is not enough."""
    account = "system:serviceaccount:deftunes:deftunes-transform"
    pod = shlex.quote(json.dumps(executor))
    said = walked.try_(f"echo {pod} | kubectl create --as {account} --dry-run=server --filename - 2>&1")
    assert "the calling driver" in said


def test_a_stranger_is_refused_by_spark_and_no_pod_shows_the_secret(walked: Shell) -> None:
    job = "guarded"
    walked.run(f"kubectl create job {job} --namespace {NAMESPACE} --from=cronjob/deftunes-transform-api")

    def working() -> tuple[str, list[dict[str, Any]]] | None:
        drivers = walked.get(f"pods --selector=job-name={job}")["items"]
        executors = [
            pod
            for pod in walked.get("pods --selector=spark-role=executor")["items"]
            if drivers and pod["metadata"]["ownerReferences"][0]["uid"] == drivers[0]["metadata"]["uid"]
        ]
        running = [pod for pod in executors if pod["status"]["phase"] == "Running"]
        return (drivers[0]["metadata"]["name"], executors) if len(running) >= 2 else None

    name, executors = walked.until("a driver and two executors", working, 180)
    heard = walked.run(f"kubectl exec --namespace {NAMESPACE} {name} -- python -c {shlex.quote(STRANGER)}")
    assert heard.split() == ["7078", "True", "7079", "True"]
    for pod in executors:
        (container,) = pod["spec"]["containers"]
        given = {entry["name"]: entry for entry in container["env"]}
        assert "_SPARK_AUTH_SECRET" not in given
        assert any("spark.authenticate=true" in entry.get("value", "") for entry in given.values())
        assert [volume["secret"]["secretName"] for volume in pod["spec"]["volumes"] if "secret" in volume] == [
            "deftunes-spark-rpc"
        ]
    walked.run(f"kubectl wait job/{job} --namespace {NAMESPACE} --for=condition=complete --timeout=5m", 320)
    log = walked.run(f"kubectl logs --namespace {NAMESPACE} {name}")
    assert "Forbidden" not in log
    assert "forbidden" not in log
