"""Who makes pods: their roles, the server's policy over Spark's drivers, and the secret between these and executors."""

import base64
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

COMPONENT = "app.kubernetes.io/component"


def _granted(release: Any, name: str) -> tuple[list[str], set[tuple[str, str]]]:
    """Accounts that a binding names, and (resource, verb) of its role."""
    binding, role = release.of("RoleBinding")[name], release.of("Role")[name]
    assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
    assert all(s == {"kind": "ServiceAccount", "name": s["name"], "namespace": "trial"} for s in binding["subjects"])
    assert all(rule["apiGroups"] == [""] and "resourceNames" not in rule for rule in role["rules"])
    granted = {(resource, verb) for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]}
    return [subject["name"] for subject in binding["subjects"]], granted


def test_roles_are_of_the_namespace_and_as_few_as_needed(release: Any, evaluation: Any, airflow: Any) -> None:
    assert release.of("ClusterRole") | release.of("ClusterRoleBinding") == {}
    assert set(release.of("Role")) == set(release.of("RoleBinding"))
    assert set(evaluation.of("Role")) == {"deftunes-driver"}
    assert set(airflow.of("Role")) == {"deftunes-driver", "deftunes-airflow"}


def test_drivers_may_make_executors(evaluation: Any, plain: Any) -> None:
    assert plain.of("Role") == {}
    accounts, granted = _granted(evaluation, "deftunes-driver")
    assert accounts == ["deftunes-transform"]
    assert granted == {("pods", v) for v in ("create", "get", "list", "watch", "delete", "deletecollection")}


def test_the_servers_own_policy_says_which_pods_a_driver_makes(evaluation: Any, plain: Any, rendering: Any) -> None:
    """What it refuses is tried in tests/e2e/test_drivers.py; here: that nobody has to remember it."""
    kinds = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
    name = "deftunes-driver.trial"
    spec, binding = (evaluation.of(kind)[name]["spec"] for kind in kinds)
    assert spec["failurePolicy"] == "Fail"
    assert binding == {"policyName": name, "validationActions": ["Deny"]}
    (rule,) = spec["matchConstraints"]["resourceRules"]
    assert (rule["resources"], set(rule["operations"])) == (["pods"], {"CREATE", "UPDATE", "DELETE"})
    assert spec["matchConstraints"]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "trial"}
    (accounts,) = [condition["expression"] for condition in spec["matchConditions"]]
    assert accounts == 'request.userInfo.username in ["system:serviceaccount:trial:deftunes-transform"]'
    text = " ".join(rule["expression"] for rule in spec["validations"])
    for named in ("transform:0.1.0", "deftunes-executor", "deftunes-spark-rpc", "deftunes-credentials", "-settings"):
        assert named in text, named
    for kind in kinds:
        assert plain.of(kind) == {}
        assert rendering("evaluation", "spark.executors.admissionPolicy=false").of(kind) == {}
    # without keys in the Secret, no key of it is one that an executor may have
    keyless = rendering("plain", "spark.executors.enabled=true").of(kinds[0])[name]["spec"]["validations"]
    assert "aws-access-key-id" not in str(keyless)


def test_every_stage_that_drives_has_role_and_policy(rendering: Any) -> None:
    release = rendering("evaluation", "workloads.quality-api.executors=true")
    accounts, _ = _granted(release, "deftunes-driver")
    assert accounts == ["deftunes-quality", "deftunes-transform"]
    spec = release.of("ValidatingAdmissionPolicy")["deftunes-driver.trial"]["spec"]
    for account in accounts:
        assert f"system:serviceaccount:trial:{account}" in spec["matchConditions"][0]["expression"]
        assert f"/{account.removeprefix('deftunes-')}:0.1.0" in str(spec["validations"])


def test_drivers_and_executors_share_a_secret_that_no_pod_description_shows(
    evaluation: Any, plain: Any, rendering: Any
) -> None:
    own = rendering("evaluation", "spark.executors.existingSecret=of-somebody")
    for release, secret in ((evaluation, "deftunes-spark-rpc"), (own, "of-somebody")):
        assert set(release.of("Secret")) == {"deftunes-spark-rpc"} & {secret}
        holders = [pod for pod in release.pods if secret in pod.keys]
        assert {pod.labels[COMPONENT] for pod in holders} == {"transform", "executor"}
        for pod in holders:
            assert pod.keys[secret] == {"spark-secret"}
            (mount,) = [mount for mount in pod.container["volumeMounts"] if mount["name"] == "spark-rpc"]
            assert mount["readOnly"] is True
            if pod.labels[COMPONENT] == "transform":
                file = pod.env["DEFTUNES_SPARK_SECRET_FILE"]["value"]
                assert file == f"{mount['mountPath']}/spark-secret", (
                    "one path for both: Spark tells it to its executors"
                )
    assert not any("spark-rpc" in str(pod.manifest) for pod in plain.pods)


def test_that_secret_is_made_strong_by_chance_and_kept(chart: Any, examples: Any, tmp_path: Path) -> None:
    made = [chart.render(*examples("evaluation")).of("Secret")["deftunes-spark-rpc"]["data"] for _ in range(2)]
    assert {len(base64.b64decode(data["spark-secret"], validate=True)) for data in made} == {64}, (
        "48 bytes, written as text"
    )
    assert made[0] != made[1]
    copy = Path(shutil.copytree(chart.folder, tmp_path / "deftunes"))
    file = copy / "templates" / "spark-rpc-secret.yaml"
    looking = '(lookup "v1" "Secret" .Release.Namespace (include "deftunes.sparkSecret" .))'
    assert file.read_text().count(looking) == 1
    file.write_text(file.read_text().replace(looking, '(dict "data" (dict "spark-secret" "a2VwdA=="))'))
    kept = replace(chart, folder=copy).render(*examples("evaluation"))
    assert kept.of("Secret")["deftunes-spark-rpc"]["data"] == {"spark-secret": "a2VwdA=="}


def test_airflow_may_make_stages_and_read_what_they_say(airflow: Any) -> None:
    accounts, granted = _granted(airflow, "deftunes-airflow")
    assert accounts == ["deftunes-airflow-scheduler", "deftunes-airflow-triggerer"]
    making = {("pods", verb) for verb in ("create", "get", "list", "patch", "delete")}
    assert granted == making | {("pods/log", "get"), ("events", "list")}
