"""Airflow's database: reached by pods only, by TLS only; nobody here ever sees its password."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from mocked import PLACE, Built
from pydantic import ValidationError

from deftunes_cloud.base import StackContext
from deftunes_cloud.cluster import Cluster, ClusterSettings
from deftunes_cloud.database import Database, DatabaseSettings
from deftunes_cloud.network import Network, NetworkSettings

Build = Callable[..., Built]


def make(**given: object) -> Callable[[StackContext], Database]:
    settings = DatabaseSettings.model_validate(given)

    def program(context: StackContext) -> Database:
        network = Network("network", context, NetworkSettings())
        cluster = Cluster("cluster", context, ClusterSettings(), network=network)
        return Database("database", context, settings, network=network, cluster=cluster)

    return program


def test_only_pods_reach_it(build: Build) -> None:
    built = build(make())
    instance = built.one("aws.rds.Instance")
    assert instance["publicly_accessible"] is False
    assert instance["vpc_security_group_ids"] == ["database-id"]
    rule = built.one("aws.vpc.SecurityGroupIngressRule", "database-from-pods")
    assert (rule["security_group_id"], rule["referenced_security_group_id"]) == ("database-id", "sg-cluster")
    assert (rule["from_port"], rule["to_port"]) == (5432, 5432)
    assert "cidr_ipv4" not in rule
    assert built.one("aws.ec2.SecurityGroup", "database")["egress"] == []
    subnets = built.one("aws.rds.SubnetGroup")["subnet_ids"]
    assert subnets == [f"data-us-west-2{zone}-id" for zone in "abc"]


def test_encrypted_at_rest_and_on_its_way(build: Build) -> None:
    built = build(make())
    instance, key = built.one("aws.rds.Instance"), "arn:aws:kms:us-west-2:123456789012:database-key-id"
    assert instance["storage_encrypted"] is True
    for name in ("kms_key_id", "master_user_secret_kms_key_id", "performance_insights_kms_key_id"):
        assert instance[name] == key
    assert built.one("aws.kms.Key", "database-key")["enable_key_rotation"]
    parameters = built.one("aws.rds.ParameterGroup")
    assert parameters["family"] == "postgres17"
    assert {"name": "rds.force_ssl", "value": "1"} in parameters["parameters"]


def test_no_password_passes_through(build: Build) -> None:
    built = build(make())
    instance = built.one("aws.rds.Instance")
    assert instance["manage_master_user_password"] is True
    assert not {"password", "password_wo"} & set(instance.inputs)
    assert instance["iam_database_authentication_enabled"] is True
    assert built.outputs["master_secret_arn"].startswith("arn:aws:secretsmanager:")


def test_what_is_protected_cannot_be_lost(build: Build) -> None:
    instance = build(make()).one("aws.rds.Instance")
    assert instance.protect
    assert instance["deletion_protection"] is True
    assert instance["skip_final_snapshot"] is False
    assert instance["final_snapshot_identifier"] == "deftunes-dev-airflow-final"
    assert instance["delete_automated_backups"] is False
    assert instance["backup_retention_period"] == 14


def test_an_open_stack_lets_go(build: Build) -> None:
    instance = build(make(), replace(PLACE, is_protected=False)).one("aws.rds.Instance")
    assert not instance.protect
    assert instance["deletion_protection"] is False
    assert instance["skip_final_snapshot"] is True
    assert "final_snapshot_identifier" not in instance


def test_it_renews_itself_but_not_to_another_major_version(build: Build) -> None:
    instance = build(make(multi_az=True)).one("aws.rds.Instance")
    assert instance["engine_version"] == "17"
    assert instance["auto_minor_version_upgrade"] is True
    assert instance["allow_major_version_upgrade"] is False
    assert instance["multi_az"] is True
    assert instance["performance_insights_retention_period"] == 7


def test_logs_end(build: Build) -> None:
    built = build(make(log_days=30))
    groups = {each["name"]: each["retention_in_days"] for each in built.all("aws.cloudwatch.LogGroup")}
    for log in built.one("aws.rds.Instance")["enabled_cloudwatch_logs_exports"]:
        assert groups[f"/aws/rds/instance/deftunes-dev-airflow/{log}"] == 30


def test_outputs(build: Build) -> None:
    built = build(make())
    assert not built.orphans()
    told = {name: built.outputs[name] for name in ("address", "port", "database", "identifier", "cidrs")}
    assert told == {
        "address": "airflow.mock",
        "port": 5432,
        "database": "airflow",
        "identifier": "deftunes-dev-airflow",
        "cidrs": ["10.20.224.0/21", "10.20.232.0/21", "10.20.240.0/21"],
    }


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"backup_days": 0}, "greater than or equal to 1"),
        ({"backup_days": 36}, "less than or equal to 35"),
        ({"engine_version": "17.4"}, "should match pattern"),
        ({"instance_class": "t4g.small"}, "should match pattern"),
        ({"storage_gb": 10}, "greater than or equal to 20"),
        ({"storage_gb": 100}, r"must be a tenth above storage_gb \(100\), found 100: the database could not grow"),
    ],
)
def test_refusals(given: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        DatabaseSettings.model_validate(given)
