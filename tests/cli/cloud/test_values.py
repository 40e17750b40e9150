"""From a stack's outputs to values: every output is used, the chart takes what comes out, and errors say what to do."""

from __future__ import annotations

import ast
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm_binary import helm_or_skip
from typer.testing import CliRunner

from deftunes_cli.__main__ import app, main
from deftunes_cli.cloud.outputs import Outputs, read_outputs
from deftunes_cli.cloud.values import render, values_of
from deftunes_contract.errors import ExitCode, UsageError

REPOSITORY = Path(__file__).parents[3]
CHART = REPOSITORY / "charts" / "deftunes"
TOLD: dict[str, Any] = {
    "environment": "prod",
    "region": "mars-north-1",
    "release": {"namespace": "music", "name": "deftunes-music"},
    "cluster_name": "the-cluster",
    "placement": {
        "driver": {"nodeSelector": {"kept": "drivers"}},
        "executor": {
            "nodeSelector": {"kept": "executors"},
            "tolerations": [{"key": "spot", "operator": "Exists", "effect": "NoSchedule"}],
        },
    },
    "manifests": {"items": []},
    "images": {"registry": "registry.example", "repository": "some/path"},
    "lake_url": "s3://the-lake",
    "logs_url": "s3://the-logs/airflow",
    "glue_database": "the_database",
    "redshift": {
        "host": "warehouse.example",
        "port": 5440,
        "database": "serving",
        "workgroup": "the-workgroup",
        "cluster": "",
        "spectrum_role": "arn:aws:iam::1:role/spectrum",
        "admin_secret": "the-warehouse-admin",
        "login": "IAMR:the-dbt-role",
        "verify_login": "IAMR:the-verify-role",
    },
    "airflow_database": {"host": "postgres.example", "port": 5433, "name": "metadata", "admin_secret": "the-pg-admin"},
    "networks": {
        "vpc": "10.1.0.0/16",
        "data": ["10.1.250.0/24"],
        "services": "172.16.0.0/16",
        "s3": ["203.0.113.0/25"],
        "chat": ["203.0.113.128/25"],
    },
    "shop": {
        "api_url": "https://shop.example/api",
        "api_cidr": "192.0.2.0/24",
        "songs_cidr": "198.51.100.0/24",
        "songs_port": 6432,
    },
    "secrets": {
        "songs-dsn": "kept/songs",
        "airflow-database-url": "kept/url",
        "airflow-admin-password": "kept/admin",
        "airflow-alert-webhook": "kept/webhook",
    },
}


def _leaves(told: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(told, dict):
        for name, part in told.items():
            yield from _leaves(part, (*path, name))
    else:
        yield path


def _changed(path: tuple[str, ...]) -> str:
    """The outputs as JSON with another value at one place."""
    told = json.loads(json.dumps(TOLD))
    part = told
    for name in path[:-1]:
        part = part[name]
    was = part[path[-1]]
    other = {"environment": "dev", "tolerations": [], "data": [], "s3": [], "chat": [], "items": [{"kind": "NodePool"}]}
    part[path[-1]] = was + 1 if isinstance(was, int) else other.get(path[-1], f"{was}-other")
    return json.dumps(told)


def _outputs() -> Outputs:
    return read_outputs("test", json.dumps(TOLD))


@pytest.mark.parametrize("path", list(_leaves(TOLD)), ids=".".join)
def test_every_output_is_used(path: tuple[str, ...]) -> None:
    changed = read_outputs("test", _changed(path))
    assert render(changed, "1.0", "prod") != render(_outputs(), "1.0", "prod")


def test_added_sources_have_their_networks_and_secrets() -> None:
    ledger = {"url": "https://ledger.example", "cidr": "10.7.0.0/24", "port": 8443, "secrets": {"token": "kept/ledger"}}
    outputs = read_outputs("test", json.dumps({**TOLD, "sources": {"the_ledger": ledger}}))
    assert values_of(outputs, "1.0")["sources"] == {
        "the_ledger": {
            "url": "https://ledger.example",
            "tokenSecret": {"name": "deftunes-source-the-ledger", "key": "token"},
            "egress": [{"cidr": "10.7.0.0/24", "ports": [8443]}],
        }
    }
    head = render(outputs, "1.0", "prod")
    assert "# kubectl create secret generic deftunes-source-the-ledger --namespace music" in head
    assert "--secret-id kept/ledger" in head
    assert "sources" not in values_of(_outputs(), "1.0")


def test_the_program_exports_what_is_read_here() -> None:
    program = ast.parse((REPOSITORY / "infra_pulumi" / "deftunes_cloud" / "outputs.py").read_text(encoding="utf-8"))
    exported = next(
        node.value for node in ast.walk(program) if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict)
    )
    assert isinstance(exported, ast.Dict)
    assert {key.value for key in exported.keys if isinstance(key, ast.Constant)} == set(Outputs.model_fields)


def test_the_chart_takes_them_as_they_are(tmp_path: Path) -> None:
    """Nothing but these values: each required one is there, none is unknown, none contradicts another."""
    helm = helm_or_skip()
    file = tmp_path / "values.yaml"
    file.write_text(render(_outputs(), "1.0", "prod"), encoding="utf-8")
    command = [helm, "template", "deftunes-music", str(CHART), "--namespace", "music", "--values", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    made = list(yaml.safe_load_all(done.stdout))
    settings = {
        name: value
        for document in made
        if document and document["kind"] == "ConfigMap"
        for name, value in document["data"].items()
    }
    assert settings["DEFTUNES_LAKE"] == "s3://the-lake"
    assert settings["DEFTUNES_DATABASE"] == "the_database"
    assert settings["REDSHIFT_WORKGROUP"] == "the-workgroup"
    assert settings["REDSHIFT_AUTH"] == "iam"
    accounts = {document["metadata"]["name"] for document in made if document and document["kind"] == "ServiceAccount"}
    # what the stack's roles are for: infra_pulumi/deftunes_cloud/identities.py
    assert {f"deftunes-music-{name}" for name in ("extract", "transform", "executor", "dbt")} <= accounts


def _networks(values: Any) -> set[str]:
    """Every CIDR below."""
    if isinstance(values, dict):
        return set().union(*map(_networks, values.values()))
    if isinstance(values, list):
        return set().union(*map(_networks, values))
    return {values} if isinstance(values, str) else set()


def test_production_leads_to_named_networks_and_dev_to_all_of_aws() -> None:
    told = _networks(values_of(_outputs(), "1.0")["networkPolicy"])
    named = {TOLD["networks"]["vpc"], TOLD["networks"]["services"], *TOLD["networks"]["data"]}
    named |= {*TOLD["networks"]["s3"], *TOLD["networks"]["chat"], TOLD["shop"]["api_cidr"], TOLD["shop"]["songs_cidr"]}
    assert told == named | {"169.254.170.23/32"}
    dev = read_outputs("test", json.dumps(TOLD | {"environment": "dev"}))
    assert {"cidr": "0.0.0.0/0", "ports": [443]} in values_of(dev, "1.0")["networkPolicy"]["egress"]["aws"]


def test_a_stack_from_before_that_is_closed_all_the_same_and_says_what_is_missing() -> None:
    networks = {name: cidrs for name, cidrs in TOLD["networks"].items() if name not in {"s3", "chat"}}
    older = read_outputs("test", json.dumps(TOLD | {"networks": networks}))
    values = values_of(older, "1.0")
    assert "0.0.0.0/0" not in json.dumps(values)
    assert values["airflow"]["alerts"] is False, "there would be no way to the chat"
    assert "tells no addresses of S3" in render(older, "1.0", "prod")
    assert "tells no addresses of S3" not in render(_outputs(), "1.0", "prod")


def test_cloud_names_of_the_chart_come_from_outputs_only() -> None:
    """No account, region or address is typed into this package."""
    flat = json.dumps(values_of(_outputs(), "1.0"))
    for known in ("amazonaws.com", "arn:aws:glue", "eu-central-1", "us-east-1"):
        assert known not in flat


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "expected the JSON of `pulumi stack output --json`"),
        ("{}", "lake_url: Field required"),
        (json.dumps(TOLD | {"more": 1}), "more: Extra inputs are not permitted"),
    ],
)
def test_outputs_of_another_version_are_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match="run `pulumi up`|pulumi stack output") as refused:
        read_outputs("prod.json", text)
    assert said in str(refused.value)


def test_the_command_asks_pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in of the command `pulumi` on PATH; tests/engine has the real one."""
    (tmp_path / "Pulumi.yaml").touch()
    answer = tmp_path / "answer.json"
    answer.write_text(json.dumps(TOLD), encoding="utf-8")
    asked = tmp_path / "asked"
    stand_in = tmp_path / "pulumi"
    stand_in.write_text(f'#!/bin/sh\necho "$@" > {asked}\ncat {answer}\n', encoding="utf-8")
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    done = CliRunner().invoke(app, ["values", "--stack", "prod", "--program", str(tmp_path), "--tag", "7.7"])
    assert done.exit_code == 0, done.output
    assert yaml.safe_load(done.output) == values_of(_outputs(), "7.7")
    assert f"--cwd {tmp_path} --stack prod" in asked.read_text(encoding="utf-8")


def test_without_pulumi_or_program_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["values", "--stack", "prod", "--program", str(tmp_path)]) == ExitCode.USAGE
    assert "say --program" in capfd.readouterr().err
    (tmp_path / "Pulumi.yaml").touch()
    assert main(["values", "--stack", "prod", "--program", str(tmp_path)]) == ExitCode.USAGE
    assert "--outputs FILE" in capfd.readouterr().err
