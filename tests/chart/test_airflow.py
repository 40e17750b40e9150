"""Airflow in the chart: what its pods run, wait for and read, how it is set up, and how its keys are kept.

Not here, because `helm template` has no cluster: that `lookup` finds the keys of the release before, and that
`helm install --wait` ends when Airflow answers.
"""

import base64
import binascii
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

SERVERS = ("api-server", "scheduler", "dag-processor", "triggerer")
IMAGE = Path(__file__).parents[2] / "airflow"
KEYS = {"jwt-secret", "fernet-key", "session-secret"}


def _pods(release: Any) -> dict[str, Any]:
    """Pods of Airflow's image by component."""
    pods = [pod for pod in release.pods if "/airflow" in pod.container["image"]]
    return {pod.labels["app.kubernetes.io/component"].removeprefix("airflow-"): pod for pod in pods}


def _settings(release: Any, pod: Any) -> dict[str, str]:
    """What the pod reads from ConfigMaps."""
    names = [source["configMapRef"]["name"] for source in pod.container["envFrom"]]
    return {key: value for name in names for key, value in release.of("ConfigMap")[name]["data"].items()}


def test_without_airflow_there_is_nothing_of_it(evaluation: Any, plain: Any) -> None:
    for release in (evaluation, plain):
        assert [d["metadata"]["name"] for d in release.all if "airflow" in d["metadata"]["name"]] == []


def test_airflow_is_four_servers_and_a_job(airflow: Any, production: Any) -> None:
    for release in (airflow, production):
        pods = _pods(release)
        assert set(pods) == {*SERVERS, "setup"}
        for name in SERVERS:
            assert pods[name].where == f"Deployment/deftunes-airflow-{name}"
            assert pods[name].container["name"] == name
            assert pods[name].container["args"] == [name]
            assert "command" not in pods[name].container, "the image's entry point is airflow"
    replicas = {name: production.of("Deployment")[f"deftunes-airflow-{name}"]["spec"]["replicas"] for name in SERVERS}
    assert replicas == {"api-server": 2, "scheduler": 2, "dag-processor": 1, "triggerer": 2}
    assert "deftunes-airflow-database" not in production.of("Deployment") | production.of("Service")


def test_servers_start_when_the_tables_are_there(airflow: Any) -> None:
    for name, pod in _pods(airflow).items():
        waiting = pod.spec.get("initContainers", [])
        if name == "setup":
            assert waiting == []
            continue
        (wait,) = waiting
        assert wait["args"] == ["db", "check-migrations", "--migration-wait-timeout", "600"]
        same = ("image", "envFrom", "env", "securityContext", "volumeMounts", "resources")
        assert {key: wait[key] for key in same} == {key: pod.container[key] for key in same}, name
        assert not {"ports", "livenessProbe", "readinessProbe", "startupProbe"} & set(wait), name


def test_the_set_up_is_a_job_of_the_revision_and_no_hook(airflow: Any) -> None:
    (job,) = airflow.of("Job").values()
    assert job["metadata"]["name"] == "deftunes-airflow-setup-1"
    assert not any(key.startswith("helm.sh/hook") for key in job["metadata"].get("annotations", {}))
    spec, pod = job["spec"], _pods(airflow)["setup"]
    assert (spec["backoffLimit"], spec["ttlSecondsAfterFinished"]) == (3, 86400)
    assert spec["activeDeadlineSeconds"] == 4 * pod.spec["activeDeadlineSeconds"]
    assert pod.spec["restartPolicy"] == "Never"
    assert pod.container["command"] == ["tini", "--", "/opt/deftunes/bin/python", "/opt/airflow/bootstrap.py"]
    assert "args" not in pod.container
    values = {name: entry.get("value") for name, entry in pod.env.items()}
    assert values["DEFTUNES_AIRFLOW_ADMIN_USER"] == "admin"
    assert values["DEFTUNES_AIRFLOW_ADMIN_EMAIL"] == "admin@example.invalid"
    (mount,) = [mount for mount in pod.container["volumeMounts"] if mount["name"] == "credentials"]
    assert values["DEFTUNES_AIRFLOW_ADMIN_PASSWORD_FILE"] == f"{mount['mountPath']}/admin-password"


def test_without_accounts_no_user_is_made(rendering: Any) -> None:
    release = rendering("airflow", "airflow.auth=simple")
    setup = _pods(release)["setup"]
    assert [name for name in setup.env if "ADMIN" in name] == []
    assert [volume["name"] for volume in setup.spec["volumes"]] == ["tmp"]
    for pod in _pods(release).values():
        settings = _settings(release, pod)
        assert settings["AIRFLOW__CORE__AUTH_MANAGER"].endswith(".SimpleAuthManager")
        assert settings["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS"] == "True"


def test_each_pod_reads_the_settings_it_needs(airflow: Any) -> None:
    read = {
        name: [source["configMapRef"]["name"].removeprefix("deftunes-airflow-") for source in pod.container["envFrom"]]
        for name, pod in _pods(airflow).items()
    }
    assert read == {
        "api-server": ["settings", "logs"],
        "scheduler": ["settings", "logs", "pipelines"],
        "dag-processor": ["settings", "pipelines"],
        "triggerer": ["settings", "logs"],
        "setup": ["settings"],
    }
    settings = _settings(airflow, _pods(airflow)["scheduler"])
    assert settings["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    assert settings["AIRFLOW__CORE__PARALLELISM"] == "2"
    assert settings["AIRFLOW__CORE__AUTH_MANAGER"].endswith(".FabAuthManager")
    (service,) = [n for n in airflow.of("Service") if n == "deftunes-airflow-api-server"]
    assert settings["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == f"http://{service}:8080/execution/"
    assert "AIRFLOW__API__BASE_URL" not in settings


def test_logs_go_where_the_lake_is_unless_told_otherwise(airflow: Any, production: Any) -> None:
    trial = _settings(airflow, _pods(airflow)["triggerer"])
    assert trial["AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER"] == "s3://lake/airflow-logs"
    assert trial["AWS_ENDPOINT_URL"] == "http://deftunes-cloud:5000"
    assert json.loads(trial["AIRFLOW_CONN_AWS_DEFAULT"]) == {"conn_type": "aws"}
    real = _settings(production, _pods(production)["triggerer"])
    assert real["AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER"] == "s3://example-deftunes-logs/airflow"
    assert (real["AWS_REGION"], real["AWS_DEFAULT_REGION"]) == ("eu-central-1", "eu-central-1")
    assert "AWS_ENDPOINT_URL" not in real
    assert real["AIRFLOW__API__BASE_URL"] == "https://airflow.example"


def test_dags_find_the_pod_templates_and_their_months(airflow: Any, production: Any) -> None:
    for name in ("scheduler", "dag-processor"):
        pod = _pods(airflow)[name]
        settings = _settings(airflow, pod)
        (volume,) = [volume for volume in pod.spec["volumes"] if "configMap" in volume]
        (mount,) = [mount for mount in pod.container["volumeMounts"] if mount["name"] == volume["name"]]
        assert volume["configMap"] == {"name": "deftunes-pod-templates"}
        assert settings["DEFTUNES_POD_TEMPLATES"] == mount["mountPath"]
        assert settings["DEFTUNES_NAMESPACE"] == "trial"
        months = {key: value for key, value in settings.items() if "_PIPELINE_" in key}
        assert months == {
            "DEFTUNES_API_PIPELINE_START": "2020-02-01",
            "DEFTUNES_API_PIPELINE_END": "2020-04-01",
            "DEFTUNES_SONGS_PIPELINE_START": "2020-02-01",
            "DEFTUNES_SONGS_PIPELINE_END": "2020-03-01",
        }
        assert settings["DEFTUNES_MAINTENANCE_SCHEDULE"] == "0 4 * * 0"
    assert _settings(production, _pods(production)["scheduler"])["DEFTUNES_API_PIPELINE_END"] == ""


def test_what_the_image_is_told_it_reads(production: Any) -> None:
    """Every DEFTUNES_ name that Airflow's pods get stands in the image's code; the webhook only in its connection."""
    told = {name for pod in _pods(production).values() for name in _settings(production, pod) | pod.env}
    code = "".join(file.read_text() for file in IMAGE.rglob("*.py") if ".venv" not in file.parts)
    ours = {re.sub("DEFTUNES_(API|SONGS)_PIPELINE_", "_", name) for name in told if name.startswith("DEFTUNES_")}
    assert {name for name in ours if name not in code} == {"DEFTUNES_ALERT_WEBHOOK"}


def test_alerts_are_a_connection_made_of_the_secret(airflow: Any, production: Any) -> None:
    assert not any("ALERT" in name for pod in _pods(airflow).values() for name in pod.env)
    for name, pod in _pods(production).items():
        order = [variable for variable in pod.env if "ALERT" in variable]
        if name not in {"scheduler", "dag-processor"}:
            assert order == [], name
            continue
        # Kubernetes puts in only what stands above
        assert order == ["DEFTUNES_ALERT_WEBHOOK", "AIRFLOW_CONN_DEFTUNES_ALERTS"]
        connection = json.loads(pod.env["AIRFLOW_CONN_DEFTUNES_ALERTS"]["value"])
        assert connection == {"conn_type": "http", "host": "$(DEFTUNES_ALERT_WEBHOOK)"}


@pytest.mark.parametrize(
    ("pair", "changed"),
    [
        ("airflow.parallelism=3", {*SERVERS, "setup"}),
        ("airflow.pipelines.api.end=2020-05-01", {"scheduler", "dag-processor"}),
        ("aws.region=eu-central-1", {"api-server", "scheduler", "triggerer"}),
        ("runId=spring", set()),
    ],
)
def test_pods_start_anew_when_what_they_read_changes(
    airflow: Any, rendering: Any, pair: str, changed: set[str]
) -> None:
    before, after = _pods(airflow), _pods(rendering("airflow", pair))
    sums = [
        {n: pod.manifest["metadata"]["annotations"]["checksum/settings"] for n, pod in p.items()}
        for p in (before, after)
    ]
    assert {name for name in before if sums[0][name] != sums[1][name]} == changed


def test_each_server_is_asked_how_it_is(airflow: Any) -> None:
    pods = {name: pod.container for name, pod in _pods(airflow).items()}
    for name, port, path in (("api-server", 8080, "/api/v2/monitor/health"), ("scheduler", 8974, "/health")):
        ports = {entry["name"]: entry["containerPort"] for entry in pods[name]["ports"]}
        for probe in ("startupProbe", "livenessProbe"):
            asked = pods[name][probe]["httpGet"]
            assert (ports[asked["port"]], asked["path"]) == (port, path)
        assert pods[name]["startupProbe"]["failureThreshold"] * pods[name]["startupProbe"]["periodSeconds"] == 600
    assert pods["api-server"]["readinessProbe"]["httpGet"]["path"] == "/api/v2/monitor/health"
    for name, job in (("dag-processor", "DagProcessorJob"), ("triggerer", "TriggererJob")):
        probe = pods[name]["livenessProbe"]
        assert probe["exec"]["command"] == ["airflow", "jobs", "check", "--job-type", job, "--local"]
        assert (probe["periodSeconds"], probe["timeoutSeconds"]) == (300, 60)


def test_services_lead_to_what_listens(airflow: Any) -> None:
    for name in ("api-server", "database"):
        service = airflow.of("Service")[f"deftunes-airflow-{name}"]["spec"]
        template = airflow.of("Deployment")[f"deftunes-airflow-{name}"]["spec"]["template"]
        assert service["selector"].items() <= template["metadata"]["labels"].items()
        listening = {port["name"]: port["containerPort"] for port in template["spec"]["containers"][0]["ports"]}
        assert {port["targetPort"]: port["port"] for port in service["ports"]} == listening


def test_the_evaluations_database_is_the_simulators(airflow: Any) -> None:
    deployment = airflow.of("Deployment")["deftunes-airflow-database"]["spec"]
    (container,) = deployment["template"]["spec"]["containers"]
    assert deployment["strategy"] == {"type": "Recreate"}
    assert container["image"].endswith("/simulator:0.1.0")
    assert container["args"] == [
        "database", "--host", "0.0.0.0", "--port", "5432", "--name", "airflow",
        "--password-file", "/etc/deftunes/credentials/database-password", "--home", "/tmp/database",
    ]  # fmt: skip
    assert container["readinessProbe"]["tcpSocket"] == {"port": "database"}


def test_a_drain_takes_one_pod_of_a_kind_at_a_time(airflow: Any, rendering: Any) -> None:
    budgets = airflow.of("PodDisruptionBudget")
    assert set(budgets) == {f"deftunes-airflow-{name}" for name in SERVERS}
    for name, budget in budgets.items():
        assert budget["spec"]["maxUnavailable"] == 1
        assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
        chosen = budget["spec"]["selector"]["matchLabels"].items()
        assert chosen <= airflow.of("Deployment")[name]["spec"]["template"]["metadata"]["labels"].items()
    assert rendering("airflow", "airflow.podDisruptionBudgets=false").of("PodDisruptionBudget") == {}


def test_placement_reaches_airflow(rendering: Any) -> None:
    names = [*(f"airflow-{name}" for name in (*SERVERS, "setup", "database"))]
    release = rendering("airflow", *(f"placement.{name}.priorityClassName=p-{name}" for name in names))
    placed = {pod.labels["app.kubernetes.io/component"]: pod.spec.get("priorityClassName") for pod in release.pods}
    assert {name: placed[name] for name in names} == {name: f"p-{name}" for name in names}


def _made(release: Any) -> dict[str, str]:
    secret = release.of("Secret")["deftunes-airflow-keys"]
    return {key: base64.b64decode(value, validate=True).decode() for key, value in secret["data"].items()}


def test_keys_are_made_strong_and_by_chance(airflow: Any, rendering: Any) -> None:
    made, again = _made(airflow), _made(rendering("airflow", "runId=spring"))
    assert set(made) == KEYS
    assert not set(made.values()) & set(again.values())
    assert len(binascii.a2b_base64(made["fernet-key"].translate(str.maketrans("-_", "+/")))) == 32
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}=", made["fernet-key"]), "Fernet's alphabet is that of URLs"
    # HS512, with which Airflow signs, wants 64 bytes
    assert len(made["jwt-secret"]) == len(made["session-secret"]) == 64


def test_given_keys_are_taken_and_none_made(production: Any) -> None:
    assert production.of("Secret") == {}
    names = {
        entry["valueFrom"]["secretKeyRef"]["name"]
        for pod in _pods(production).values()
        for entry in pod.env.values()
        if entry.get("valueFrom", {}).get("secretKeyRef", {}).get("key") in KEYS
    }
    assert names == {"deftunes-airflow-keys"}


@pytest.mark.parametrize("key", sorted(KEYS))
def test_a_key_that_is_there_is_kept(chart: Any, examples: Any, tmp_path: Path, key: str) -> None:
    """A copy of the chart that finds one key where it would look into the cluster."""
    copy = Path(shutil.copytree(chart.folder, tmp_path / "deftunes"))
    file = copy / "templates" / "airflow-keys-secret.yaml"
    looking = '(lookup "v1" "Secret" .Release.Namespace (include "deftunes.airflowKeys" .))'
    assert file.read_text().count(looking) == 1
    file.write_text(file.read_text().replace(looking, '(dict "data" (dict "' + key + '" ("kept" | b64enc)))'))
    made = _made(replace(chart, folder=copy).render(*examples("airflow")))
    assert made.pop(key) == "kept"
    assert set(made) == KEYS - {key}, "a key that is missing is made"
    assert all(len(value) >= 44 for value in made.values())
