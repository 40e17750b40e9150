"""The policy pack in the engine: a program that breaks every rule is refused by every rule, and a right one passes.

tests/infra/test_policies.py has the rules one by one; here it is the pack as `up --policy-pack policies` runs it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest
from program import Stack

PACK = Path(__file__).resolve().parents[2] / "infra_pulumi" / "policies"
sys.path.insert(0, str(PACK.parent))

from policies.rules import ALL  # noqa: E402

EVERYBODY = "0.0.0.0/0"


def wrong() -> None:
    """One mistake a rule, and all without tags."""
    aws.s3.Bucket("open", acl="public-read", force_destroy=True)
    half = aws.s3.Bucket("half")
    aws.s3.BucketPublicAccessBlock("half", bucket=half.bucket, block_public_acls=True)
    aws.s3.BucketServerSideEncryptionConfiguration(
        "half", bucket=half.bucket, rules=[{"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}}]
    )
    aws.s3.BucketPolicy("half", bucket=half.bucket, policy=document("s3:GetObject", "arn:aws:s3:::half/*", "*"))
    trust = document("sts:AssumeRole", None, {"Service": "ec2.amazonaws.com"})
    role = aws.iam.Role("admin", assume_role_policy=trust)
    aws.iam.RolePolicy("admin", role=role.name, policy=document("*", "*"))
    aws.iam.RolePolicyAttachment("admin", role=role.name, policy_arn="arn:aws:iam::aws:policy/AdministratorAccess")
    aws.sns.Topic("plain")
    aws.kms.Key("old")
    aws.vpc.SecurityGroupIngressRule(
        "all", security_group_id="sg-1", ip_protocol="tcp", from_port=22, to_port=22, cidr_ipv4=EVERYBODY
    )
    aws.vpc.SecurityGroupEgressRule("out", security_group_id="sg-1", ip_protocol="-1", cidr_ipv4=EVERYBODY)
    aws.iam.Role("deputy", assume_role_policy=document("sts:AssumeRole", None, {"Service": "pods.eks.amazonaws.com"}))
    aws.rds.Instance(
        "seen",
        instance_class="db.t4g.micro",
        username="x",
        password="y",
        storage_encrypted=True,
        publicly_accessible=True,
    )
    aws.eks.Cluster("seen", role_arn=role.arn, vpc_config={"subnet_ids": ["subnet-1"]})


def right() -> pulumi.ResourceOptions:
    """The same as it should be, some of it known only when the rest is made. Returns options for more."""
    tags = {"platform": "deftunes", "environment": "prod", "managed_by": "pulumi"}
    by = pulumi.ResourceOptions(provider=aws.Provider("aws", region="eu-west-1", default_tags={"tags": tags}))
    keeps = pulumi.ResourceOptions.merge(by, pulumi.ResourceOptions(protect=True))
    key = aws.kms.Key("key", enable_key_rotation=True, opts=keeps)
    bucket = aws.s3.Bucket("lake", opts=keeps)
    aws.s3.BucketPublicAccessBlock(
        "lake",
        bucket=bucket.bucket,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
        opts=by,
    )
    default = {"sse_algorithm": "aws:kms", "kms_master_key_id": key.arn}
    rules: Any = [{"apply_server_side_encryption_by_default": default}]
    aws.s3.BucketServerSideEncryptionConfiguration("lake", bucket=bucket.bucket, rules=rules, opts=by)
    role = aws.iam.Role(
        "reader", assume_role_policy=document("sts:AssumeRole", None, {"Service": "ec2.amazonaws.com"}), opts=by
    )
    policy = bucket.arn.apply(lambda arn: document("s3:GetObject", f"{arn}/*"))
    aws.iam.RolePolicy("reader", role=role.name, policy=policy, opts=by)
    aws.sns.Topic("alarms", kms_master_key_id=key.arn, opts=by)
    return by


def document(action: str, resource: str | None, principal: object = None) -> str:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource, "Principal": principal}
    told = {name: value for name, value in statement.items() if value is not None}
    return json.dumps({"Version": "2012-10-17", "Statement": [told]})


def test_a_wrong_program_is_refused_by_every_rule(stack: Callable[..., Stack]) -> None:
    made = stack(wrong, policies=[PACK])
    run = made.preview(refused=True)
    assert {violation.policy for violation in run.violations} == {rule.name for rule in ALL}
    assert {violation.level for violation in run.violations} == {"mandatory"}
    # each complaint is filed with the resource that it names
    for violation in run.violations:
        assert f"{violation.urn.rpartition('::')[2]!r}" in violation.message
    made.up(refused=True)
    assert made.standin.memory.calls == []


def test_a_right_program_passes_and_nothing_is_silenced_by_what_is_not_known_yet(stack: Callable[..., Stack]) -> None:
    made = stack(lambda: right() and None, policies=[PACK])
    for run in (made.preview(), made.up()):
        # a rule that could not be run says so as a remark
        assert [violation.message for violation in run.violations] == []


@pytest.mark.parametrize("is_known", [True, False])
def test_a_mistake_is_refused_before_it_is_made_even_if_no_preview_can_see_it(
    stack: Callable[..., Stack], is_known: bool
) -> None:
    def program() -> None:
        by = right()
        role = aws.iam.Role("late", assume_role_policy=document("sts:AssumeRole", None, {"Service": "ec2"}), opts=by)
        wide = document("*", "*")
        policy = wide if is_known else role.arn.apply(lambda _: wide)
        aws.iam.RolePolicy("late", role=role.name, policy=policy, opts=by)

    made = stack(program, policies=[PACK], name=f"late-{is_known}")
    assert {violation.policy for violation in made.preview(refused=is_known).violations} == (
        {"no-star-on-star"} if is_known else set()
    )
    run = made.up(refused=True)
    assert {violation.policy for violation in run.violations} == {"no-star-on-star"}
    assert "late" not in {
        resource["urn"].rpartition("::")[2] for resource in made.resources() if resource["type"].endswith(":RolePolicy")
    }
