"""Roles that AWS's own policies describe: of the control plane, of nodes, of what runs in kube-system."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_aws as aws

from deftunes_cloud.base import StackContext
from deftunes_cloud.grants import assume_role_policy, on_behalf_of

_TAGGED = ("sts:AssumeRole", "sts:TagSession")


def for_pods(context: StackContext) -> dict[str, Any]:
    """Trust policy: pods that EKS Pod Identity knows may take the role on, in this stack's cluster and in no other."""
    only = on_behalf_of(context.account, cluster_arn(context))
    return assume_role_policy("pods.eks.amazonaws.com", actions=_TAGGED, only=only)


def for_cluster(context: StackContext) -> dict[str, Any]:
    """Trust policy: the control plane of this stack's cluster may take the role on."""
    # docs.aws.amazon.com/eks/latest/userguide/cross-service-confused-deputy-prevention.html
    only = on_behalf_of(context.account, cluster_arn(context))
    return assume_role_policy("eks.amazonaws.com", actions=_TAGGED, only=only)


def cluster_arn(context: StackContext) -> str:
    """ARN of the stack's cluster, known before there is one: a role must be there first."""
    return context.arn("eks", f"cluster/{context.name}")


def service_role(
    component: pulumi.Resource, context: StackContext, name: str, trust: dict[str, Any], policies: Sequence[str]
) -> tuple[aws.iam.Role, list[pulumi.Resource]]:
    """A role with AWS's managed policies, and the attachments, on which whoever uses the role must depend."""
    child = pulumi.ResourceOptions(parent=component)
    role = aws.iam.Role(f"{context.name}-{name}", assume_role_policy=json.dumps(trust), opts=child)
    attached: list[pulumi.Resource] = [
        aws.iam.RolePolicyAttachment(
            f"{context.name}-{name}-{policy}",
            role=role.name,
            policy_arn=f"arn:{context.partition}:iam::aws:policy/{policy}",
            opts=child,
        )
        for policy in policies
    ]
    return role, attached
