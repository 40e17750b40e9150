"""Redshift in both kinds: private, encrypted, logged, limited; and what its settings refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from mocked import Built
from pydantic import ValidationError

from deftunes_cloud.base import StackContext
from deftunes_cloud.catalog import Catalog
from deftunes_cloud.cluster import Cluster, ClusterSettings
from deftunes_cloud.lake import Lake, LakeSettings
from deftunes_cloud.network import Network, NetworkSettings
from deftunes_cloud.warehouse import AUDIT_LOGS, Warehouse, WarehouseSettings


def made(**settings: Any) -> Callable[[StackContext], Warehouse]:
    def make(context: StackContext) -> Warehouse:
        lake = Lake("lake", context, LakeSettings())
        network = Network("network", context, NetworkSettings())
        return Warehouse(
            "warehouse",
            context,
            WarehouseSettings(**settings),
            network=network,
            cluster=Cluster("cluster", context, ClusterSettings(), network=network),
            lake=lake,
            catalog=Catalog("catalog", context, lake_url=lake.url),
        )

    return make


@pytest.fixture(params=["serverless", "cluster"])
def kind(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def warehouse(kind: str, build: Callable[..., Built]) -> Built:
    return build(made(kind=kind))


def test_everything_is_a_child_of_a_component(warehouse: Built) -> None:
    assert not warehouse.orphans()


def test_only_pods_reach_it(warehouse: Built) -> None:
    rule = warehouse.one("aws.vpc.SecurityGroupIngressRule", "warehouse-from-pods")
    assert rule["referenced_security_group_id"] == "sg-cluster"
    assert (rule["from_port"], rule["to_port"], rule["ip_protocol"]) == (5439, 5439, "tcp")
    group = warehouse.one("aws.ec2.SecurityGroup", "warehouse")
    assert not group.get("ingress")
    out = {
        made["description"]: made.get("prefix_list_id") or made.get("cidr_ipv4")
        for made in warehouse.all("aws.vpc.SecurityGroupEgressRule")
        if made.name.startswith("warehouse")
    }
    assert out == {"s3": "pl-s3", "glue": "10.20.0.0/16"}
    open_to_the_world = [one for one in warehouse if one.get("publicly_accessible") is not False]
    assert not [one for one in open_to_the_world if one.kind.endswith((".Workgroup", "redshift.Cluster"))]


def test_rows_are_encrypted_with_our_key_and_protected(kind: str, warehouse: Built) -> None:
    holder = warehouse.one("aws.redshiftserverless.Namespace" if kind == "serverless" else "aws.redshift.Cluster")
    key = warehouse.one("aws.kms.Key", "warehouse-key")
    assert holder["kms_key_id"].endswith("warehouse-key-id")
    assert holder.protect
    assert key.protect
    assert key["enable_key_rotation"] is True
    if kind == "cluster":
        assert str(holder["encrypted"]).lower() == "true"
        assert holder["skip_final_snapshot"] is False


def test_nobody_knows_the_administrators_password(kind: str, warehouse: Built) -> None:
    for one in warehouse:
        assert not [name for name in one.inputs if name.endswith("password") and not name.startswith("manage")]
    holder = warehouse.one("aws.redshiftserverless.Namespace" if kind == "serverless" else "aws.redshift.Cluster")
    assert holder["manage_admin_password" if kind == "serverless" else "manage_master_password"] is True


def test_plain_connections_are_refused_and_queries_logged(kind: str, warehouse: Built) -> None:
    if kind == "serverless":
        options = warehouse.one("aws.redshiftserverless.Workgroup")["config_parameters"]
        assert {"parameter_key": "require_ssl", "parameter_value": "true"} in options
        assert warehouse.one("aws.redshiftserverless.Namespace")["log_exports"] == list(AUDIT_LOGS)
    else:
        options = warehouse.one("aws.redshift.ParameterGroup")["parameters"]
        assert {"name": "require_ssl", "value": "true"} in options
        assert {"name": "enable_user_activity_logging", "value": "true"} in options
        assert warehouse.one("aws.redshift.Logging")["log_exports"] == list(AUDIT_LOGS)


def test_serverless_has_an_end_to_what_it_costs(build: Callable[..., Built]) -> None:
    limit = build(made(limit_rpu_hours=77)).one("aws.redshiftserverless.UsageLimit")
    assert (limit["amount"], limit["period"], limit["breach_action"]) == (77, "monthly", "deactivate")


def test_spectrum_reads_the_tables_and_nothing_else(warehouse: Built) -> None:
    role = warehouse.one("aws.iam.Role", "deftunes-dev-spectrum")
    assert set(json.loads(role["assume_role_policy"])["Statement"][0]["Principal"]["Service"]) == {
        "redshift.amazonaws.com",
        "redshift-serverless.amazonaws.com",
    }
    statements = json.loads(warehouse.one("aws.iam.RolePolicy", "deftunes-dev-spectrum")["policy"])["Statement"]
    objects = [each["Resource"] for each in statements if each["Action"] == ["s3:GetObject"]]
    assert objects == ["arn:aws:s3:::deftunes-dev-lake-123456789012-us-west-2/transform_zone/*"]


def test_it_tells_where_it_is(kind: str, warehouse: Built) -> None:
    told = warehouse.outputs
    assert told["host"] == "warehouse.mock"
    assert (told["workgroup"], told["cluster"]) == (
        ("deftunes-dev", "") if kind == "serverless" else ("", "deftunes-dev")
    )
    expected = "redshiftserverless" if kind == "serverless" else "redshift:us-west-2:123456789012:dbname:deftunes-dev/"
    assert expected in told["login_arn"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"base_rpu": 64}, "max_rpu must be at least base_rpu"),
        ({"nodes": 2}, "nodes says nothing to kind serverless"),
        ({"kind": "cluster", "limit_rpu_hours": 10}, "limit_rpu_hours says nothing to kind cluster"),
        ({"kind": "cluster", "node_type": "dc2.large"}, "node_type"),
    ],
)
def test_settings_that_contradict_themselves_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        WarehouseSettings.model_validate(given)
