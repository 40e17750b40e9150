"""Ways from the VPC to AWS's services that do not touch the internet: S3's is free, the others have a price by zone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pulumi
import pulumi_aws as aws

from deftunes_cloud.base import StackContext

Endpoint = Literal[
    "autoscaling",
    "ec2",
    "ecr.api",
    "ecr.dkr",
    "eks",
    "eks-auth",
    "glue",
    "kms",
    "logs",
    "redshift",
    "redshift-serverless",
    "secretsmanager",
    "sts",
]

USUAL: tuple[Endpoint, ...] = ("ecr.api", "ecr.dkr", "eks-auth", "glue", "logs", "sts")
"""What a running stage calls, so that no loss of NAT stops one: its image, its identity, its tables, its log.

The others are called now and then, and by NAT where there is NAT: the login to Redshift once a run, KMS by S3 and not
by pods, Secrets Manager by operators.
"""

_WITHOUT_NAT: tuple[Endpoint, ...] = (*USUAL, "autoscaling", "ec2", "eks")
"""With what nodes and add-ons call besides: docs.aws.amazon.com/eks/latest/userguide/private-clusters.html"""


def missing_without_nat(names: Sequence[str]) -> list[str]:
    """What a VPC without NAT cannot do without, in addition to `names`."""
    missing: list[str] = [name for name in _WITHOUT_NAT if name not in names]
    if not {"redshift", "redshift-serverless"} & set(names):
        missing.append("redshift or redshift-serverless")
    return missing


class Endpoints(pulumi.ComponentResource):
    """Endpoints of a VPC, open to its own addresses and to nobody else. Outputs: `s3_prefix_list_id`, `s3_cidrs`."""

    def __init__(
        self,
        name: str,
        context: StackContext,
        names: Sequence[Endpoint],
        *,
        vpc_id: pulumi.Input[str],
        cidr: str,
        subnet_ids: Sequence[pulumi.Input[str]],
        route_table_ids: Sequence[pulumi.Input[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`subnet_ids`: one of every zone that gets interface endpoints; `route_table_ids`: those that lead to S3."""
        super().__init__("deftunes:cloud:Endpoints", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        service = f"com.amazonaws.{context.region}"
        # takes the lake's whole traffic, which by NAT would cost by the gigabyte
        to_s3 = aws.ec2.VpcEndpoint(
            "s3",
            vpc_id=vpc_id,
            vpc_endpoint_type="Gateway",
            service_name=f"{service}.s3",
            route_table_ids=list(route_table_ids),
            tags={"Name": f"{context.name}-s3"},
            opts=child,
        )
        self.s3_prefix_list_id = to_s3.prefix_list_id
        self.s3_cidrs = to_s3.cidr_blocks.apply(lambda cidrs: list(cidrs or ()))
        group = aws.ec2.SecurityGroup(
            "endpoints",
            description="AWS services, from this VPC only",
            vpc_id=vpc_id,
            egress=[],
            tags={"Name": f"{context.name}-endpoints"},
            opts=child,
        )
        aws.vpc.SecurityGroupIngressRule(
            "endpoints",
            security_group_id=group.id,
            cidr_ipv4=cidr,
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            description="HTTPS from this VPC",
            opts=child,
        )
        for each in sorted(set(names)):
            aws.ec2.VpcEndpoint(
                each,
                vpc_id=vpc_id,
                vpc_endpoint_type="Interface",
                service_name=f"{service}.{each}",
                subnet_ids=list(subnet_ids),
                security_group_ids=[group.id],
                # clients find it under the service's usual name
                private_dns_enabled=True,
                tags={"Name": f"{context.name}-{each}"},
                opts=child,
            )
        self.register_outputs({})
