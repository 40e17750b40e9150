"""The Kubernetes cluster: private by default, logged, its secrets encrypted, and nobody in it who is not named.

Whoever runs this program does not become its administrator: `admins` does. Everybody else who may call
eks:CreateAccessEntry can let himself in, and the audit log tells. Deletion: EKS refuses while `protect` is on.
"""

from __future__ import annotations

import json
from ipaddress import IPv4Network
from typing import Annotated, Any, Literal

import pulumi
import pulumi_aws as aws
from pydantic import AfterValidator, Field, model_validator

from deftunes_cloud import auto_mode, nodes
from deftunes_cloud.base import ConfigSection, StackContext
from deftunes_cloud.grants import assume_role_policy
from deftunes_cloud.keys import make_key
from deftunes_cloud.network import Network
from deftunes_cloud.nodes import ADDONS, DriverSettings, ExecutorSettings, Nodes
from deftunes_cloud.service_roles import for_cluster, service_role

LOGS = ("api", "audit", "authenticator", "controllerManager", "scheduler")


def _validate_narrow_network(text: str) -> str:
    network = IPv4Network(text)
    if network.prefixlen < 8:
        raise ValueError(
            f"cluster.public_access_cidrs must name your networks, found {text}, which is everybody: leave it empty "
            "and reach the API server from within the VPC"
        )
    return str(network)


Admin = Annotated[str, Field(pattern=r"^arn:[a-z-]+:iam::\d{12}:(role|user)/.+$")]


class ClusterSettings(ConfigSection):
    """Version, machines, and who gets in."""

    # docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html: each has 14 months
    version: str = Field("1.35", pattern=r"^1\.\d\d$")
    # managed: two groups of machines, described here. auto: EKS Auto Mode
    nodes: Literal["managed", "auto"] = "managed"
    drivers: DriverSettings = DriverSettings()
    executors: ExecutorSettings = ExecutorSettings()
    # whence the API server answers besides the VPC; empty: from the VPC only
    public_access_cidrs: tuple[Annotated[str, AfterValidator(_validate_narrow_network)], ...] = ()
    # ARNs of IAM roles or users, as IAM knows them and not as STS does
    admins: tuple[Admin, ...] = ()
    log_days: int = Field(90, ge=1)

    @model_validator(mode="after")
    def _validate_node_settings(self) -> ClusterSettings:
        if self.nodes == "managed" and self.version not in ADDONS:
            raise ValueError(
                f"cluster.version {self.version} has no add-ons in nodes.py, which knows {', '.join(ADDONS)}: add "
                "their versions there first"
            )
        if self.nodes == "auto" and "drivers" in self.model_fields_set:
            raise ValueError("cluster.drivers says nothing to nodes auto, where AWS chooses: leave it out")
        return self


class Cluster(pulumi.ComponentResource):
    """Control plane, machines, and access.

    Outputs: `cluster_name`, `security_group_id` (that of nodes and pods), `service_cidr`, `placement` (driver and
    executor, for the chart), `manifests` (for kubectl: a List, empty unless nodes are auto).
    """

    def __init__(
        self,
        name: str,
        context: StackContext,
        settings: ClusterSettings,
        *,
        network: Network,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("deftunes:cloud:Cluster", name, {}, opts)
        self._context, self._child = context, pulumi.ResourceOptions(parent=self)
        self.service_cidr = service_cidr(network.cidr)
        is_auto = settings.nodes == "auto"
        mode = auto_mode if is_auto else nodes
        self.placement: dict[str, dict[str, Any]] = mode.placement()
        self.manifests: dict[str, Any] = (
            auto_mode.manifests(settings.executors) if is_auto else {"apiVersion": "v1", "kind": "List", "items": []}
        )
        self._cluster = self._control_plane(settings, network)
        self.cluster_name = self._cluster.name
        self.security_group_id = self._cluster.vpc_config.cluster_security_group_id
        for admin in settings.admins:
            self._grant_access(admin)
        if not is_auto:
            Nodes(
                "nodes",
                context,
                settings.version,
                {"drivers": settings.drivers, "executors": settings.executors},
                cluster_name=self.cluster_name,
                subnet_ids=network.private_subnet_ids,
                opts=self._child,
            )
        self.register_outputs({"cluster_name": self.cluster_name, "placement": self.placement})

    def admit_pods(
        self, component: pulumi.Resource, concern: str, group: aws.ec2.SecurityGroup, port: int, why: str
    ) -> None:
        """Open a port of somebody's group to this cluster's pods, as that component's child."""
        aws.vpc.SecurityGroupIngressRule(
            f"{concern}-from-pods",
            security_group_id=group.id,
            referenced_security_group_id=self.security_group_id,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            description=why,
            opts=pulumi.ResourceOptions(parent=component),
        )

    def _control_plane(self, settings: ClusterSettings, network: Network) -> aws.eks.Cluster:
        # without its key, a cluster is lost
        key = make_key(self, self._context, "cluster", "Kubernetes secrets")
        logs = aws.cloudwatch.LogGroup(
            "cluster",
            # EKS's own name: it would make this group itself, and keep it for ever
            name=f"/aws/eks/{self._context.name}/cluster",
            retention_in_days=settings.log_days,
            opts=self._child,
        )
        role, attached = self._role(settings, key)
        machines = self._machines(settings, attached)
        return aws.eks.Cluster(
            "cluster",
            name=self._context.name,
            version=settings.version,
            role_arn=role.arn,
            # our add-ons are pinned; EKS would add its own versions, which nobody would renew
            bootstrap_self_managed_addons=False,
            access_config={
                "authentication_mode": "API",
                "bootstrap_cluster_creator_admin_permissions": False,
            },
            vpc_config={
                "subnet_ids": network.private_subnet_ids,
                "endpoint_private_access": True,
                "endpoint_public_access": bool(settings.public_access_cidrs),
                "public_access_cidrs": list(settings.public_access_cidrs) or None,
            },
            encryption_config={"provider": {"key_arn": key.arn}, "resources": ["secrets"]},
            enabled_cluster_log_types=list(LOGS),
            # a version out of support is upgraded, at six times the price it is not
            upgrade_policy={"support_type": "STANDARD"},
            deletion_protection=self._context.is_protected,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[logs, *attached]),
            **machines,
        )

    def _role(self, settings: ClusterSettings, key: aws.kms.Key) -> tuple[aws.iam.Role, list[pulumi.Resource]]:
        policies = auto_mode.CLUSTER_POLICIES if settings.nodes == "auto" else ("AmazonEKSClusterPolicy",)
        role, attached = service_role(self, self._context, "cluster", for_cluster(self._context), policies)
        uses = ["kms:Encrypt", "kms:Decrypt", "kms:DescribeKey", "kms:ListGrants"]
        attached.append(
            aws.iam.RolePolicy(
                f"{self._context.name}-cluster-key",
                role=role.name,
                policy=key.arn.apply(
                    lambda arn: json.dumps(
                        {
                            "Version": "2012-10-17",
                            "Statement": [{"Effect": "Allow", "Action": uses, "Resource": arn}],
                        }
                    )
                ),
                opts=self._child,
            )
        )
        return role, attached

    def _machines(self, settings: ClusterSettings, before: list[pulumi.Resource]) -> dict[str, Any]:
        """What Auto Mode adds to a cluster: EKS wants all three on, or all three off. Adds to what must come before."""
        network: dict[str, Any] = {"service_ipv4_cidr": self.service_cidr, "ip_family": "ipv4"}
        if settings.nodes == "managed":
            return {"kubernetes_network_config": network}
        role, attached = service_role(
            self, self._context, "node", assume_role_policy("ec2.amazonaws.com"), auto_mode.NODE_POLICIES
        )
        before += attached
        return {
            "kubernetes_network_config": {**network, "elastic_load_balancing": {"enabled": True}},
            "storage_config": {"block_storage": {"enabled": True}},
            "compute_config": {
                "enabled": True,
                "node_pools": list(auto_mode.BUILT_IN_POOLS),
                "node_role_arn": role.arn,
            },
        }

    def _grant_access(self, admin: str) -> None:
        who = admin.split(":", 5)[5].replace("/", "-")
        entry = aws.eks.AccessEntry(
            who, cluster_name=self.cluster_name, principal_arn=admin, type="STANDARD", opts=self._child
        )
        aws.eks.AccessPolicyAssociation(
            who,
            cluster_name=self.cluster_name,
            principal_arn=entry.principal_arn,
            policy_arn=f"arn:{self._context.partition}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
            access_scope={"type": "cluster"},
            opts=self._child,
        )


def service_cidr(vpc: str) -> str:
    """Addresses of Services: said and not left to EKS, because network policies name them; never the VPC's."""
    first, second = IPv4Network("172.20.0.0/16"), IPv4Network("10.100.0.0/16")
    return str(second if first.overlaps(IPv4Network(vpc)) else first)
