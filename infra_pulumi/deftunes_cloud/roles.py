"""Roles made of the documents in `grants`: what the components of this program have to say about identities."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pulumi_aws as aws

from deftunes_cloud.base import StackContext
from deftunes_cloud.catalog import Catalog
from deftunes_cloud.grants import ResourceArns
from deftunes_cloud.lake import Lake


def resource_arns(
    context: StackContext, lake: Lake, catalog: Catalog, warehouse: pulumi.Input[str] = "", is_serverless: bool = True
) -> pulumi.Output[ResourceArns]:
    """The ARNs that documents are made of, as soon as they are known."""
    return pulumi.Output.all(lake.bucket_arn, lake.logs_arn, lake.key_arn, catalog.arns, warehouse).apply(
        lambda known: ResourceArns(
            lake=known[0],
            logs=known[1],
            key=known[2],
            region=context.region,
            glue=tuple(known[3]),
            warehouse=known[4],
            is_serverless=is_serverless,
        )
    )


def make_role(
    component: pulumi.Resource, name: str, trust: dict[str, Any], policy: pulumi.Output[dict[str, Any]]
) -> aws.iam.Role:
    """A role with one document of its own. Its name gets a suffix, so that a replaced one is never trusted by name."""
    child = pulumi.ResourceOptions(parent=component)
    role = aws.iam.Role(name, assume_role_policy=json.dumps(trust), opts=child)
    aws.iam.RolePolicy(name, role=role.name, policy=policy.apply(json.dumps), opts=child)
    return role
