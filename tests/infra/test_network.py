"""The VPC: nobody gets in, and what gets out is chosen."""

from __future__ import annotations

import json
from collections.abc import Callable
from ipaddress import ip_network

import pulumi
import pytest
from mocked import Built
from pydantic import ValidationError

from deftunes_cloud.base import StackContext
from deftunes_cloud.endpoints import USUAL
from deftunes_cloud.network import Network, NetworkSettings, addresses

Build = Callable[..., Built]
LONELY = (*USUAL, "autoscaling", "ec2", "eks", "redshift-serverless")


def make(settings: NetworkSettings) -> Callable[[StackContext], Network]:
    return lambda context: Network("network", context, settings)


@pytest.mark.parametrize("cidr", ["10.20.0.0/16", "10.20.16.0/20", "192.168.0.0/18"])
def test_subnets_fit_and_do_not_overlap(cidr: str) -> None:
    pods, data, public = addresses(cidr)
    subnets = [ip_network(text) for text in (*pods, *data, *public)]
    assert len(subnets) == 9
    assert all(subnet.subnet_of(ip_network(cidr)) for subnet in subnets)
    assert not [(a, b) for a in subnets for b in subnets if a is not b and a.overlaps(b)]
    assert min(subnet.num_addresses for subnet in subnets) >= 16, "AWS makes none smaller"
    assert min(ip_network(text).num_addresses for text in data) >= 128, "Redshift Serverless takes dozens"


def test_nothing_comes_in_from_outside(build: Build) -> None:
    built = build(make(NetworkSettings()))
    assert not any(subnet["map_public_ip_on_launch"] for subnet in built.all("aws.ec2.Subnet"))
    default = built.one("aws.ec2.DefaultSecurityGroup")
    assert not default.get("ingress")
    assert not default.get("egress")
    rule = built.one("aws.vpc.SecurityGroupIngressRule")
    assert (rule["cidr_ipv4"], rule["from_port"], rule["to_port"]) == ("10.20.0.0/16", 443, 443)
    assert built.one("aws.ec2.SecurityGroup")["egress"] == []


@pytest.mark.parametrize(("nat", "gateways"), [("none", 0), ("single", 1), ("per-zone", 3)])
def test_public_subnets_are_there_for_nat_only(build: Build, nat: str, gateways: int) -> None:
    endpoints = LONELY if nat == "none" else USUAL
    built = build(make(NetworkSettings(nat=nat, endpoints=endpoints)))
    assert len(built.all("aws.ec2.NatGateway")) == gateways
    assert len([subnet for subnet in built.all("aws.ec2.Subnet") if subnet.name.startswith("public")]) == gateways
    assert len(built.all("aws.ec2.InternetGateway")) == (1 if gateways else 0)
    assert len(built.outputs["nat_gateway_ids"]) == gateways
    out = [route for route in built.all("aws.ec2.Route") if route.name.startswith("private")]
    assert len(out) == (3 if gateways else 0), "every zone leads out, or none"


def test_each_zone_leaves_by_its_own_gateway(build: Build) -> None:
    built = build(make(NetworkSettings(nat="per-zone")))
    for route in built.all("aws.ec2.Route"):
        if route.name.startswith("private-"):
            assert route["nat_gateway_id"] == f"nat-{route.name.removeprefix('private-')}-id"


def test_database_and_warehouse_have_no_way_out(build: Build) -> None:
    built = build(make(NetworkSettings()))
    assert not [route for route in built.all("aws.ec2.Route") if route["route_table_id"] == "data-id"]
    tables = {link["subnet_id"]: link["route_table_id"] for link in built.all("aws.ec2.RouteTableAssociation")}
    assert {tables[subnet] for subnet in built.outputs["data_subnet_ids"]} == {"data-id"}
    assert not set(built.outputs["data_subnet_ids"]) & set(built.outputs["private_subnet_ids"])
    s3 = built.one("aws.ec2.VpcEndpoint", "s3")
    assert s3["vpc_endpoint_type"] == "Gateway"
    assert {"data-id", "private-us-west-2a-id"} <= set(s3["route_table_ids"])
    assert built.outputs["s3_cidrs"] == ["52.218.128.0/17"], "what network policies let pods reach of S3"


def test_endpoints_are_those_asked_for(build: Build) -> None:
    built = build(make(NetworkSettings(endpoints=("glue", "sts"), endpoint_zones=1)))
    inner = [each for each in built.all("aws.ec2.VpcEndpoint") if each["vpc_endpoint_type"] == "Interface"]
    assert {each["service_name"] for each in inner} == {"com.amazonaws.us-west-2.glue", "com.amazonaws.us-west-2.sts"}
    assert all(each["private_dns_enabled"] and len(each["subnet_ids"]) == 1 for each in inner)


def test_flow_log_is_kept_for_a_while(build: Build) -> None:
    built = build(make(NetworkSettings(flow_log_days=30)))
    assert built.one("aws.ec2.FlowLog")["traffic_type"] == "ALL"
    assert built.one("aws.cloudwatch.LogGroup")["retention_in_days"] == 30
    assert "aws:SourceAccount" in built.one("aws.iam.Role")["assume_role_policy"]
    wide = [
        each["Action"]
        for each in json.loads(built.one("aws.iam.RolePolicy")["policy"])["Statement"]
        if each["Resource"] == "*"
    ]
    assert wide == ["logs:DescribeLogGroups"]


def test_children_have_their_parent(build: Build) -> None:
    assert not build(make(NetworkSettings(nat="per-zone"))).orphans()


def test_a_region_of_two_zones_is_refused(build: Build) -> None:
    token = "aws:index/getAvailabilityZones:getAvailabilityZones"
    with pytest.raises(pulumi.RunError, match="has 2 zones with EKS.*choose another region"):
        build(make(NetworkSettings()), calls={token: {"names": ["us-west-2a", "us-west-2b"]}})


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"cidr": "8.8.0.0/16"}, "must be a private network"),
        ({"cidr": "10.0.0.0/21"}, "between /16 .* and /20, found 10.0.0.0/21"),
        ({"cidr": "10.0.0.0/15"}, "between /16 .* and /20"),
        ({"cidr": "10.20.0.1/16"}, "has host bits set"),
        ({"endpoints": ("sts",)}, "must contain glue"),
        ({"nat": "none"}, "must contain autoscaling, ec2, eks, redshift or redshift-serverless: without NAT"),
        ({"nat": "none", "endpoints": LONELY[:-1]}, "must contain redshift or redshift-serverless"),
        ({"endpoint_zones": 4}, "less than or equal to 3"),
        ({"endpoints": ("glue", "gluee")}, "Input should be"),
        ({"subnets": 3}, "Extra inputs are not permitted"),
    ],
)
def test_refusals(given: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        NetworkSettings.model_validate(given)
