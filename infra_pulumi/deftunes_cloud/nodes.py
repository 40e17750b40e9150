"""Machines of the cluster, in two groups that EKS replaces and mends, and the add-ons that make nodes of them.

drivers    on demand: Airflow, Spark drivers, all stages. What is lost here is a run.
executors  spot, tainted: Spark executors only. What is lost here is computed again.

The groups grow and shrink by Cluster Autoscaler, which this program does not install but gives its rights:
docs/aws.md. Without it they stay at their `min`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_aws as aws
from pydantic import Field, model_validator

from deftunes_cloud.autoscaler import allow_autoscaler, hint_autoscaler
from deftunes_cloud.base import ConfigSection, StackContext
from deftunes_cloud.grants import assume_role_policy
from deftunes_cloud.service_roles import for_pods, service_role

ADDONS: Mapping[str, Mapping[str, str]] = {
    "1.35": {
        "eks-pod-identity-agent": "v1.3.10-eksbuild.2",
        "kube-proxy": "v1.35.0-eksbuild.2",
        "vpc-cni": "v1.21.1-eksbuild.3",
        "coredns": "v1.13.2-eksbuild.1",
    },
    "1.34": {
        "eks-pod-identity-agent": "v1.3.10-eksbuild.2",
        "kube-proxy": "v1.34.0-eksbuild.2",
        "vpc-cni": "v1.20.4-eksbuild.2",
        "coredns": "v1.12.3-eksbuild.1",
    },
}
"""Versions by Kubernetes version. To renew, take what this names as compatible, vpc-cni one minor version at a time:
`aws eks describe-addon-versions --kubernetes-version 1.35 --addon-name coredns`.
"""

POOL = "deftunes/pool"
"""Label of a node: of our own, because the autoscaler must know it before the first node is there."""

SPOT = "spot"
"""Taint of spot nodes, spot=true: what does not tolerate it stays away."""

SPOT_TOLERATED = {"key": SPOT, "operator": "Equal", "value": "true", "effect": "NoSchedule"}


class NodeSettings(ConfigSection):
    """Size of a group: `min` is what it begins with."""

    instance_types: tuple[str, ...] = Field(min_length=1)
    min: int = Field(ge=0)
    max: int = Field(ge=1)
    disk_gb: int = Field(50, ge=20)

    @model_validator(mode="after")
    def _order(self) -> NodeSettings:
        if self.max < self.min:
            raise ValueError(f"max must be at least min ({self.min}), found {self.max}")
        if len({_is_arm(each) for each in self.instance_types}) > 1:
            raise ValueError(f"instance_types must all be x86 or all Graviton, found {', '.join(self.instance_types)}")
        return self

    @property
    def ami_type(self) -> str:
        """EKS's image for these machines; our own images are built for both."""
        return f"AL2023_{'ARM_64' if _is_arm(self.instance_types[0]) else 'x86_64'}_STANDARD"


def _is_arm(instance_type: str) -> bool:
    """Graviton has a g after the generation: m7g.large, c7gn.xlarge."""
    return re.match(r"[a-z]+\d+g", instance_type) is not None


class DriverSettings(NodeSettings):
    """On-demand nodes. Two cores and 8 GiB hold two stages at a time; two of them hold Airflow besides."""

    # the first type that is to be had
    instance_types: tuple[str, ...] = Field(("m7i.large", "m6i.large", "m6a.large"), min_length=1)
    # without one, nothing would start what starts the rest
    min: int = Field(2, ge=1)
    max: int = Field(6, ge=1)


class ExecutorSettings(NodeSettings):
    """Spot nodes, of one size: the autoscaler reckons with the first type."""

    # spot is taken away by type and zone: several types, or executors wait for one
    instance_types: tuple[str, ...] = Field(("m7i.xlarge", "m6i.xlarge", "m6a.xlarge", "m5.xlarge"), min_length=3)
    min: int = Field(0, ge=0)
    max: int = Field(10, ge=1)
    # shuffled blocks of several executors
    disk_gb: int = Field(100, ge=20)


def placement() -> dict[str, dict[str, Any]]:
    """Where pods may run, as the chart's `placement` takes it: `driver` and `executor`."""
    return {
        "driver": {"nodeSelector": {POOL: "drivers"}},
        "executor": {
            "nodeSelector": {POOL: "executors"},
            "tolerations": [SPOT_TOLERATED],
        },
    }


class Nodes(pulumi.ComponentResource):
    """Both groups, their role, and the add-ons."""

    def __init__(
        self,
        name: str,
        context: StackContext,
        version: str,
        groups: Mapping[str, NodeSettings],
        *,
        cluster_name: pulumi.Output[str],
        subnet_ids: Sequence[pulumi.Input[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`groups` by pool: drivers and executors."""
        super().__init__("deftunes:cloud:Nodes", name, {}, opts)
        self._context, self._kubernetes, self._cluster = context, version, cluster_name
        self._child = pulumi.ResourceOptions(parent=self)
        # no shell on a node, and no rights on the network: those are vpc-cni's own
        role, attached = service_role(
            self,
            context,
            "node",
            assume_role_policy("ec2.amazonaws.com"),
            ("AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly"),
        )
        # a node is not ready without these; the agent is first, because vpc-cni has its rights by it
        first: list[pulumi.Resource] = [self._addon("eks-pod-identity-agent"), self._addon("kube-proxy")]
        first.append(self._network_addon(first))
        made = [self._group(pool, size, role, subnet_ids, after=[*attached, *first]) for pool, size in groups.items()]
        self._addon("coredns", after=made)
        allow_autoscaler(self, context, cluster_name)
        self.register_outputs({})

    def _addon(self, name: str, after: Sequence[pulumi.Resource] = (), **more: Any) -> aws.eks.Addon:
        return aws.eks.Addon(
            name,
            cluster_name=self._cluster,
            addon_name=name,
            addon_version=ADDONS[self._kubernetes][name],
            # what somebody changed by kubectl is set right again
            resolve_conflicts_on_create="OVERWRITE",
            resolve_conflicts_on_update="OVERWRITE",
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(after)),
            **more,
        )

    def _network_addon(self, after: Sequence[pulumi.Resource]) -> aws.eks.Addon:
        role, attached = service_role(
            self, self._context, "vpc-cni", for_pods(self._context), ("AmazonEKS_CNI_Policy",)
        )
        return self._addon(
            "vpc-cni",
            after=[*after, *attached],
            # without it the chart's network policies are accepted and mean nothing
            configuration_values=json.dumps({"enableNetworkPolicy": "true"}),
            pod_identity_associations=[{"role_arn": role.arn, "service_account": "aws-node"}],
        )

    def _group(
        self,
        pool: str,
        size: NodeSettings,
        role: aws.iam.Role,
        subnet_ids: Sequence[pulumi.Input[str]],
        after: Sequence[pulumi.Resource],
    ) -> aws.eks.NodeGroup:
        is_spot = pool == "executors"
        template = self._template(pool, size.disk_gb)
        group = aws.eks.NodeGroup(
            pool,
            cluster_name=self._cluster,
            node_role_arn=role.arn,
            subnet_ids=list(subnet_ids),
            version=self._kubernetes,
            ami_type=size.ami_type,
            capacity_type="SPOT" if is_spot else "ON_DEMAND",
            instance_types=list(size.instance_types),
            scaling_config={"min_size": size.min, "max_size": size.max, "desired_size": size.min},
            update_config={"max_unavailable": 1},
            node_repair_config={"enabled": True},
            labels={POOL: pool},
            taints=[{"key": SPOT, "value": "true", "effect": "NO_SCHEDULE"}] if is_spot else [],
            launch_template={"id": template.id, "version": template.latest_version.apply(str)},
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=list(after),
                # how many there are now is the autoscaler's
                ignore_changes=["scalingConfig.desiredSize"],
            ),
        )
        hints = {f"label/{POOL}": pool} | ({f"taint/{SPOT}": "true:NoSchedule"} if is_spot else {})
        hint_autoscaler(self, group, pool, hints)
        return group

    def _template(self, pool: str, disk_gb: int) -> aws.ec2.LaunchTemplate:
        # machines that a group starts do not inherit the provider's tags, and the budget counts by tag
        tags = {"Name": f"{self._context.name}-{pool}", **self._context.tags}
        return aws.ec2.LaunchTemplate(
            pool,
            name_prefix=f"{self._context.name}-{pool}-",
            update_default_version=True,
            # one hop ends at the node: a pod that is not on its network cannot ask for the node's credentials
            metadata_options={
                "http_endpoint": "enabled",
                "http_tokens": "required",
                "http_put_response_hop_limit": 1,
            },
            block_device_mappings=[
                {
                    "device_name": "/dev/xvda",
                    "ebs": {
                        "volume_type": "gp3",
                        "volume_size": disk_gb,
                        "encrypted": "true",
                        "delete_on_termination": "true",
                    },
                }
            ],
            tag_specifications=[{"resource_type": kind, "tags": tags} for kind in ("instance", "volume")],
            opts=self._child,
        )
