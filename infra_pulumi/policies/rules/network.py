"""Network: nothing listens to the whole internet, and in production nothing talks to all of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from typing import Any

from .resource_view import UNKNOWN, ResourceView, Rule, blocks, is_on, texts, violation
from .tags import tag

_GROUPS = ("aws:ec2/securityGroup:SecurityGroup", "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup")
_RULE = "aws:ec2/securityGroupRule:SecurityGroupRule"
_EGRESS_RULE = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
_INGRESS_RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
_CIDRS = ("cidrBlocks", "ipv6CidrBlocks", "cidrIpv4", "cidrIpv6")
# the internet can be written as two halves or more, too: nobody owns a network this large
_SMALLEST_PREFIX = {4: 8, 6: 16}
_MAY_BE_PUBLIC: Mapping[str, str] = {
    "aws:rds/instance:Instance": "publiclyAccessible",
    "aws:rds/clusterInstance:ClusterInstance": "publiclyAccessible",
    "aws:redshift/cluster:Cluster": "publiclyAccessible",
    "aws:redshiftserverless/workgroup:Workgroup": "publiclyAccessible",
}
_EKS = "aws:eks/cluster:Cluster"


def no_open_group(resource: ResourceView) -> Iterator[str]:
    """No security group, and no rule of one, that lets the internet in."""
    for where, source in _peers(resource, "ingress", _INGRESS_RULE):
        if _is_the_internet(source):
            yield violation(
                resource,
                where=where,
                expected="a security group, or a network that is ours",
                found=source,
                do="Name the group of the caller (referencedSecurityGroupId), or its network",
            )


def no_way_to_everywhere(resource: ResourceView) -> Iterator[str]:
    """Outside dev no security group, and no rule of one, leads to the whole internet: stolen data has to go somewhere.

    A stack that does not say what it is counts as prod.
    """
    found = [peer for peer in _peers(resource, "egress", _EGRESS_RULE) if _is_the_internet(peer[1])]
    if not found or tag(resource, "environment") in ("dev", UNKNOWN):
        return
    for where, target in found:
        yield violation(
            resource,
            where=where,
            expected="a security group, a prefix list or a network that is ours, outside dev",
            found=target,
            do="Name what it talks to: an endpoint's group, prefixListId for S3, or the network",
        )


def no_public_database(resource: ResourceView) -> Iterator[str]:
    """No database or warehouse with an address on the internet."""
    where = _MAY_BE_PUBLIC.get(resource.kind)
    # what is not known yet is asked again: it counts as on only where something must be on
    if where is not None and isinstance(resource.props.get(where), bool | str) and is_on(resource.props[where]):
        yield violation(
            resource, where=where, expected="false", found="true", do="Reach it from the VPC, or through a tunnel"
        )


def no_open_api_server(resource: ResourceView) -> Iterator[str]:
    """Kubernetes' API is private, or its public end names networks: AWS's default is the world."""
    if resource.kind != _EKS:
        return
    for block in blocks(resource.props.get("vpcConfig")):
        # AWS's default when nothing is said
        public = block.get("endpointPublicAccess", True)
        cidrs = block.get("publicAccessCidrs")
        if public is True and (not cidrs or any(_is_the_internet(cidr) for cidr in texts(cidrs))):
            yield violation(
                resource,
                where="vpcConfig.publicAccessCidrs",
                expected="networks of those who operate the cluster, or endpointPublicAccess false",
                found=cidrs or "none, which means 0.0.0.0/0",
                do="Name the networks in the stack's settings",
            )


def _peers(resource: ResourceView, way: str, rule: str) -> Iterator[tuple[str, str]]:
    """Networks at the other end, and where they stand. way: ingress or egress; rule: the kind that is one such rule."""
    if resource.kind in _GROUPS:
        for index, block in enumerate(blocks(resource.props.get(way))):
            yield from _named(block, f"{way}[{index}].")
    elif resource.kind == rule or (resource.kind == _RULE and resource.props.get("type") == way):
        yield from _named(resource.props, "")


def _named(block: Mapping[str, Any], within: str) -> Iterator[tuple[str, str]]:
    for name in _CIDRS:
        for cidr in texts(block.get(name)):
            yield f"{within}{name}", cidr


def _is_the_internet(cidr: str) -> bool:
    try:
        network = ip_network(cidr, strict=False)
    except ValueError:
        return False
    return network.prefixlen < _SMALLEST_PREFIX[network.version]


RULES = (
    Rule("no-open-security-group", "No security group lets the internet in", no_open_group),
    Rule("no-open-egress", "Outside dev no security group leads to the whole internet", no_way_to_everywhere),
    Rule("no-public-database", "No database has an address on the internet", no_public_database),
    Rule("no-open-api-server", "Kubernetes' API is not open to the internet", no_open_api_server),
)
