"""Access: who may make pods, who may talk to whom, which secrets reach which pod, and what an evaluation brings."""

import re
from typing import Any

import pytest

NAME, INSTANCE, COMPONENT = (f"app.kubernetes.io/{last}" for last in ("name", "instance", "component"))
STAGES = {"extract", "transform", "quality", "lake", "dbt"}


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
        *[(stage, "shop", port, False) for stage in ("transform", "dbt", "executor") for port in (8000, 5432)],
        ("shop", "cloud", 5000, False),
        ("extract", "executor", 7079, False),
        ("extract", "transform", 7078, False),
        ("executor", "transform", 22, False),
        ("transform", "executor", 7078, False),
        ("cloud", "extract", 443, False),
    ],
)
def test_who_reaches_whom_in_an_evaluation(evaluation: Any, source: str, target: str, port: int, open_: bool) -> None:
    assert _reaches(evaluation, source, target, port) is open_


def test_every_component_is_closed_and_has_its_policy(release: Any) -> None:
    policies = release.of("NetworkPolicy")
    default = policies["deftunes-default"]["spec"]
    assert default["policyTypes"] == ["Ingress", "Egress"]
    assert not {"ingress", "egress"} & set(default)
    for pod in release.pods:
        assert _covers(default["podSelector"], pod.labels), pod.where
        own = policies[f"deftunes-{pod.labels[COMPONENT]}"]["spec"]["podSelector"]
        assert _covers(own, pod.labels), pod.where
        assert _opens(release, "egress", pod.labels, "10.0.0.10/32", 53), pod.where


def test_every_opening_outside_is_a_named_one(production: Any) -> None:
    labels = _labels(production)
    outside = {"aws": "10.0.0.0/16", "songs": "10.0.20.0/24", "redshift": "10.0.30.0/24", "any": "0.0.0.0/0"}
    ports = {"aws": 443, "songs": 5432, "redshift": 5439, "any": 6443}
    reached = {
        component: {name for name, cidr in outside.items() if _opens(production, "egress", own, cidr, ports[name])}
        for component, own in labels.items()
    }
    assert reached == {
        "extract": {"aws", "songs"},
        "transform": {"aws", "any"},
        "executor": {"aws"},
        "quality": {"aws"},
        "lake": {"aws"},
        "dbt": {"aws", "redshift"},
    }


def test_only_drivers_reach_the_api_server(plain: Any, evaluation: Any) -> None:
    for release in (plain, evaluation):
        for component, own in _labels(release).items():
            drives = own.get("deftunes.io/spark-driver") == "true"
            assert _opens(release, "egress", own, "0.0.0.0/0", 6443) is drives, component


def test_without_a_warehouse_its_port_stays_closed(plain: Any) -> None:
    assert not _opens(plain, "egress", _labels(plain)["dbt"], "0.0.0.0/0", 5439)


def test_policies_can_be_left_to_others(rendering: Any) -> None:
    assert rendering("evaluation", "networkPolicy.enabled=false").of("NetworkPolicy") == {}


def test_only_drivers_may_make_pods(evaluation: Any, plain: Any) -> None:
    assert plain.of("Role") | plain.of("RoleBinding") == {}
    for release in (evaluation, plain):
        assert release.of("ClusterRole") | release.of("ClusterRoleBinding") == {}
    (binding,) = evaluation.of("RoleBinding").values()
    (role,) = evaluation.of("Role").values()
    assert binding["roleRef"] == {
        "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role["metadata"]["name"],
    }  # fmt: skip
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "deftunes-transform", "namespace": "trial"}]
    granted = {(resource, verb) for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]}
    every = {"create", "get", "list", "watch", "patch", "delete", "deletecollection"}
    stopping = {"list", "delete", "deletecollection"}
    assert granted == {
        *(("pods", verb) for verb in every),
        *(("configmaps", verb) for verb in every),
        *(("services", verb) for verb in stopping),
        *(("persistentvolumeclaims", verb) for verb in stopping),
    }
    assert all(rule["apiGroups"] == [""] and "resourceNames" not in rule for rule in role["rules"])


def test_every_pod_has_the_account_of_its_component(release: Any) -> None:
    accounts = release.of("ServiceAccount")
    assert {a["automountServiceAccountToken"] for a in accounts.values()} == {False}
    assert {f"deftunes-{pod.labels[COMPONENT]}" for pod in release.pods} == set(accounts)
    for pod in release.pods:
        assert pod.spec["serviceAccountName"] == f"deftunes-{pod.labels[COMPONENT]}", pod.where


def test_roles_reach_their_accounts(production: Any) -> None:
    for name, account in production.of("ServiceAccount").items():
        role = account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"]
        assert role.endswith(name.replace("executor", "transform")), name


def test_the_chart_makes_no_secret_and_shows_none(release: Any) -> None:
    assert release.of("Secret") == {}
    assert re.findall(r"://[^/\s:@]+:[^/\s@]+@", release.text) == [], "a password in a URL"
    secretive = re.compile(r"PASSWORD|SECRET|TOKEN|ACCESS_KEY|DSN$", re.IGNORECASE)
    for pod in release.pods:
        for name, entry in pod.env.items():
            if secretive.search(name):
                assert "secretKeyRef" in entry["valueFrom"], (pod.where, name)
        told = {argument for argument in pod.container.get("args", []) if secretive.search(argument)}
        assert told <= {"--songs-password-file", "/etc/deftunes/credentials/songs-password"}, pod.where
    for config in release.of("ConfigMap").values():
        assert [key for key in config["data"] if secretive.search(key)] == []


def _keys(pod: Any) -> set[str]:
    """Keys of the Secret that a pod gets."""
    mounted = {i["key"] for v in pod.spec["volumes"] for i in v.get("secret", {}).get("items", [])}
    whole = [v for v in pod.spec["volumes"] if "secret" in v and not v["secret"].get("items")]
    assert whole == [], "the whole Secret in one pod"
    references = [e["valueFrom"]["secretKeyRef"] for e in pod.env.values() if "secretKeyRef" in e.get("valueFrom", {})]
    return mounted | {reference["key"] for reference in references}


def test_each_pod_gets_the_secrets_it_needs(evaluation: Any, production: Any, plain: Any, rendering: Any) -> None:
    aws = {"aws-access-key-id", "aws-secret-access-key"}
    releases = [(evaluation, aws, set()), (plain, set(), set()), (production, set(), {"redshift-password"})]
    releases.append((rendering("plain", "credentials.awsKeys=true"), aws, set()))
    for release, everywhere, warehouse in releases:
        for pod in release.pods:
            workload = pod.labels.get("deftunes.io/workload", "")
            expected = set() if pod.labels[COMPONENT] in {"shop", "cloud"} else set(everywhere)
            expected |= {"songs-dsn"} if workload == "extract-songs" else set()
            expected |= {"songs-password"} if pod.labels[COMPONENT] == "shop" else set()
            expected |= warehouse if workload == "dbt" else set()
            assert _keys(pod) == expected, pod.where
    songs = evaluation.templates["extract-songs"]
    assert songs.env["DEFTUNES_SONGS_DSN_FILE"]["value"] == "/etc/deftunes/credentials/songs-dsn"


def test_selectors_carry_nothing_that_changes(release: Any) -> None:
    steady = {NAME, INSTANCE, COMPONENT, "deftunes.io/spark-driver"}
    selectors = [d["spec"]["selector"]["matchLabels"] for d in release.of("Deployment").values()]
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
        names |= {source["configMapRef"]["name"] for source in pod.container.get("envFrom", [])}
        assert names <= set(release.of("ConfigMap")), pod.where


def test_an_evaluation_brings_shop_and_cloud(evaluation: Any, plain: Any) -> None:
    assert plain.of("Deployment") | plain.of("Service") == {}
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
    assert settings["AWS_REGION"] == "us-east-1"


def test_a_warehouse_has_no_serving_file(production: Any) -> None:
    settings = production.of("ConfigMap")["deftunes-settings"]["data"]
    assert settings["DEFTUNES_DBT_TARGET"] == "redshift"
    assert settings["REDSHIFT_PORT"] == "5439"
    assert not {"DEFTUNES_SERVING", "AWS_ENDPOINT_URL"} & set(settings)
