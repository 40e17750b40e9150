"""Entities that values add: one file of contracts makes workloads, mounts, settings, openings and pipelines."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from deftunes_contract.registry import registry

CHART = Path(__file__).parents[2] / "charts" / "deftunes"
COMPONENT = "app.kubernetes.io/component"


def contract(name: str, server: str, kind: str, pipeline: str, **more: str) -> str:
    """As much of a contract as the chart reads."""
    facts = {"server": server, "pipeline": pipeline, **more}
    return yaml.safe_dump(
        {
            "kind": "DataContract",
            "servers": [{"server": server, "type": kind}],
            "schema": [{"name": name}, {"name": f"{name}_record"}],
            "customProperties": [{"property": key, "value": value} for key, value in facts.items()],
        }
    )


VALUES: dict[str, Any] = {
    "contracts": {
        "files": {
            "tickets.yaml": contract("tickets", "box_office", "api", "concerts", role="fact"),
            "opening_acts.yaml": contract("opening_acts", "stage", "postgres", "concerts", role="dimension"),
            "plays.yaml": contract("plays", "api", "api", "api", role="reference"),
            "users-overlay.yaml": "kind: ContractOverlay\nentity: users\n",
            "fact_ticket.sql": "select * from {{ source('lake', 'tickets') }}\n",
        }
    },
    "sources": {
        "box_office": {
            "url": "https://tickets.example/v1",
            "clientId": "deftunes",
            "timeout": 30,
            "tokenSecret": {"name": "box-office", "key": "bearer"},
            "caConfigMap": {"name": "corporate", "key": "root.pem"},
            "egress": [{"cidr": "10.7.0.0/24", "ports": [8443]}],
        },
        "stage": {
            "dsnSecret": {"name": "stage-db", "key": "uri"},
            "egress": [{"cidr": "10.8.0.0/24", "ports": [5433]}],
        },
        "api": {"tokenSecret": {"name": "shop", "key": "token"}},
    },
    "airflow": {"pipelines": {"concerts": {"start": "2020-02-01", "end": "2020-03-01"}}},
}


@pytest.fixture
def arguments(examples: Any, tmp_path: Path) -> Any:
    """arguments(example, values): Helm's arguments for an example with these values over it."""

    def write(example: str, values: dict[str, Any]) -> list[str]:
        file = tmp_path / "added.yaml"
        file.write_text(yaml.safe_dump(values), encoding="utf-8")
        return [*examples(example), "--values", str(file)]

    return write


@pytest.fixture
def added(chart: Any, arguments: Any) -> Any:
    return chart.render(*arguments("production", VALUES))


def test_the_packaged_registry_is_the_contracts() -> None:
    written = yaml.safe_load((CHART / "files" / "registry.yaml").read_text(encoding="utf-8"))
    known = registry()
    assert written["pipelines"] == {name: list(members) for name, members in known.pipelines.items()}
    assert set(written["servers"]) == set(known.servers)
    assert set(written["entities"]) == set(known.names)
    for name, entity in known.entities.items():
        assert written["entities"][name] == {
            "pipeline": entity.pipeline,
            "server": entity.server,
            "role": str(entity.role),
            "landing": entity.landing_folder,
        }


def test_workloads_follow_from_contracts(added: Any, production: Any) -> None:
    new = set(added.templates) - set(production.templates)
    assert new == {
        *("extract-tickets", "extract-opening-acts", "extract-plays"),
        *("transform-concerts", "quality-concerts", "publish-concerts"),
    }
    month = ["--start", "2020-01-01", "--end", "2020-02-01", "--run-id", "manual"]
    # facts last, as they are published; an entity may join a packaged pipeline
    args = {name: pod.container["args"] for name, pod in added.templates.items()}
    assert args["publish-concerts"] == ["publish", "opening_acts", "tickets", *month]
    assert args["transform-api"] == ["users", "sessions", "plays", *month]
    assert args["extract-opening-acts"] == ["opening_acts", *month]
    assert added.templates["transform-concerts"].labels["deftunes.io/spark-driver"] == "true"
    labels = added.templates["extract-opening-acts"].labels
    assert (labels["deftunes.io/pipeline"], labels["deftunes.io/entity"]) == ("concerts", "opening_acts")
    pods = added.of("ConfigMap")["deftunes-pod-templates"]["data"]
    assert {f"{name}.yaml" for name in new} < set(pods)


def test_every_stage_reads_the_contracts_and_nobody_else(added: Any, production: Any) -> None:
    assert added.of("ConfigMap")["deftunes-contracts"]["data"] == VALUES["contracts"]["files"]
    assert "deftunes-contracts" not in production.of("ConfigMap")
    for pod in added.pods:
        stage = pod.container["name"] == "stage"
        assert (pod.env.get("DEFTUNES_CONTRACTS", {}).get("value") == "/etc/deftunes/contracts") is stage, pod.where
        mounted = {"name": "contracts", "configMap": {"name": "deftunes-contracts"}} in pod.spec["volumes"]
        assert mounted is stage, pod.where
    assert not any("DEFTUNES_CONTRACTS" in pod.env for pod in production.pods)


def test_only_its_extract_knows_a_source(added: Any) -> None:
    tickets, acts = added.templates["extract-tickets"], added.templates["extract-opening-acts"]
    settings = {name: entry["value"] for name, entry in tickets.env.items() if name.startswith("DEFTUNES_BOX_OFFICE")}
    assert settings == {
        "DEFTUNES_BOX_OFFICE_URL": "https://tickets.example/v1",
        "DEFTUNES_BOX_OFFICE_CLIENT_ID": "deftunes",
        "DEFTUNES_BOX_OFFICE_TIMEOUT": "30",
        "DEFTUNES_BOX_OFFICE_TOKEN_FILE": "/etc/deftunes/sources/box_office/token",
        "DEFTUNES_BOX_OFFICE_CA_FILE": "/etc/deftunes/sources/box_office/ca.pem",
    }
    (volume,) = [volume for volume in tickets.spec["volumes"] if volume["name"] == "source-box-office"]
    assert volume["projected"]["sources"] == [
        {"configMap": {"name": "corporate", "items": [{"key": "root.pem", "path": "ca.pem"}]}},
        {"secret": {"name": "box-office", "items": [{"key": "bearer", "path": "token"}]}},
    ]
    # a directory, not a file of it: only so a renewed Secret is seen
    (mount,) = [mount for mount in tickets.container["volumeMounts"] if mount["name"] == "source-box-office"]
    assert mount == {"name": "source-box-office", "mountPath": "/etc/deftunes/sources/box_office", "readOnly": True}
    assert acts.env["DEFTUNES_STAGE_DSN_FILE"]["value"] == "/etc/deftunes/sources/stage/dsn"
    assert added.templates["extract-users"].env["DEFTUNES_API_TOKEN_FILE"]["value"].endswith("/api/token")
    holders = {
        name: {pod.where for pod in added.pods if f"'{name}'" in str(pod.manifest)}
        for name in ("box-office", "stage-db")
    }
    for name, workload in (("box-office", "extract-tickets"), ("stage-db", "extract-opening-acts")):
        expected = {f"CronJob/deftunes-{workload}", f"ConfigMap/deftunes-pod-templates/{workload}.yaml"}
        assert holders[name] == expected
    assert "DEFTUNES_SONGS_DSN_FILE" not in acts.env


def test_extract_alone_reaches_the_sources(added: Any) -> None:
    ways = {(rule["to"][0]["ipBlock"]["cidr"], rule["ports"][0]["port"]) for rule in _egress(added, "extract")}
    assert {("10.7.0.0/24", 8443), ("10.8.0.0/24", 5433)} < ways
    for name, policy in added.of("NetworkPolicy").items():
        if name != "deftunes-extract":
            assert "10.7.0.0/24" not in str(policy), name


def _egress(release: Any, component: str) -> list[dict[str, Any]]:
    return list(release.of("NetworkPolicy")[f"deftunes-{component}"]["spec"]["egress"])


def test_airflow_reads_all_pipelines(added: Any, production: Any) -> None:
    for release, wanted in ((production, {}), (added, {"concerts": ["opening_acts", "tickets"]})):
        data = release.of("ConfigMap")["deftunes-airflow-pipelines"]["data"]
        plays = ["plays"] if wanted else []
        assert (
            json.loads(data["DEFTUNES_PIPELINES"])
            == {"api": ["users", "sessions", *plays], "songs": ["songs"]} | wanted
        )
    assert data["DEFTUNES_CONCERTS_PIPELINE_START"] == "2020-02-01"
    assert data["DEFTUNES_CONCERTS_PIPELINE_END"] == "2020-03-01"


def _changed(path: str, value: Any) -> dict[str, Any]:
    values = json.loads(json.dumps(VALUES))
    *way, last = path.split("/")
    at = values
    for key in way:
        at = at[key]
    if value is None:
        del at[last]
    else:
        at[last] = value
    return dict(values)


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("sources/stage", None, r"opening_acts.yaml reads the server stage, but sources.stage.dsnSecret is empty"),
        ("sources/box_office/url", None, "reads the server box_office, but sources.box_office.url is empty: say where"),
        (
            "sources/box_office/url",
            "https://me:w@t.example",
            r"sources.box_office.url: .*\(tokenSecret, passwordSecret\), found an address with a user or password",
        ),
        ("sources/stage/egress", None, r"sources.stage.egress: 0.0.0.0/0\): name the networks of these sources"),
        (
            "sources/boxoffice",
            {"url": "https://a.example"},
            "sources.boxoffice: no contract reads a server of this name",
        ),
        ("sources/api/url", "https://a.example", "sources.api.url: the shop's address is api.url"),
        ("sources/box_office/token", "abc", "additional properties 'token' not allowed"),
        ("airflow/pipelines/concerts", None, "airflow.pipelines.concerts is empty: give start"),
        ("contracts/files/tickets.yaml", "a: [", "contracts.files.tickets.yaml is not YAML"),
        (
            "contracts/files/tickets.yaml",
            contract("users", "api", "api", "api"),
            "is an entity users already; .*Overlay",
        ),
        (
            "contracts/files/tickets.yaml",
            contract("Tickets", "x", "api", "y"),
            'first schema, at most 32, found "Tickets"',
        ),
        (
            "contracts/files/tickets.yaml",
            contract("tickets", "box_office", "kafka", "concerts"),
            "of type kafka; expected api or",
        ),
        ("contracts/files/tickets.yaml", contract("t" * 40, "x", "api", "y"), "at most 32"),
        (
            "contracts/files/tickets.yaml",
            "kind: DataContract\nschema: [{name: t}]\n",
            'property pipeline, at most 32, found ""',
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_the_remedy(
    chart: Any, arguments: Any, path: str, value: Any, sentence: str
) -> None:
    assert re.search(sentence, chart.refusal(*arguments("production", _changed(path, value))))


def test_an_evaluation_takes_added_entities_from_its_own_shop(chart: Any, arguments: Any) -> None:
    values = _changed("sources/box_office", {"url": "http://deftunes-shop:8000"})
    release = chart.render(*arguments("evaluation", values))
    assert release.templates["extract-tickets"].env["DEFTUNES_BOX_OFFICE_URL"]["value"] == "http://deftunes-shop:8000"
    assert not any("0.0.0.0/0" in str(rule) for rule in _egress(release, "extract"))


def test_the_evaluations_shop_takes_plug_ins(chart: Any, examples: Any, tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(
        yaml.safe_dump({"evaluation": {"shop": {"plugins": {"box_office.py": "X = 1\n"}}}}), encoding="utf-8"
    )
    release = chart.render(*examples("evaluation"), "--values", str(file))
    (pod,) = [pod for pod in release.pods if pod.labels[COMPONENT] == "shop"]
    assert pod.container["args"][-2:] == ["--plugin", "/etc/deftunes/plugins/box_office.py"]
    assert {"name": "shop-plugins", "configMap": {"name": "deftunes-shop-plugins"}} in pod.spec["volumes"]
    assert release.of("ConfigMap")["deftunes-shop-plugins"]["data"] == {"box_office.py": "X = 1\n"}
    assert pod.manifest["metadata"]["annotations"]["checksum/plugins"]


def test_a_driver_hands_its_labels_on(evaluation: Any) -> None:
    for name, pod in evaluation.templates.items():
        drives = "deftunes.io/spark-driver" in pod.labels
        assert ("DEFTUNES_SPARK_EXECUTOR_LABELS_FILE" in pod.env) is drives, name
        if drives:
            (volume,) = [volume for volume in pod.spec["volumes"] if "downwardAPI" in volume]
            (item,) = volume["downwardAPI"]["items"]
            assert item == {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}
            (mount,) = [mount for mount in pod.container["volumeMounts"] if mount["name"] == volume["name"]]
            assert pod.env["DEFTUNES_SPARK_EXECUTOR_LABELS_FILE"]["value"] == f"{mount['mountPath']}/labels"


PRODUCTS = sorted(
    {file.parent for file in (CHART.parents[1] / "examples").rglob("*.yaml") if "DataContract" in file.read_text()}
)


@pytest.mark.parametrize("folder", PRODUCTS, ids=lambda folder: folder.parent.name)
def test_the_products_of_the_examples_are_values_and_nothing_else(
    chart: Any, arguments: Any, evaluation: Any, folder: Path
) -> None:
    files = {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir() if file.is_file()}
    contracts = [yaml.safe_load(text) for name, text in files.items() if name.endswith(".yaml")]
    kinds = {server["server"]: server["type"] for one in contracts for server in one.get("servers", ())}
    where = {"api": {"url": "http://deftunes-shop:8000"}, "postgres": {"dsnSecret": {"name": "second", "key": "dsn"}}}
    values = {"contracts": {"files": files}, "sources": {name: where[kind] for name, kind in kinds.items()}}
    release = chart.render(*arguments("evaluation", values))
    tables = {one["schema"][0]["name"] for one in contracts if one["kind"] == "DataContract"}
    new = set(release.templates) - set(evaluation.templates)
    assert {f"extract-{table.replace('_', '-')}" for table in tables} <= new
    assert {name.partition("-")[0] for name in new} == {"extract", "transform", "quality", "publish"}
