"""Roles that AWS's own policies describe: of the control plane, of nodes, of what runs in kube-system."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_aws as aws

from deftunes_cloud.grants import trusted
from deftunes_cloud.section import Place

PODS = trusted("pods.eks.amazonaws.com", actions=("sts:AssumeRole", "sts:TagSession"))
"""Trust policy: pods that EKS Pod Identity knows may take the role on."""


def service_role(
    component: pulumi.Resource, place: Place, name: str, trust: dict[str, Any], policies: Sequence[str]
) -> tuple[aws.iam.Role, list[pulumi.Resource]]:
    """A role with AWS's managed policies, and the attachments, on which whoever uses the role must depend."""
    child = pulumi.ResourceOptions(parent=component)
    role = aws.iam.Role(f"{place.name}-{name}", assume_role_policy=json.dumps(trust), opts=child)
    attached: list[pulumi.Resource] = [
        aws.iam.RolePolicyAttachment(
            f"{place.name}-{name}-{policy}",
            role=role.name,
            policy_arn=f"arn:{place.partition}:iam::aws:policy/{policy}",
            opts=child,
        )
        for policy in policies
    ]
    return role, attached
