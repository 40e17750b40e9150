"""Where a team reaches in: names, labels, variables, volumes, certificates, a proxy, accounts, objects of its own."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

COMPONENT = "app.kubernetes.io/component"
OWN_SERVERS = {"shop", "cloud", "airflow-database"}
"""Pods of an evaluation that call nobody."""


@pytest.fixture
def extended(chart: Any, examples: Any, tmp_path: Path) -> Any:
    """extended(values, example): the release of an example (all components at once) with these values over it."""

    def render(values: dict[str, Any], example: str = "airflow") -> Any:
        file = tmp_path / "values.yaml"
        file.write_text(yaml.safe_dump(values), encoding="utf-8")
        executors = ("--set", "spark.executors.enabled=true")
        return chart.render(*examples(example), *executors, "--values", str(file))

    return render


@pytest.fixture
def said(chart: Any, examples: Any, tmp_path: Path) -> Any:
    """said(values, example): what Helm says against them."""

    def refuse(values: dict[str, Any], example: str = "plain") -> str:
        file = tmp_path / "values.yaml"
        file.write_text(yaml.safe_dump(values), encoding="utf-8")
        return str(chart.refusal(*examples(example), "--values", str(file)))

    return refuse


def _components(release: Any) -> set[str]:
    return {pod.labels[COMPONENT] for pod in release.pods}


def test_every_pod_gets_what_all_get(extended: Any) -> None:
    release = extended(
        {
            "commonLabels": {"team": "data"},
            "podLabels": {"cost-centre": "42"},
            "podAnnotations": {"example.org/scrape": "no"},
            "extraEnv": [{"name": "TZ", "value": "UTC"}],
            "extraEnvFrom": [{"configMapRef": {"name": "site"}}],
            "extraVolumes": [{"name": "site", "configMap": {"name": "site"}}],
            "extraVolumeMounts": [{"name": "site", "mountPath": "/etc/site", "readOnly": True}],
        }
    )
    assert {"extract", "executor", "transform", "dbt", "shop", "airflow-setup", "airflow-triggerer"} <= _components(
        release
    )
    for pod in release.pods:
        assert (pod.labels["team"], pod.labels["cost-centre"]) == ("data", "42"), pod.where
        assert pod.manifest["metadata"]["annotations"]["example.org/scrape"] == "no", pod.where
        assert {"name": "site", "configMap": {"name": "site"}} in pod.spec["volumes"], pod.where
        for container in pod.containers:
            assert {"name": "TZ", "value": "UTC"} in container["env"], pod.where
            assert {"configMapRef": {"name": "site"}} in container["envFrom"], pod.where
            assert {"name": "site", "mountPath": "/etc/site", "readOnly": True} in container["volumeMounts"], pod.where
    for document in release.all:
        assert document["metadata"]["labels"]["team"] == "data", document["metadata"]["name"]
    for kind in ("Deployment", "Service", "NetworkPolicy"):
        assert release.of(kind)
        assert '"team"' not in json.dumps(
            [document["spec"].get("selector", {}) for document in release.of(kind).values()]
        )


PLACES = {
    "stages.extract": "extract",
    "stages.dbt": "dbt",
    "spark.executors": "executor",
    "airflow.apiServer": "airflow-api-server",
    "airflow.scheduler": "airflow-scheduler",
    "airflow.dagProcessor": "airflow-dag-processor",
    "airflow.triggerer": "airflow-triggerer",
    "airflow.setup": "airflow-setup",
    "evaluation.shop": "shop",
    "evaluation.cloud": "cloud",
    "evaluation.airflowDatabase": "airflow-database",
}


@pytest.mark.parametrize("place", PLACES)
def test_a_components_own_come_on_top_and_win(extended: Any, place: str) -> None:
    first, second = place.split(".")
    own = {
        "extraEnv": [{"name": "TZ", "value": "CET"}, {"name": "OWN", "value": "1"}],
        "extraEnvFrom": [{"secretRef": {"name": "own"}}],
        "extraVolumes": [{"name": "own", "emptyDir": {}}],
        "extraVolumeMounts": [{"name": "own", "mountPath": "/own"}],
        "podLabels": {"cost-centre": "7"},
        "podAnnotations": {"own": "yes"},
    }
    values = {"extraEnv": [{"name": "TZ", "value": "UTC"}], "podLabels": {"cost-centre": "42"}, first: {second: own}}
    for pod in extended(values).pods:
        mine = pod.labels[COMPONENT] == PLACES[place]
        assert pod.labels["cost-centre"] == ("7" if mine else "42")
        assert [entry["value"] for entry in pod.container["env"] if entry["name"] == "TZ"] == ["CET" if mine else "UTC"]
        assert ("OWN" in pod.env) is mine
        assert ({"secretRef": {"name": "own"}} in pod.container.get("envFrom", [])) is mine
        assert ({"name": "own", "emptyDir": {}} in pod.spec["volumes"]) is mine
        assert ({"name": "own", "mountPath": "/own"} in pod.container["volumeMounts"]) is mine
        assert (pod.manifest["metadata"].get("annotations", {}).get("own") == "yes") is mine


def test_pods_say_what_they_are_about(plain: Any) -> None:
    labels = {name: pod.labels for name, pod in plain.templates.items()}
    assert labels["extract-sessions"]["deftunes.io/entity"] == "sessions"
    assert labels["quality-api"]["deftunes.io/pipeline"] == labels["extract-users"]["deftunes.io/pipeline"] == "api"
    assert "deftunes.io/pipeline" not in labels["dbt"]
    job = plain.of("CronJob")["deftunes-extract-songs"]["spec"]["jobTemplate"]["metadata"]["labels"]
    assert (job["deftunes.io/pipeline"], job["deftunes.io/entity"]) == ("songs", "songs")


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"extraEnv": [{"name": "HOME", "value": "/"}]}, "extraEnv.HOME: the chart sets this one itself"),
        ({"extraEnv": [{"name": "DEFTUNES_LAKE", "value": "s3://b"}]}, "extraEnv.DEFTUNES_LAKE: the chart sets"),
        ({"extraEnv": [{"name": "API_TOKEN", "value": "x"}]}, "extraEnv.API_TOKEN: a secret .* valueFrom.secretKeyRef"),
        ({"extraEnv": [{"name": "URL", "value": "https://me:word@host"}]}, "extraEnv.URL: a secret"),
        ({"extraVolumes": [{"name": "tmp", "emptyDir": {}}]}, "extraVolumes.tmp: the chart has a volume of this name"),
        ({"extraVolumes": [{"name": "d", "hostPath": {"path": "/"}}]}, "extraVolumes.d is a hostPath"),
        ({"stages": {"dbt": {"extraEnv": [{"name": "HOME", "value": "/"}]}}}, "extraEnv.HOME: the chart sets"),
        ({"podLabels": {"app.kubernetes.io/component": "x"}}, "podLabels.app.kubernetes.io/component: .* take another"),
        ({"podAnnotations": {"helm.sh/hook": "test"}}, "podAnnotations.helm.sh/hook: .* take another"),
        ({"proxy": {"https": "http://me:word@proxy:3128"}}, "proxy.https: expected .* without a password"),
        ({"proxy": {"https": "http://proxy:3128"}}, "proxy without networkPolicy.egress.proxy: name the proxy's"),
        ({"caBundle": {"configMap": "a", "secret": "b"}}, "caBundle.configMap together with caBundle.secret: keep one"),
        ({"serviceAccounts": {"dbt": {"create": False}}}, "serviceAccounts.dbt.create is false: name the account"),
        (
            {"serviceAccounts": {"dbt": {"name": "one"}, "lake": {"name": "one"}}},
            "serviceAccounts.lake.name is one, as that of dbt: give each component an account of its own",
        ),
        ({"fullnameOverride": "x" * 36}, "longer than the 52 characters of a CronJob's name: .* fullnameOverride"),
        ({"workloads": {"own": {"stage": "lake", "args": ["status"]}}}, "workloads.own has no interval"),
        (
            {"workloads": {"dbt": {"schedule": "0 5 * * *"}}},
            "workloads.dbt.schedule together with interval: .* airflow.pipelines",
        ),
        (
            {"workloads": {"a" * 50: {"stage": "lake", "args": ["status"], "interval": False}}},
            "longer than the 52 characters of a CronJob's name: .* fullnameOverride",
        ),
    ],
)
def test_what_would_break_the_platform_is_refused_with_the_remedy(said: Any, values: Any, sentence: str) -> None:
    assert re.search(sentence, said(values))


def test_production_names_the_proxys_network(said: Any) -> None:
    everywhere = {"egress": {"proxy": [{"cidr": "0.0.0.0/0", "ports": [3128]}]}}
    values = {"proxy": {"https": "http://proxy:3128"}, "networkPolicy": everywhere}
    assert "egress.proxy: 0.0.0.0/0" in said(values, "production")


def test_a_ca_bundle_reaches_python_and_java(extended: Any) -> None:
    release = extended({"caBundle": {"configMap": "corporate"}})
    for pod in release.pods:
        component = pod.labels[COMPONENT]
        volumes = [volume for volume in pod.spec["volumes"] if volume["name"] == "ca-bundle"]
        if component in OWN_SERVERS:
            assert volumes == []
            continue
        jvm = component in {"transform", "quality", "lake", "executor"}
        items = [{"key": "ca.pem", "path": "ca.pem"}] + [{"key": "truststore.p12", "path": "truststore.p12"}] * jvm
        assert volumes == [{"name": "ca-bundle", "configMap": {"name": "corporate", "items": items}}], pod.where
        for container in pod.containers:
            env = {entry["name"]: entry.get("value") for entry in container["env"]}
            assert {env[n] for n in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE")} == {
                "/etc/deftunes/ca/ca.pem"
            }
            assert (
                "-Djavax.net.ssl.trustStore=/etc/deftunes/ca/truststore.p12" in env.get("JDK_JAVA_OPTIONS", "")
            ) is jvm
            mounts = [mount for mount in container["volumeMounts"] if mount["name"] == "ca-bundle"]
            assert mounts == [{"name": "ca-bundle", "mountPath": "/etc/deftunes/ca", "readOnly": True}]
    secret = extended({"caBundle": {"secret": "corporate"}})
    assert {"secretName": "corporate"}.items() <= next(
        volume["secret"] for volume in secret.templates["dbt"].spec["volumes"] if volume["name"] == "ca-bundle"
    ).items()


def test_a_proxy_reaches_python_and_java_and_has_its_opening(extended: Any) -> None:
    way = {"cidr": "10.9.0.0/24", "ports": [3128]}
    release = extended(
        {
            "proxy": {"https": "http://proxy.example:3128", "noProxy": [".example.org"]},
            "networkPolicy": {"egress": {"proxy": [way]}},
        }
    )
    for pod in release.pods:
        if pod.labels[COMPONENT] in OWN_SERVERS:
            assert "HTTPS_PROXY" not in pod.env
            continue
        assert {pod.env[name]["value"] for name in ("https_proxy", "HTTPS_PROXY")} == {"http://proxy.example:3128"}
        assert "HTTP_PROXY" not in pod.env
        without = pod.env["NO_PROXY"]["value"].split(",")
        # the API server by its address, and what the release has of its own
        assert {"$(KUBERNETES_SERVICE_HOST)", ".svc", ".example.org", "169.254.170.23"} <= set(without)
    java = release.templates["transform-api"].env["JDK_JAVA_OPTIONS"]["value"].split(" ")
    assert {"-Dhttps.proxyHost=proxy.example", "-Dhttps.proxyPort=3128"} < set(java)
    (hosts,) = [option for option in java if option.startswith("-Dhttp.nonProxyHosts=")]
    assert {"*.svc", "*.example.org", "localhost"} <= set(hosts.partition("=")[2].split("|"))
    (opening,) = release.of("NetworkPolicy")["deftunes-proxy"]["spec"]["egress"]
    assert opening == {"to": [{"ipBlock": {"cidr": "10.9.0.0/24"}}], "ports": [{"protocol": "TCP", "port": 3128}]}


def test_the_policy_over_drivers_lets_in_what_executors_were_given_and_no_more(extended: Any, evaluation: Any) -> None:
    given = extended(
        {
            "caBundle": {"secret": "corporate"},
            "extraVolumes": [{"name": "all", "configMap": {"name": "for-all"}}],
            "extraEnvFrom": [{"secretRef": {"name": "vars"}}],
            "spark": {
                "executors": {
                    "extraVolumes": [{"name": "spill", "persistentVolumeClaim": {"claimName": "spill"}}],
                    "extraEnv": [{"name": "K", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
                }
            },
        }
    )

    def text(release: Any) -> str:
        spec = release.of("ValidatingAdmissionPolicy")["deftunes-driver.trial"]["spec"]
        return " ".join(rule["expression"] for rule in spec["validations"])

    allowed = (
        "(has(v.secret) && v.secret.secretName == 'corporate')",
        "(has(v.configMap) && v.configMap.name == 'for-all')",
        "(has(v.persistentVolumeClaim) && v.persistentVolumeClaim.claimName == 'spill')",
        "e.valueFrom.secretKeyRef.name == 's' && e.valueFrom.secretKeyRef.key == 'k')",
        "(has(f.secretRef) && f.secretRef.name == 'vars')",
    )
    for expression in allowed:
        assert expression in text(given)
        assert expression not in text(evaluation)
    for expression in (text(given), text(evaluation)):
        assert expression.count("(") == expression.count(")")


def test_accounts_may_have_names_of_their_own_or_be_there(extended: Any) -> None:
    accounts = {
        "transform": {"name": "spark-driver", "labels": {"team": "data"}},
        "executor": {"create": False, "name": "spark-executor"},
        "airflow-triggerer": {"name": "waits"},
    }
    release = extended({"serviceAccounts": accounts})
    assert release.of("ServiceAccount")["spark-driver"]["metadata"]["labels"]["team"] == "data"
    assert {"spark-executor", "deftunes-transform", "deftunes-executor"} & set(release.of("ServiceAccount")) == set()
    used = {pod.labels[COMPONENT]: pod.spec["serviceAccountName"] for pod in release.pods}
    assert used["transform"] == "spark-driver"
    assert used["executor"] == "spark-executor"
    assert used["airflow-triggerer"] == "waits"
    assert used["lake"] == "deftunes-lake"
    subjects = {b: {s["name"] for s in r["subjects"]} for b, r in release.of("RoleBinding").items()}
    assert subjects == {
        "deftunes-driver": {"spark-driver"},
        "deftunes-airflow": {"deftunes-airflow-scheduler", "waits"},
    }
    policy = str(release.of("ValidatingAdmissionPolicy"))
    assert "system:serviceaccount:trial:spark-driver" in policy
    assert "variables.spec.serviceAccountName == 'spark-executor'" in policy


def test_names_may_be_others(extended: Any) -> None:
    whole = extended({"fullnameOverride": "data-prod"})
    assert all(document["metadata"]["name"].startswith("data-prod-") for document in whole.all)
    assert whole.of("ConfigMap")["data-prod-settings"]["data"]["DEFTUNES_API_URL"] == "http://data-prod-shop:8000"
    part = extended({"nameOverride": "music"})
    assert all(document["metadata"]["name"].startswith("deftunes-music-") for document in part.all)
    assert {pod.labels["app.kubernetes.io/name"] for pod in part.pods} == {"music"}
    for policy in part.of("NetworkPolicy").values():
        assert policy["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/name"] == "music"


def test_extra_objects_are_templates(extended: Any) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "own-{{ .Release.Name }}"},
        "data": {"a": "b"},
    }
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: text\ndata:\n  at: '{{ .Release.Namespace }}'\n"
    release = extended({"extraObjects": [secret, text]}, "plain")
    assert release.of("ConfigMap")["own-deftunes"]["data"] == {"a": "b"}
    assert release.of("ConfigMap")["text"]["data"] == {"at": "trial"}


def test_pods_are_spread_where_values_say(extended: Any) -> None:
    spread = [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}]
    release = extended({"placement": {"executor": {"topologySpreadConstraints": spread}}})
    for pod in release.pods:
        assert (pod.spec.get("topologySpreadConstraints") == spread) is (pod.labels[COMPONENT] == "executor")


def test_workloads_may_be_changed_left_out_and_added(extended: Any) -> None:
    small = {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}}
    release = extended(
        {
            "workloads": {
                "extract-users": {"resources": small},
                "transform-songs": {"executors": False},
                "publish-songs": {"enabled": False},
                "maintain": {"schedule": "0 5 * * 6"},
                "lake-status": {"stage": "lake", "args": ["status"], "interval": False},
            }
        },
        "plain",
    )
    assert release.templates["extract-users"].container["resources"] == small
    assert release.templates["extract-users"].container["args"][0] == "users"
    drivers = {name for name, pod in release.templates.items() if "deftunes.io/spark-driver" in pod.labels}
    assert drivers == {"transform-api"}
    assert "publish-songs" not in release.templates
    assert release.templates["lake-status"].container["args"] == ["status"]
    jobs = {name.removeprefix("deftunes-"): job["spec"] for name, job in release.of("CronJob").items()}
    assert {name for name, spec in jobs.items() if not spec["suspend"]} == {"maintain"}
    assert (jobs["maintain"]["schedule"], jobs["maintain"]["timeZone"]) == ("0 5 * * 6", "Etc/UTC")
