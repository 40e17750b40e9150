"""Pods: all of them restricted, described once, with the arguments their stage takes."""

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest

WORKLOADS = {
    "extract-users": ("extract", ["users"]),
    "extract-sessions": ("extract", ["sessions"]),
    "extract-songs": ("extract", ["songs"]),
    "transform-api": ("transform", ["users", "sessions"]),
    "transform-songs": ("transform", ["songs"]),
    "quality-api": ("quality", ["users", "sessions"]),
    "quality-songs": ("quality", ["songs"]),
    "publish-api": ("lake", ["publish", "users", "sessions"]),
    "publish-songs": ("lake", ["publish", "songs"]),
    "dbt": ("dbt", ["build"]),
    "verify": ("verify", ["users", "sessions", "songs"]),
    "maintain": ("lake", ["maintain"]),
}
WHEN = ["--start", "2020-01-01", "--end", "2020-02-01", "--run-id", "manual"]
# https://kubernetes.io/docs/concepts/security/pod-security-standards/
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}


def violations(spec: dict[str, Any]) -> list[str]:
    """What the restricted standard, baseline included, has against a pod."""
    pod = spec.get("securityContext", {})
    found = [f"{name}: true" for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)]
    found += [f"volume {v['name']}" for v in spec.get("volumes", []) if not set(v) - {"name"} <= VOLUMES]
    found += ["sysctls"] if pod.get("sysctls") else []
    for container in [*spec["containers"], *spec.get("initContainers", []), *spec.get("ephemeralContainers", [])]:
        own = container.get("securityContext", {})
        both = pod | own
        capabilities = own.get("capabilities", {})
        checks = {
            "privileged": not own.get("privileged"),
            "hostPort": not any(port.get("hostPort") for port in container.get("ports", [])),
            "procMount": own.get("procMount", "Default") == "Default",
            "seLinuxOptions": not both.get("seLinuxOptions"),
            "appArmorProfile": both.get("appArmorProfile", {}).get("type", "RuntimeDefault") != "Unconfined",
            "windowsOptions": not both.get("windowsOptions", {}).get("hostProcess"),
            "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is False,
            "runAsNonRoot": both.get("runAsNonRoot") is True,
            "runAsUser": both.get("runAsUser") != 0,
            "seccompProfile": both.get("seccompProfile", {}).get("type") in {"RuntimeDefault", "Localhost"},
            "drop": "ALL" in capabilities.get("drop", []),
            "add": set(capabilities.get("add", [])) <= {"NET_BIND_SERVICE"},
        }
        found += [name for name, good in checks.items() if not good]
    return found


def test_every_pod_is_restricted(release: Any) -> None:
    assert len(release.pods) >= 2 * len(WORKLOADS) + 2
    assert {pod.where: violations(pod.spec) for pod in release.pods if violations(pod.spec)} == {}


def _container(**context: Any) -> Callable[[dict[str, Any]], None]:
    return lambda spec: spec["containers"][0]["securityContext"].update(context)


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("hostNetwork: true", lambda spec: spec.update(hostNetwork=True)),
        ("volume host", lambda spec: spec["volumes"].append({"name": "host", "hostPath": {"path": "/"}})),
        ("runAsNonRoot", lambda spec: spec["securityContext"].pop("runAsNonRoot")),
        ("runAsUser", lambda spec: spec["securityContext"].update(runAsUser=0)),
        ("seccompProfile", lambda spec: spec["securityContext"].pop("seccompProfile")),
        ("seccompProfile", _container(seccompProfile={"type": "Unconfined"})),
        ("privileged", _container(privileged=True)),
        ("allowPrivilegeEscalation", lambda spec: spec["containers"][0]["securityContext"].clear()),
        ("drop", _container(capabilities={})),
        ("add", _container(capabilities={"drop": ["ALL"], "add": ["SYS_ADMIN"]})),
        ("hostPort", lambda spec: spec["containers"][0].update(ports=[{"hostPort": 80}])),
    ],
)
def test_the_check_itself_sees_a_spoiled_pod(evaluation: Any, name: str, spoil: Callable[[Any], None]) -> None:
    spec = copy.deepcopy(evaluation.templates["extract-users"].spec)
    spoil(spec)
    assert name in violations(spec)


def test_every_pod_can_write_to_tmp_only_and_to_no_end(release: Any) -> None:
    for pod in release.pods:
        for container in pod.containers:
            mounts = container["volumeMounts"]
            assert container["securityContext"]["readOnlyRootFilesystem"] is True, pod.where
            assert [mount["mountPath"] for mount in mounts if not mount.get("readOnly")] == ["/tmp"], pod.where
            (tmp,) = [mount["name"] for mount in mounts if mount["mountPath"] == "/tmp"]
            (volume,) = [volume for volume in pod.spec["volumes"] if volume["name"] == tmp]
            assert volume["emptyDir"]["sizeLimit"], pod.where
        assert pod.env["HOME"]["value"] == "/tmp", pod.where
        user = {pod.spec["securityContext"][name] for name in ("runAsUser", "runAsGroup", "fsGroup")}
        assert user == {10001}, pod.where


def test_no_pod_gets_service_links_and_only_what_makes_pods_a_token(release: Any) -> None:
    for pod in release.pods:
        assert pod.spec["enableServiceLinks"] is False, pod.where
        drives = pod.env.get("DEFTUNES_SPARK_MASTER", {}).get("value", "").startswith("k8s://")
        makes = drives or pod.labels["app.kubernetes.io/component"] in {"airflow-scheduler", "airflow-triggerer"}
        assert pod.spec["automountServiceAccountToken"] is makes, pod.where


def test_a_failed_pod_keeps_its_last_words(release: Any) -> None:
    for pod in release.pods:
        kept = {container["terminationMessagePolicy"] for container in pod.containers}
        assert kept == {"FallbackToLogsOnError"}, pod.where


def test_every_pod_asks_for_what_it_needs(release: Any) -> None:
    """Spark sets the executors' from its own settings."""
    for pod in release.pods:
        for container in pod.containers:
            if container["name"] != "executor":
                resources = container["resources"]
                assert resources["requests"]["cpu"], pod.where
                assert resources["limits"] == {"memory": resources["requests"]["memory"]}, pod.where
        assert pod.spec["terminationGracePeriodSeconds"] > 0, pod.where


def test_images_are_versions_or_digests(release: Any) -> None:
    for pod in release.pods:
        (image,) = {container["image"] for container in pod.containers}
        assert re.search(r"(:[0-9]+\.[0-9]+\.[0-9]+|@sha256:[0-9a-f]{64})$", image), (pod.where, image)
        assert pod.container["imagePullPolicy"] == "IfNotPresent", pod.where


def test_a_registry_and_a_digest_become_the_image(production: Any) -> None:
    registry = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/deftunes"
    assert production.templates["extract-users"].container["image"] == f"{registry}/extract:0.1.0"
    transform = production.templates["transform-api"]
    assert re.fullmatch(f"{registry}/transform@sha256:[0-9a-f]{{64}}", transform.container["image"])
    assert transform.env["DEFTUNES_SPARK_EXECUTOR_IMAGE"]["value"] == transform.container["image"]


def test_cronjobs_are_the_workloads_and_never_start_by_themselves(release: Any) -> None:
    jobs = release.of("CronJob")
    assert set(jobs) == {f"deftunes-{name}" for name in WORKLOADS}
    for name, (stage, what) in WORKLOADS.items():
        spec = jobs[f"deftunes-{name}"]["spec"]
        pod = release.templates[name]
        assert (spec["suspend"], spec["schedule"]) == (True, "0 3 1 * *")
        assert pod.container["name"] == "stage"
        image = "dbt" if stage == "verify" else stage
        assert re.search(rf"/{image}[:@]", pod.container["image"])
        assert ("command" in pod.container) is (stage == "verify"), "the image's entry point is the stage"
        assert pod.container["args"] == what + ([] if name == "maintain" else WHEN)
        assert pod.spec["serviceAccountName"] == f"deftunes-{stage}"
        assert pod.container["envFrom"] == [{"configMapRef": {"name": "deftunes-settings"}}]


def test_another_interval_and_run_arrive(rendering: Any) -> None:
    release = rendering("plain", "interval.start=2021-03-01", "interval.end=2021-04-01", "runId=spring")
    args = release.templates["dbt"].container["args"]
    assert args == ["build", "--start", "2021-03-01", "--end", "2021-04-01", "--run-id", "spring"]


def test_a_job_gives_up_where_trying_again_cannot_help(release: Any) -> None:
    for name, job in release.of("CronJob").items():
        spec = job["spec"]["jobTemplate"]["spec"]
        assert spec["backoffLimit"] == 3, name
        assert spec["ttlSecondsAfterFinished"] == 86400, name
        assert spec["template"]["spec"]["restartPolicy"] == "Never", name
        assert spec["activeDeadlineSeconds"] == 4 * spec["template"]["spec"]["activeDeadlineSeconds"], name
        codes = {"containerName": "stage", "operator": "In", "values": [2, 65, 99]}
        assert spec["podFailurePolicy"]["rules"] == [
            {"action": "FailJob", "onExitCodes": codes},
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        ], name


def test_the_cronjobs_pod_is_the_pod_template(release: Any) -> None:
    templates = {pod.where.rpartition("/")[2]: pod for pod in release.pods if "/deftunes-pod-templates/" in pod.where}
    assert set(templates) == {f"{name}.yaml" for name in WORKLOADS}
    for name, pod in release.templates.items():
        manifest = copy.deepcopy(templates[f"{name}.yaml"].manifest)
        assert (manifest.pop("apiVersion"), manifest.pop("kind")) == ("v1", "Pod")
        assert manifest["metadata"].pop("name") == f"deftunes-{name}"
        assert manifest == pod.manifest, name


def test_executors_are_like_their_driver(evaluation: Any) -> None:
    (executor,) = [pod for pod in evaluation.pods if pod.where == "ConfigMap/deftunes-executor/executor.yaml"]
    driver = evaluation.templates["transform-songs"]
    assert executor.container["name"] == "executor"
    assert "args" not in executor.container
    assert executor.labels["app.kubernetes.io/component"] == "executor"
    assert executor.spec["serviceAccountName"] == "deftunes-executor"
    for same in ("image", "envFrom", "securityContext"):
        assert executor.container[same] == driver.container[same]
    assert {name: driver.env[name] for name in executor.env} == executor.env
    assert executor.spec["securityContext"] == driver.spec["securityContext"]
    assert executor.container["volumeMounts"][0]["name"].startswith("spark-local-dir-"), "Spark would add its own"


def test_drivers_know_what_to_make_and_where_they_are(evaluation: Any) -> None:
    for name, pod in evaluation.templates.items():
        if not name.startswith("transform-"):
            assert not any(key.startswith(("DEFTUNES_SPARK_EXECUTOR", "POD_")) for key in pod.env), name
            continue
        fields = {key: pod.env[key]["valueFrom"]["fieldRef"]["fieldPath"] for key in pod.env if key.startswith("POD_")}
        where = {"POD_NAME": "metadata.name", "POD_NAMESPACE": "metadata.namespace", "POD_IP": "status.podIP"}
        assert fields == where
        values = {key: entry.get("value") for key, entry in pod.env.items()}
        assert values["DEFTUNES_SPARK_MASTER"] == "k8s://https://kubernetes.default.svc"
        assert (values["DEFTUNES_SPARK_EXECUTORS_MIN"], values["DEFTUNES_SPARK_EXECUTORS_MAX"]) == ("2", "2")
        (mount,) = [m for m in pod.container["volumeMounts"] if m["name"] == "executor"]
        assert values["DEFTUNES_SPARK_EXECUTOR_TEMPLATE"] == f"{mount['mountPath']}/executor.yaml"
        assert {port["containerPort"] for port in pod.container["ports"]} == {7078, 7079}
        assert pod.manifest["metadata"]["annotations"]["karpenter.sh/do-not-disrupt"] == "true"


def test_without_executors_spark_is_one_process(plain: Any) -> None:
    spark = {name for name, pod in plain.templates.items() if "DEFTUNES_SPARK_MASTER" in pod.env}
    assert spark == {name for name, (stage, _) in WORKLOADS.items() if stage in {"lake", "transform", "quality"}}
    assert {plain.templates[name].env["DEFTUNES_SPARK_MASTER"]["value"] for name in spark} == {"local[*]"}
    assert "deftunes-executor" not in plain.of("ConfigMap") | plain.of("ServiceAccount")


def test_placement_reaches_drivers_and_executors(production: Any) -> None:
    (executor,) = [pod for pod in production.pods if pod.where.endswith("/executor.yaml")]
    assert executor.spec["nodeSelector"] == {"karpenter.sh/capacity-type": "spot"}
    assert executor.spec["tolerations"][0]["key"] == "spot"
    driver = production.templates["transform-api"].spec
    assert driver["nodeSelector"] == {"karpenter.sh/capacity-type": "on-demand"}
    assert driver["priorityClassName"] == "batch-driver"
    assert "nodeSelector" not in production.templates["dbt"].spec


def test_a_spark_application_runs_the_same_driver(production: Any) -> None:
    applications = {pod.where.rpartition("/")[2]: pod for pod in production.pods if "spark-application" in pod.where}
    assert set(applications) == {"transform-api.yaml", "transform-songs.yaml"}
    for file, pod in applications.items():
        stage = copy.deepcopy(production.templates[file.removesuffix(".yaml")].manifest)
        args = stage["spec"]["containers"][0].pop("args")
        quoted = " ".join(f"'{argument}'" for argument in args)
        stage["spec"]["containers"][0]["command"] = [
            "/bin/sh", "-c", f"exec /opt/deftunes/bin/deftunes-transform {quoted}",
        ]  # fmt: skip
        assert pod.manifest == stage


def test_helm_tests_are_stage_pods_that_leave(release: Any) -> None:
    tests = release.of("Pod")
    assert set(tests) == {"deftunes-test-lake", "deftunes-test-extract"}
    for pod in tests.values():
        hooks = pod["metadata"]["annotations"]
        assert hooks["helm.sh/hook"] == "test"
        assert hooks["helm.sh/hook-delete-policy"] == "before-hook-creation,hook-succeeded"
        assert pod["spec"]["activeDeadlineSeconds"] == 300
    assert tests["deftunes-test-lake"]["spec"]["containers"][0]["args"] == ["status", "--json"]
    compile(tests["deftunes-test-extract"]["spec"]["containers"][0]["args"][0], "the extract test", "exec")


def test_verify_is_a_pod_of_the_serving_image_that_makes_no_pods(release: Any) -> None:
    pod = release.templates["verify"]
    assert pod.container["image"].rpartition("/")[2].startswith("dbt")
    assert pod.container["command"] == ["tini", "--", "deftunes-verify"]
    assert pod.spec["automountServiceAccountToken"] is False
    assert pod.spec["serviceAccountName"] == "deftunes-verify"
    subjects = [subject["name"] for binding in release.of("RoleBinding").values() for subject in binding["subjects"]]
    assert "deftunes-verify" not in subjects
    assert not any(name.startswith("DEFTUNES_SPARK") for name in pod.env)
