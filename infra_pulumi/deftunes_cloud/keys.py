"""The KMS keys, one a concern: each is made anew every year, and none can be deleted while the stack is protected."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from deftunes_cloud.base import StackContext


def make_key(
    component: pulumi.Resource,
    context: StackContext,
    concern: str,
    what: str,
    *,
    policy: str | None = None,
    wait_days: int = 30,
) -> aws.kms.Key:
    """A key for `what`. Without it what it encrypted is noise, so it waits `wait_days` before it is really deleted.

    `policy` is the key's own, JSON; without one, the account's policies say who may use it.
    """
    return aws.kms.Key(
        f"{concern}-key",
        description=f"{context.name}: {what}",
        enable_key_rotation=True,
        deletion_window_in_days=wait_days,
        policy=policy,
        opts=pulumi.ResourceOptions(parent=component, protect=context.is_protected),
    )
