"""Rights of Cluster Autoscaler, which is not installed here: it may resize this cluster's groups and look at all."""

from __future__ import annotations

from functools import partial
from typing import Any

import pulumi
import pulumi_aws as aws

from deftunes_cloud.base import StackContext
from deftunes_cloud.roles import make_role
from deftunes_cloud.service_roles import for_pods

NAMESPACE, SERVICE_ACCOUNT = "kube-system", "cluster-autoscaler"
"""Where docs/aws.md installs it, and as whom."""

_HINT = "k8s.io/cluster-autoscaler/node-template/"

# github.com/kubernetes/autoscaler, cluster-autoscaler/cloudprovider/aws/README.md
_LOOKS = (
    "autoscaling:DescribeAutoScalingGroups",
    "autoscaling:DescribeAutoScalingInstances",
    "autoscaling:DescribeLaunchConfigurations",
    "autoscaling:DescribeScalingActivities",
    "autoscaling:DescribeTags",
    "ec2:DescribeImages",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeLaunchTemplateVersions",
    "ec2:GetInstanceTypesFromInstanceRequirements",
)


def allow_autoscaler(component: pulumi.Resource, context: StackContext, cluster_name: pulumi.Output[str]) -> None:
    """Give the autoscaler's pods their role."""
    policy = cluster_name.apply(partial(_document, context))
    role = make_role(component, f"{context.name}-autoscaler", for_pods(context), policy)
    aws.eks.PodIdentityAssociation(
        "autoscaler",
        cluster_name=cluster_name,
        namespace=NAMESPACE,
        service_account=SERVICE_ACCOUNT,
        role_arn=role.arn,
        opts=pulumi.ResourceOptions(parent=component),
    )


def hint_autoscaler(component: pulumi.Resource, group: aws.eks.NodeGroup, pool: str, hints: dict[str, str]) -> None:
    """Tell it what nodes of an empty group would look like: it reads their labels and taints from the group's tags.

    https://github.com/aws/containers-roadmap/issues/724
    """
    for hint, value in hints.items():
        aws.autoscaling.Tag(
            f"{pool}-{hint.split('/')[0]}",
            autoscaling_group_name=group.resources[0].autoscaling_groups[0].name,
            tag={"key": f"{_HINT}{hint}", "value": value, "propagate_at_launch": False},
            opts=pulumi.ResourceOptions(parent=component),
        )


def _document(context: StackContext, cluster: str) -> dict[str, Any]:
    owned = {f"aws:ResourceTag/k8s.io/cluster-autoscaler/{cluster}": "owned"}
    return {
        "Version": "2012-10-17",
        "Statement": [
            # these know no narrower resource
            {"Sid": "Look", "Effect": "Allow", "Action": list(_LOOKS), "Resource": "*"},
            {
                "Sid": "LookIntoGroups",
                "Effect": "Allow",
                "Action": "eks:DescribeNodegroup",
                "Resource": context.arn("eks", f"nodegroup/{cluster}/*"),
            },
            {
                "Sid": "Resize",
                "Effect": "Allow",
                "Action": ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"],
                "Resource": "*",
                "Condition": {"StringEquals": owned},
            },
        ],
    }
