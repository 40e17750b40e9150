"""Access: who may make pods, who may talk to whom, which secrets reach which pod, and what an evaluation brings."""

import re
from typing import Any

import pytest

NAME, INSTANCE, COMPONENT = (f"app.kubernetes.io/{last}" for last in ("name", "instance", "component"))
STAGES = {"extract", "transform", "quality", "lake", "dbt", "verify"}
FILES = ("songs-password-file", "songs-password", "password-file", "database-password")
"""Arguments that say where a password is, not which."""
SERVERS = ("api-server", "scheduler", "dag-processor", "triggerer")


def _covers(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    assert set(selector) <= {"matchLabels"}
    return selector.get("matchLabels", {}).items() <= labels.items()


def _opens(release: Any, side: str, own: dict[str, str], other: dict[str, str] | str, port: int) -> bool:
    """Whether a policy of the pod's lets it talk to (egress) or be called by (ingress) the other: labels or a CIDR."""
    policies = [p["spec"] for p in release.of("NetworkPolicy").values() if _covers(p["spec"]["podSelector"], own)]
    assert any(side.capitalize() in policy["policyTypes"] for policy in policies), "closed by nobody"
    for rule in [rule for policy in policies for rule in policy.get(side) or []]:
        if "ports" in rule and port not in {entry["port"] for entry in rule["ports"]}:
            continue
        peers = rule.get("to" if side == "egress" else "from")
        if not peers:
            return True
        for peer in peers:
            if "ipBlock" in peer and peer["ipBlock"]["cidr"] == other:
                return True
            if "podSelector" in peer and isinstance(other, dict) and _covers(peer["podSelector"], other):
                return True
    return False


def _labels(release: Any) -> dict[str, dict[str, str]]:
    """Labels of one pod per component."""
    return {pod.labels[COMPONENT]: pod.labels for pod in release.pods}


def _reaches(release: Any, source: str, target: str, port: int) -> bool:
    labels = _labels(release)
    return _opens(release, "egress", labels[source], labels[target], port) and _opens(
        release, "ingress", labels[target], labels[source], port
    )


@pytest.mark.parametrize(
    ("source", "target", "port", "open_"),
    [
        *[(stage, "cloud", 5000, True) for stage in (*sorted(STAGES), "executor")],
        ("extract", "shop", 8000, True),
        ("extract", "shop", 5432, True),
        ("transform", "executor", 7079, True),
        ("executor", "transform", 7078, True),
        ("executor", "transform", 7079, True),
        ("executor", "executor", 7079, True),
        *[
            (stage, "shop", port, False)
            for stage in ("transform", "dbt", "verify", "executor")
            for port in (8000, 5432)
        ],
        ("shop", "cloud", 5000, False),
        ("extract", "executor", 7079, False),
        ("extract", "transform", 7078, False),
        ("executor", "transform", 22, False),
        ("transform", "executor", 7078, False),
        ("cloud", "extract", 443, False),
        *[(f"airflow-{name}", "airflow-database", 5432, True) for name in (*SERVERS, "setup")],
        *[(f"airflow-{name}", "cloud", 5000, True) for name in ("api-server", "scheduler", "triggerer")],
        *[(f"airflow-{name}", "cloud", 5000, False) for name in ("dag-processor", "setup", "database")],
        ("airflow-scheduler", "airflow-api-server", 8080, True),
        ("airflow-api-server", "airflow-scheduler", 8793, True),
        ("airflow-api-server", "airflow-triggerer", 8794, True),
        ("airflow-api-server", "airflow-scheduler", 8974, False),
        ("airflow-triggerer", "airflow-scheduler", 8793, False),
        ("airflow-dag-processor", "airflow-api-server", 8080, False),
        ("airflow-scheduler", "shop", 5432, False),
        *[(stage, "airflow-database", 5432, False) for stage in sorted(STAGES)],
        *[(stage, "airflow-api-server", 8080, False) for stage in sorted(STAGES)],
    ],
)
def test_who_reaches_whom_in_an_evaluation(airflow: Any, source: str, target: str, port: int, open_: bool) -> None:
    assert _reaches(airflow, source, target, port) is open_


def test_people_reach_the_ui_and_nothing_else(airflow: Any) -> None:
    labels = _labels(airflow)
    reached = {
        (name, port)
        for name in ("api-server", "scheduler", "triggerer", "database")
        for port in (5432, 8080, 8793, 8794, 8974)
        if _opens(airflow, "ingress", labels[f"airflow-{name}"], "198.51.100.7/32", port)
    }
    assert reached == {("api-server", 8080)}


def test_every_component_is_closed_and_has_its_policy(release: Any) -> None:
    policies = release.of("NetworkPolicy")
    default = policies["deftunes-default"]["spec"]
    assert default["policyTypes"] == ["Ingress", "Egress"]
    assert not {"ingress", "egress"} & set(default)
    for pod in release.pods:
        assert _covers(default["podSelector"], pod.labels), pod.where
        own = policies[f"deftunes-{pod.labels[COMPONENT]}"]["spec"]["podSelector"]
        assert _covers(own, pod.labels), pod.where
        assert any(_opens(release, "egress", pod.labels, f"{dns}/32", 53) for dns in ("10.0.0.10", "172.20.0.10"))


def test_every_opening_outside_is_a_named_one(production: Any) -> None:
    labels = _labels(production)
    outside = {
        "aws": ("10.0.0.0/16", 443),
        "songs": ("10.0.20.0/24", 5432),
        "redshift": ("10.0.30.0/24", 5439),
        "kubernetes": ("172.20.0.0/16", 443),
        "database": ("10.0.40.0/24", 5432),
        "alerts": ("203.0.113.0/24", 443),
    }
    reached = {
        component: {name for name, there in outside.items() if _opens(production, "egress", own, *there)}
        for component, own in labels.items()
    }
    assert reached == {
        "extract": {"aws", "songs"},
        "transform": {"aws", "kubernetes"},
        "executor": {"aws"},
        "quality": {"aws"},
        "lake": {"aws"},
        "dbt": {"aws", "redshift"},
        "verify": {"aws", "redshift"},
        "airflow-api-server": {"aws", "database"},
        "airflow-scheduler": {"aws", "database", "kubernetes", "alerts"},
        "airflow-dag-processor": {"database", "alerts"},
        "airflow-triggerer": {"aws", "database", "kubernetes"},
        "airflow-setup": {"database"},
    }


def test_only_what_makes_pods_reaches_the_api_server(release: Any) -> None:
    for component, own in _labels(release).items():
        makes = own.get("deftunes.io/spark-driver") == "true" or component in {"airflow-scheduler", "airflow-triggerer"}
        server = [("0.0.0.0/0", 6443), ("172.20.0.0/16", 443)]
        assert any(_opens(release, "egress", own, *there) for there in server) is makes, component


def test_alerts_open_a_way_out_only_when_they_are_sent(airflow: Any, rendering: Any) -> None:
    chat = "networkPolicy.egress.alerts[0]"
    alerting = rendering("airflow", "airflow.alerts=true", f"{chat}.cidr=203.0.113.0/24", f"{chat}.ports[0]=443")
    for release, senders in ((airflow, set()), (alerting, {"airflow-scheduler", "airflow-dag-processor"})):
        labels = _labels(release).items()
        assert {c for c, own in labels if _opens(release, "egress", own, "203.0.113.0/24", 443)} == senders


def test_without_a_warehouse_its_port_stays_closed(plain: Any) -> None:
    assert not _opens(plain, "egress", _labels(plain)["dbt"], "0.0.0.0/0", 5439)


def test_policies_can_be_left_to_others(rendering: Any) -> None:
    assert rendering("evaluation", "networkPolicy.enabled=false").of("NetworkPolicy") == {}


def test_every_pod_has_the_account_of_its_component(release: Any) -> None:
    accounts = release.of("ServiceAccount")
    assert {a["automountServiceAccountToken"] for a in accounts.values()} == {False}
    assert {f"deftunes-{pod.labels[COMPONENT]}" for pod in release.pods} == set(accounts)
    for pod in release.pods:
        assert pod.spec["serviceAccountName"] == f"deftunes-{pod.labels[COMPONENT]}", pod.where


def test_roles_reach_their_accounts(production: Any) -> None:
    without = {"deftunes-airflow-dag-processor", "deftunes-airflow-setup"}
    for name, account in production.of("ServiceAccount").items():
        if name in without:
            assert "annotations" not in account["metadata"], "touches nothing of AWS"
            continue
        role = account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"]
        expected = "deftunes-airflow" if "airflow" in name else name.replace("executor", "transform")
        assert role.endswith(f"/{expected}"), name


def test_the_chart_makes_no_secret_but_keys_between_its_own_pods(release: Any) -> None:
    # production's example names Secrets of its own for them
    ours = {"deftunes-airflow-keys"} if "deftunes-airflow-database" in release.of("Deployment") else set()
    if any(secret == "deftunes-spark-rpc" for pod in release.pods for secret in pod.keys):
        ours |= {"deftunes-spark-rpc"}
    assert set(release.of("Secret")) == ours


def test_the_chart_shows_no_secret(release: Any) -> None:
    assert re.findall(r"://[^/\s:@]+:[^/\s@]+@", release.text) == [], "a password in a URL"
    secretive = re.compile(
        r"(PASSWORD|SECRET|TOKEN|ACCESS_KEY|FERNET_KEY|WEBHOOK|SQL_ALCHEMY_CONN|DSN$)(?!_FILE)", re.IGNORECASE
    )
    for pod in release.pods:
        for entry in [entry for container in pod.containers for entry in container["env"]]:
            if secretive.search(entry["name"]):
                assert "secretKeyRef" in entry["valueFrom"], (pod.where, entry)
        arguments = [argument for container in pod.containers for argument in container.get("args", [])]
        told = {argument.rpartition("/")[2] for argument in arguments if secretive.search(argument)}
        assert told <= {f"{option}{name}" for option in ("--", "") for name in FILES}, pod.where
    for config in release.of("ConfigMap").values():
        assert [key for key in config["data"] if secretive.search(key)] == []


def test_each_stage_gets_the_secrets_it_needs(evaluation: Any, production: Any, plain: Any, rendering: Any) -> None:
    aws = {"aws-access-key-id", "aws-secret-access-key"}
    releases = [(evaluation, aws, set()), (plain, set(), set()), (production, set(), {"redshift-password"})]
    releases.append((rendering("plain", "credentials.awsKeys=true"), aws, set()))
    for release, everywhere, warehouse in releases:
        for pod in [pod for pod in release.pods if "airflow" not in pod.labels[COMPONENT]]:
            workload = pod.labels.get("deftunes.io/workload", "")
            expected = set() if pod.labels[COMPONENT] in {"shop", "cloud"} else set(everywhere)
            expected |= {"songs-dsn"} if workload == "extract-songs" else set()
            expected |= {"songs-password"} if pod.labels[COMPONENT] == "shop" else set()
            expected |= warehouse if workload in {"dbt", "verify"} else set()
            (secret,) = {"deftunes-credentials"} if release in (evaluation, production) else {"some-secret"}
            found = {name: keys for name, keys in pod.keys.items() if not name.startswith("deftunes-spark")}
            assert found == ({secret: expected} if expected else {}), pod.where
    songs = evaluation.templates["extract-songs"]
    assert songs.env["DEFTUNES_SONGS_DSN_FILE"]["value"] == "/etc/deftunes/credentials/songs-dsn"


def test_the_songs_databases_certificate_is_checked_by_its_own_authority(rendering: Any, plain: Any) -> None:
    assert "PGSSLROOTCERT" not in plain.templates["extract-songs"].env
    release = rendering("plain", "songs.caConfigMap=rds-ca")
    for workload, pod in release.templates.items():
        mounts = {mount["mountPath"] for mount in pod.containers[0]["volumeMounts"]}
        maps = {one["configMap"]["name"] for one in pod.spec["volumes"] if "configMap" in one}
        assert ("/etc/deftunes/authority" in mounts) == ("rds-ca" in maps) == (workload == "extract-songs"), workload
    songs = release.templates["extract-songs"]
    assert songs.env["PGSSLMODE"]["value"] == "verify-full"
    assert songs.env["PGSSLROOTCERT"]["value"] == "/etc/deftunes/authority/ca.pem"


def test_each_pod_of_airflow_gets_the_secrets_it_needs(airflow: Any, production: Any) -> None:
    aws = {"deftunes-credentials": {"aws-access-key-id", "aws-secret-access-key"}}
    keys = {
        "api-server": {"fernet-key", "jwt-secret", "session-secret"},
        "scheduler": {"fernet-key", "jwt-secret", "session-secret"},
        "dag-processor": {"fernet-key"},
        "triggerer": {"fernet-key", "session-secret"},
        "setup": {"fernet-key"},
    }
    for release, cloud, alerts in ((airflow, aws, set()), (production, {}, {"alert-webhook"})):
        found = {p.labels[COMPONENT].removeprefix("airflow-"): p.keys for p in release.pods if "/airflow" in _image(p)}
        assert set(found) == set(keys)
        for name, secrets in found.items():
            own = {"database-url"} | ({"admin-password"} if name == "setup" else set())
            own |= alerts if name in {"scheduler", "dag-processor"} else set()
            expected = {"deftunes-airflow": own, "deftunes-airflow-keys": keys[name]}
            assert secrets == expected | (cloud if name in {"api-server", "scheduler", "triggerer"} else {}), name
    (database,) = [pod for pod in airflow.pods if pod.labels[COMPONENT] == "airflow-database"]
    assert database.keys == {"deftunes-airflow": {"database-password"}}


def _image(pod: Any) -> str:
    return pod.container["image"]


def test_selectors_carry_nothing_that_changes(release: Any) -> None:
    steady = {NAME, INSTANCE, COMPONENT, "deftunes.io/spark-driver"}
    choosing = (release.of("Deployment") | release.of("PodDisruptionBudget")).values()
    selectors = [document["spec"]["selector"]["matchLabels"] for document in choosing]
    selectors += [service["spec"]["selector"] for service in release.of("Service").values()]
    selectors += [policy["spec"]["podSelector"]["matchLabels"] for policy in release.of("NetworkPolicy").values()]
    for selector in selectors:
        assert set(selector) <= steady
        assert {NAME, INSTANCE} <= set(selector), "another release's pods"


def test_every_resource_is_labelled(release: Any) -> None:
    wanted = {NAME, INSTANCE, "app.kubernetes.io/version", "app.kubernetes.io/managed-by", "helm.sh/chart"}
    for document in release.all:
        assert wanted | {"app.kubernetes.io/part-of"} <= set(document["metadata"]["labels"])
    for pod in release.pods:
        assert wanted | {COMPONENT} <= set(pod.labels), pod.where


def test_what_pods_refer_to_is_there(release: Any) -> None:
    for pod in release.pods:
        names = {v["configMap"]["name"] for v in pod.spec["volumes"] if "configMap" in v}
        names |= {s["configMapRef"]["name"] for container in pod.containers for s in container.get("envFrom", [])}
        assert names <= set(release.of("ConfigMap")), pod.where
        mounts = {mount["name"] for container in pod.containers for mount in container["volumeMounts"]}
        assert mounts == {volume["name"] for volume in pod.spec["volumes"]}, pod.where


def test_an_evaluation_brings_shop_and_cloud(evaluation: Any, plain: Any, production: Any) -> None:
    assert plain.of("Deployment") | plain.of("Service") | plain.of("Job") == {}
    deployments, services = evaluation.of("Deployment"), evaluation.of("Service")
    assert set(deployments) == set(services) == {"deftunes-shop", "deftunes-cloud"}
    for name, service in services.items():
        template = deployments[name]["spec"]["template"]
        assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
        listening = {port["name"]: port["containerPort"] for port in template["spec"]["containers"][0]["ports"]}
        assert {port["targetPort"]: port["port"] for port in service["spec"]["ports"]} == listening
        assert deployments[name]["spec"]["strategy"] == {"type": "Recreate"}
        assert "readinessProbe" in template["spec"]["containers"][0]
    cloud = deployments["deftunes-cloud"]["spec"]["template"]["spec"]["containers"][0]
    assert cloud["args"] == ["cloud", "--host", "0.0.0.0", "--port", "5000", "--bucket", "lake"]
    settings = evaluation.of("ConfigMap")["deftunes-settings"]["data"]
    assert settings["DEFTUNES_LAKE"] == "s3://lake"
    assert settings["DEFTUNES_SERVING"] == "s3://lake/serving.duckdb"
    assert settings["AWS_ENDPOINT_URL"] == "http://deftunes-cloud:5000"
    assert settings["DEFTUNES_API_URL"] == "http://deftunes-shop:8000"
    assert settings["DEFTUNES_ALLOW_UNVERIFIED"] == "true"
    assert "DEFTUNES_ALLOW_UNVERIFIED" not in production.of("ConfigMap")["deftunes-settings"]["data"]
    assert settings["AWS_REGION"] == settings["AWS_DEFAULT_REGION"] == "us-east-1"


def test_a_warehouse_has_no_serving_file(production: Any) -> None:
    settings = production.of("ConfigMap")["deftunes-settings"]["data"]
    assert settings["DEFTUNES_DBT_TARGET"] == "redshift"
    assert settings["REDSHIFT_PORT"] == "5439"
    assert not {"DEFTUNES_SERVING", "AWS_ENDPOINT_URL"} & set(settings)


def test_the_role_of_the_dbt_pod_may_be_its_account(rendering: Any) -> None:
    release = rendering(
        "production",
        "redshift.auth=iam",
        "redshift.user=",
        "redshift.workgroup=deftunes",
        "redshift.readers={group:analysts,role:dashboards}",
    )
    settings = release.of("ConfigMap")["deftunes-settings"]["data"]
    assert (settings["REDSHIFT_AUTH"], settings["REDSHIFT_WORKGROUP"]) == ("iam", "deftunes")
    assert settings["REDSHIFT_READERS"] == "group:analysts,role:dashboards"
    for workload in ("dbt", "verify"):
        assert "REDSHIFT_PASSWORD" not in release.templates[workload].env
