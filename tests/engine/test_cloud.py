"""The program itself, whole, in Pulumi's engine with the policy pack on: what it makes, what a change does, what stays.

Behind it stands moto for what moto knows (buckets, Glue, IAM, ECR, KMS, secrets); README.md lists what this hides.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from helm_binary import helm_or_skip
from outcome import Run
from program import Stack, config_in, program_in

REPOSITORY = Path(__file__).resolve().parents[2]
PROGRAM = REPOSITORY / "infra_pulumi"
HOLDS_DATA = {
    "aws:s3/bucket:Bucket",
    "aws:kms/key:Key",
    "aws:glue/catalogDatabase:CatalogDatabase",
    "aws:rds/instance:Instance",
    "aws:redshiftserverless/namespace:Namespace",
    "aws:redshift/cluster:Cluster",
    "aws:ecr/repository:Repository",
}
REPLACING = {"replace", "create-replacement", "delete-replaced", "delete"}


def config_of(stack: str, changed: Mapping[str, Mapping[str, Any]] | None = None) -> dict[str, Any]:
    """A committed stack's configuration, with other settings in some sections."""
    config: dict[str, Any] = {"aws:region": "eu-west-1", **config_in(PROGRAM / f"Pulumi.{stack}.yaml")}
    for section, settings in (changed or {}).items():
        config[f"deftunes:{section}"] = {**config.get(f"deftunes:{section}", {}), **settings}
    return config


@pytest.fixture(scope="module")
def started(stack: Callable[..., Stack], moto: str) -> tuple[Stack, Mapping[str, Any]]:
    """The dev stack, up, and its outputs."""
    made = stack(program_in(PROGRAM), config_of("dev"), endpoint=moto, name="dev", policies=[PROGRAM / "policies"])
    preview = made.preview()
    assert made.standin.memory.calls == []
    run = made.up()
    assert run.of("create") == preview.of("create")
    return made, run.outputs


@pytest.fixture(scope="module")
def dev(started: tuple[Stack, Mapping[str, Any]]) -> Stack:
    """The dev stack, up. Tests leave its configuration as it was."""
    return started[0]


@pytest.fixture(scope="module")
def outputs(started: tuple[Stack, Mapping[str, Any]]) -> Mapping[str, Any]:
    """What the dev stack tells."""
    return started[1]


@pytest.fixture(scope="module")
def prod(stack: Callable[..., Stack]) -> Stack:
    """The prod stack, up, without moto."""
    made = stack(program_in(PROGRAM), config_of("prod"), name="prod", policies=[PROGRAM / "policies"])
    made.preview()
    made.up()
    return made


def planned(made: Stack, stack: str, changed: Mapping[str, Mapping[str, Any]]) -> Run:
    """What `pulumi preview` says to changed settings."""
    made.config = config_of(stack, changed)
    try:
        return made.preview()
    finally:
        made.config = config_of(stack)


def test_up_again_changes_nothing(dev: Stack) -> None:
    again = dev.up()
    assert [step.name for step in again.changes] == []
    assert len(again.of("same")) > 100
    assert dev.standin.memory.unknown_types == set()


def test_the_policy_pack_took_part(dev: Stack, prod: Stack) -> None:
    for made in (dev, prod):
        run = made.preview()
        assert run.packs
        assert [violation.message for violation in run.violations] == []


def test_the_buckets_really_are_closed_and_encrypted(outputs: Mapping[str, Any], moto: str) -> None:
    s3 = boto3.client(
        "s3", endpoint_url=moto, region_name="eu-west-1", aws_access_key_id="testing", aws_secret_access_key="testing"
    )
    for bucket in (outputs["lake_url"].removeprefix("s3://"), outputs["logs_url"].split("/")[2]):
        assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
        (rule,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
        assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
        assert "aws:SecureTransport" in s3.get_bucket_policy(Bucket=bucket)["Policy"]


def test_outputs_become_values_that_the_chart_takes(outputs: Mapping[str, Any], tmp_path: Path) -> None:
    told = tmp_path / "outputs.json"
    told.write_text(json.dumps(dict(outputs)), encoding="utf-8")
    command = [str(REPOSITORY / ".venv" / "bin" / "deftunes"), "values", "--stack", "dev", "--outputs", str(told)]
    values = tmp_path / "values.yaml"
    values.write_text(subprocess.run(command, check=True, capture_output=True, text=True).stdout, encoding="utf-8")
    rendered = subprocess.run(
        [helm_or_skip(), "template", "deftunes", str(REPOSITORY / "charts" / "deftunes"), "--values", str(values)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert rendered.returncode == 0, rendered.stderr
    assert "s3://deftunes-dev-lake-" in rendered.stdout
    assert ".dkr.ecr.eu-west-1.amazonaws.com/deftunes-dev/transform:" in rendered.stdout


@pytest.mark.parametrize(
    ("changed", "updated"),
    [
        ({"warehouse": {"max_rpu": 32}}, {"warehouse": ("maxCapacity",)}),
        ({"warehouse": {"limit_rpu_hours": 60}}, {"warehouse": ("amount",)}),
        ({"lake": {"landing_days": 400}}, {"lake": ("rules",)}),
        ({"database": {"instance_class": "db.t4g.medium"}}, {"database": ("instanceClass",)}),
        ({"alarms": {"monthly_usd": 700}}, {"monthly": ("limitAmount",)}),
    ],
    ids=["speed", "limit", "age", "database", "budget"],
)
def test_a_changed_setting_updates_what_it_names_and_nothing_else(
    changed: dict[str, dict[str, Any]], updated: dict[str, tuple[str, ...]], dev: Stack
) -> None:
    run = planned(dev, "dev", changed)
    steps = [step for step in run.changes if step.type.startswith("aws:")]
    assert {step.op for step in steps} == {"update"}
    assert {step.name: step.changed for step in steps} == updated


def test_another_network_replaces_the_network_but_nothing_that_holds_data(dev: Stack) -> None:
    run = planned(dev, "dev", {"network": {"cidr": "10.99.0.0/16"}})
    assert "vpc" in run.of("replace")
    assert [step.name for step in run.steps if step.op in REPLACING and step.type in HOLDS_DATA] == []


def test_contradictions_stop_it_before_anything_is_made(stack: Callable[..., Stack]) -> None:
    made = stack(program_in(PROGRAM), {**config_of("prod"), "deftunes:protect": False}, name="refused")
    run = made.up(refused=True)
    assert "protect must be true" in run.said
    assert made.standin.memory.calls == []


def test_what_holds_data_in_prod_cannot_be_destroyed(prod: Stack) -> None:
    held = {resource["urn"]: resource for resource in prod.resources() if resource["type"] in HOLDS_DATA}
    assert {resource["type"] for resource in held.values()} >= HOLDS_DATA - {"aws:redshift/cluster:Cluster"}
    assert [urn for urn, resource in held.items() if not resource.get("protect")] == []
    before = prod.resources()
    refused = prod.destroy(refused=True)
    assert "protected" in refused.said
    assert prod.resources() == before


def test_a_change_that_would_replace_the_warehouse_is_refused_in_prod(prod: Stack) -> None:
    settings = {"kind": "cluster", "nodes": 2}
    config = config_of("prod")
    network = config["deftunes:network"]
    # dbt logs in to a cluster by another endpoint
    by = {**network, "endpoints": [*network["endpoints"], "redshift"]}
    prod.config = {**config, "deftunes:warehouse": settings, "deftunes:network": by}
    try:
        run = prod.preview(refused=True)
    finally:
        prod.config = config
    assert "protected" in run.said


def test_dev_goes_as_it_came(stack: Callable[..., Stack], moto: str) -> None:
    made = stack(program_in(PROGRAM), config_of("dev"), name="gone")
    made.up()
    made.destroy()
    assert made.resources() == []
