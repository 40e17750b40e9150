"""The VPC: three zones, nobody from outside gets in, and the ways out are chosen.

Addresses, for 10.20.0.0/16: three quarters for nodes and pods, one a zone (each pod has an address of the VPC). Of the
last quarter, one half for database and warehouse, which have no way to the internet at all, and a little of the other
half for NAT, if there is NAT.
"""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Annotated, Any, Literal

import pulumi
import pulumi_aws as aws
from pydantic import AfterValidator, Field, model_validator

from deftunes_cloud.base import ConfigSection, StackContext
from deftunes_cloud.endpoints import USUAL, Endpoint, Endpoints, missing_without_nat
from deftunes_cloud.grants import assume_role_policy, on_behalf_of
from deftunes_cloud.roles import make_role

ZONES = 3
"""Zones of a stack: what Redshift Serverless wants, and what lets two thirds survive the loss of one."""

# zones that have no EKS control plane: docs.aws.amazon.com/eks/latest/userguide/network-reqs.html
_ZONES_WITHOUT_EKS = ("use1-az3", "usw1-az2", "cac1-az3")


def _private(text: str) -> str:
    network = IPv4Network(text)
    if network.prefixlen > 20 or network.prefixlen < 16 or not network.is_private:
        raise ValueError(f"network.cidr must be a private network between /16 (AWS's largest) and /20, found {text}")
    return str(network)


class NetworkSettings(ConfigSection):
    """Addresses, and the ways out."""

    cidr: Annotated[str, AfterValidator(_private)] = "10.20.0.0/16"
    # single: one zone's loss takes the internet from all; per-zone: three times the price
    nat: Literal["none", "single", "per-zone"] = "single"
    # interface endpoints, each with a price for every zone and hour: endpoints.py says why these
    endpoints: tuple[Endpoint, ...] = USUAL
    # fewer zones cost less, and all zones reach an endpoint in one of them
    endpoint_zones: int = Field(ZONES, ge=1, le=ZONES)
    flow_log_days: int = Field(90, ge=1)

    @model_validator(mode="after")
    def _validate_reachability(self) -> NetworkSettings:
        if "glue" not in self.endpoints:
            raise ValueError("network.endpoints must contain glue: Redshift reads the catalog from subnets without NAT")
        if self.nat == "none":
            missing = missing_without_nat(self.endpoints)
            if missing:
                raise ValueError(f"network.endpoints must contain {', '.join(missing)}: without NAT nothing else leads")
        return self


class Network(pulumi.ComponentResource):
    """VPC, subnets, ways out, and a record of who talked to whom.

    Outputs: `vpc_id`, `cidr`, `private_subnet_ids` (nodes and pods), `data_subnet_ids` (database and warehouse),
    `data_cidrs` (addresses of those, plain text), `nat_gateway_ids` by zone (empty without NAT),
    `s3_prefix_list_id` and `s3_cidrs` (S3's addresses in this region, for security groups and for network policies).
    """

    def __init__(
        self, name: str, context: StackContext, settings: NetworkSettings, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("deftunes:cloud:Network", name, {}, opts)
        self._context, self._child = context, pulumi.ResourceOptions(parent=self)
        self.cidr = settings.cidr
        self._vpc = aws.ec2.Vpc(
            "vpc",
            cidr_block=settings.cidr,
            # both are needed for the private names of endpoints
            enable_dns_support=True,
            enable_dns_hostnames=True,
            **self._named("vpc"),
        )
        self.vpc_id = self._vpc.id
        # the group that anything gets which names none: it opens nothing
        aws.ec2.DefaultSecurityGroup("default", vpc_id=self.vpc_id, **self._named("default-unused"))
        zones = self._zones()
        pods, data, public = addresses(settings.cidr)
        self.data_cidrs = data
        private = self._subnets("private", zones, pods, {"kubernetes.io/role/internal-elb": "1"})
        inner = self._subnets("data", zones, data)
        self.private_subnet_ids = [subnet.id for subnet in private]
        self.data_subnet_ids = [subnet.id for subnet in inner]
        self.nat_gateway_ids = self._nat(settings, zones, public)
        tables = [self._table(f"private-{zone}", [subnet]) for zone, subnet in zip(zones, private, strict=True)]
        for zone, table in zip(zones, tables, strict=True):
            self._default_route(zone, table)
        tables.append(self._table("data", inner))
        endpoints = Endpoints(
            "endpoints",
            context,
            settings.endpoints,
            vpc_id=self.vpc_id,
            cidr=self.cidr,
            subnet_ids=self.data_subnet_ids[: settings.endpoint_zones],
            route_table_ids=[table.id for table in tables],
            opts=self._child,
        )
        self.s3_prefix_list_id, self.s3_cidrs = endpoints.s3_prefix_list_id, endpoints.s3_cidrs
        self._flow_log(settings.flow_log_days)
        self.register_outputs({"vpc_id": self.vpc_id, "private_subnet_ids": self.private_subnet_ids})

    def _named(self, what: str, tags: dict[str, str] | None = None) -> dict[str, Any]:
        """Options and the tag that AWS's console shows."""
        return {"tags": {"Name": f"{self._context.name}-{what}", **(tags or {})}, "opts": self._child}

    def _zones(self) -> list[str]:
        found = aws.get_availability_zones(
            state="available",
            # not Local Zones, which are opted into and have no EKS control plane
            filters=[{"name": "opt-in-status", "values": ["opt-in-not-required"]}],
            exclude_zone_ids=list(_ZONES_WITHOUT_EKS),
            opts=pulumi.InvokeOptions(parent=self),
        ).names
        if len(found) < ZONES:
            raise pulumi.RunError(
                f"{self._context.region} has {len(found)} zones with EKS for this account, and a stack needs {ZONES}: "
                "choose another region"
            )
        return sorted(found)[:ZONES]

    def _subnets(
        self, purpose: str, zones: list[str], cidrs: list[str], tags: dict[str, str] | None = None
    ) -> list[aws.ec2.Subnet]:
        return [
            aws.ec2.Subnet(
                f"{purpose}-{zone}",
                vpc_id=self.vpc_id,
                availability_zone=zone,
                cidr_block=cidr,
                map_public_ip_on_launch=False,
                **self._named(f"{purpose}-{zone}", tags),
            )
            for zone, cidr in zip(zones, cidrs, strict=True)
        ]

    def _table(self, name: str, subnets: list[aws.ec2.Subnet]) -> aws.ec2.RouteTable:
        table = aws.ec2.RouteTable(name, vpc_id=self.vpc_id, **self._named(name))
        for number, subnet in enumerate(subnets):
            aws.ec2.RouteTableAssociation(
                f"{name}-{number}", route_table_id=table.id, subnet_id=subnet.id, opts=self._child
            )
        return table

    def _nat(self, settings: NetworkSettings, zones: list[str], cidrs: list[str]) -> dict[str, pulumi.Output[str]]:
        """Gateways by zone. Public subnets hold nothing else, and are not there without them."""
        if settings.nat == "none":
            return {}
        zones = zones if settings.nat == "per-zone" else zones[:1]
        # no tag kubernetes.io/role/elb: no Service can put a load balancer on the internet by accident
        subnets = self._subnets("public", zones, cidrs[: len(zones)])
        internet = aws.ec2.InternetGateway("internet", vpc_id=self.vpc_id, **self._named("internet"))
        table = self._table("public", subnets)
        aws.ec2.Route(
            "public",
            route_table_id=table.id,
            destination_cidr_block="0.0.0.0/0",
            gateway_id=internet.id,
            opts=self._child,
        )
        gateways = {}
        for zone, subnet in zip(zones, subnets, strict=True):
            address = aws.ec2.Eip(f"nat-{zone}", domain="vpc", **self._named(f"nat-{zone}"))
            gateways[zone] = aws.ec2.NatGateway(
                f"nat-{zone}",
                subnet_id=subnet.id,
                allocation_id=address.id,
                tags={"Name": f"{self._context.name}-{zone}"},
                opts=pulumi.ResourceOptions(parent=self, depends_on=[internet]),
            ).id
        return gateways

    def _default_route(self, zone: str, table: aws.ec2.RouteTable) -> None:
        """By the zone's own gateway, or by the only one there is."""
        if not self.nat_gateway_ids:
            return
        aws.ec2.Route(
            f"private-{zone}",
            route_table_id=table.id,
            destination_cidr_block="0.0.0.0/0",
            nat_gateway_id=self.nat_gateway_ids.get(zone) or next(iter(self.nat_gateway_ids.values())),
            opts=self._child,
        )

    def _flow_log(self, days: int) -> None:
        """Who talked to whom, and who was refused: what there is to look at after an incident."""
        group = aws.cloudwatch.LogGroup(
            "flow", name=f"/{self._context.name}/vpc-flow", retention_in_days=days, opts=self._child
        )
        ours = on_behalf_of(self._context.account, self._context.arn("ec2", "vpc-flow-log/*"))
        trust = assume_role_policy("vpc-flow-logs.amazonaws.com", only=ours)
        writes = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
        # knows no narrower resource
        looks = {"Effect": "Allow", "Action": "logs:DescribeLogGroups", "Resource": "*"}
        role = make_role(
            self,
            f"{self._context.name}-flow",
            trust,
            group.arn.apply(
                lambda arn: {
                    "Version": "2012-10-17",
                    "Statement": [{"Effect": "Allow", "Action": writes, "Resource": [arn, f"{arn}:*"]}, looks],
                }
            ),
        )
        aws.ec2.FlowLog(
            "flow",
            vpc_id=self.vpc_id,
            traffic_type="ALL",
            log_destination_type="cloud-watch-logs",
            log_destination=group.arn,
            iam_role_arn=role.arn,
            max_aggregation_interval=600,
            **self._named("flow"),
        )


def addresses(cidr: str) -> tuple[list[str], list[str], list[str]]:
    """Subnets for pods, for data, and for NAT, one a zone: 10.20.0.0/16 → three /18, three /21, three /24."""
    *pods, rest = IPv4Network(cidr).subnets(prefixlen_diff=2)
    data = list(rest.subnets(prefixlen_diff=3))[4 : 4 + ZONES]
    public = list(rest.subnets(prefixlen_diff=6))[:ZONES]
    return _texts(pods), _texts(data), _texts(public)


def _texts(networks: list[IPv4Network]) -> list[str]:
    return [str(network) for network in networks]
