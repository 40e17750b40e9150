"""The stand-in under the real engine, with a small program: is what it answers what a provider would answer?"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3
import pulumi
import pulumi_aws as aws
import pytest
from program import Secret, Stack

CONFIG = {
    "aws:region": "eu-west-1",
    "bucket": "deftunes-lake",
    "versions": "Enabled",
    "keep": True,
    "password": Secret("correct-horse-battery"),
}
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "pods.eks.amazonaws.com"}}
        ],
    }
)
EVERYTHING = ["catalogue", "job", "lake", "lake-closed", "lake-versions", "read", "read-job", "token", "token-value"]


def program() -> None:
    """A bucket with its settings, a database in it, somebody who may read it, and a secret."""
    config = pulumi.Config()
    protect = pulumi.ResourceOptions(protect=config.require_bool("keep"))
    zones = aws.get_availability_zones(state="available")
    lake = aws.s3.Bucket("lake", bucket=config.require("bucket"), tags={"room": "lake"}, opts=protect)
    aws.s3.BucketVersioning(
        "lake-versions", bucket=lake.id, versioning_configuration={"status": config.require("versions")}
    )
    aws.s3.BucketPublicAccessBlock("lake-closed", bucket=lake.id, block_public_acls=True, block_public_policy=True)
    aws.glue.CatalogDatabase("catalogue", name="lake", location_uri=lake.bucket.apply(lambda name: f"s3://{name}/"))
    role = aws.iam.Role("job", assume_role_policy=TRUST)
    document = aws.iam.get_policy_document_output(
        statements=[{"actions": ["s3:GetObject"], "resources": [lake.arn.apply(lambda arn: f"{arn}/*")]}]
    )
    policy = aws.iam.Policy("read", policy=document.json)
    aws.iam.RolePolicyAttachment("read-job", role=role.name, policy_arn=policy.arn)
    token = aws.secretsmanager.Secret("token", recovery_window_in_days=0)
    aws.secretsmanager.SecretVersion("token-value", secret_id=token.id, secret_string=config.require_secret("password"))
    pulumi.export("bucket", lake.arn)
    pulumi.export("role", role.arn)
    pulumi.export("zones", zones.names)
    pulumi.export("password", config.require_secret("password"))


@pytest.fixture(scope="module")
def lake(stack: Callable[..., Stack], moto: str) -> Stack:
    """The program's stack with moto behind it; tests of this file walk through its life in order."""
    return stack(program, CONFIG, endpoint=moto)


@pytest.fixture(scope="module")
def ask(moto: str) -> Callable[[str], Any]:
    """boto3 clients of moto."""

    def client(service: str) -> Any:
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        return boto3.client(service, endpoint_url=moto, region_name="eu-west-1", **keys)  # type: ignore[call-overload]

    return client


def test_preview_writes_nothing(lake: Stack, ask: Callable[[str], Any]) -> None:
    run = lake.preview()
    assert run.of("create") == EVERYTHING
    assert run.step("lake").protected
    assert lake.standin.memory.calls == []
    assert lake.resources() == []
    assert "deftunes-lake" not in [bucket["Name"] for bucket in ask("s3").list_buckets()["Buckets"]]


def test_up_makes_everything_for_real(lake: Stack, ask: Callable[[str], Any]) -> None:
    run = lake.up()
    assert run.of("create") == EVERYTHING
    assert run.outputs["bucket"] == "arn:aws:s3:::deftunes-lake"
    assert run.outputs["zones"] == ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
    assert run.secret_outputs == {"password"}
    assert lake.standin.memory.unknown_types == set()

    s3, iam = ask("s3"), ask("iam")
    assert s3.get_bucket_versioning(Bucket="deftunes-lake")["Status"] == "Enabled"
    assert s3.get_bucket_location(Bucket="deftunes-lake")["LocationConstraint"] == "eu-west-1"
    assert s3.get_bucket_tagging(Bucket="deftunes-lake")["TagSet"] == [{"Key": "room", "Value": "lake"}]
    closed = s3.get_public_access_block(Bucket="deftunes-lake")["PublicAccessBlockConfiguration"]
    assert closed["BlockPublicAcls"]
    assert not closed["RestrictPublicBuckets"]
    assert ask("glue").get_database(Name="lake")["Database"]["LocationUri"] == "s3://deftunes-lake/"
    name = run.outputs["role"].rpartition("/")[2]
    assert iam.get_role(RoleName=name)["Role"]["Arn"] == run.outputs["role"]
    (policy,) = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    version = iam.get_policy_version(PolicyArn=policy["PolicyArn"], VersionId="v1")["PolicyVersion"]
    assert version["Document"]["Statement"][0]["Resource"] == "arn:aws:s3:::deftunes-lake/*"
    (secret,) = ask("secretsmanager").list_secrets()["SecretList"]
    assert ask("secretsmanager").get_secret_value(SecretId=secret["ARN"])["SecretString"] == "correct-horse-battery"


def test_up_again_changes_nothing(lake: Stack) -> None:
    before = len(lake.standin.memory.calls)
    run = lake.up()
    assert run.of("same") == EVERYTHING
    assert run.changes == ()
    assert len(lake.standin.memory.calls) == before


def test_secrets_are_nowhere_in_plain_text(lake: Stack) -> None:
    files = list(lake.files())
    assert any(file.name == "test.json" for file in files)
    assert [file for file in files if b"correct-horse-battery" in file.read_bytes()] == []
    (value,) = [item for item in lake.resources() if item["urn"].endswith("::token-value")]
    assert "ciphertext" in value["inputs"]["secretString"]
    assert "ciphertext" in value["outputs"]["secretString"]


def test_a_setting_is_updated_in_place(lake: Stack, ask: Callable[[str], Any]) -> None:
    lake.config = {**CONFIG, "versions": "Suspended"}
    step = lake.preview().step("lake-versions")
    assert (step.op, step.changed, step.replacing) == ("update", ("versioningConfiguration",), ())
    assert step.paths == {"versioningConfiguration.status": "update"}
    assert [change.name for change in lake.up().changes] == ["lake-versions"]
    assert ask("s3").get_bucket_versioning(Bucket="deftunes-lake")["Status"] == "Suspended"


def test_a_new_name_is_a_replacement_and_protection_refuses_it(lake: Stack) -> None:
    lake.config = {**CONFIG, "bucket": "deftunes-other"}
    run = lake.preview(refused=True)
    assert "unable to replace resource" in run.said
    assert "marked for protection" in run.said
    lake.config = CONFIG


def test_without_protection_the_plan_shows_what_is_replaced(lake: Stack) -> None:
    lake.config = {**CONFIG, "keep": False}
    lake.up()
    lake.config = {**CONFIG, "keep": False, "bucket": "deftunes-other"}
    run = lake.preview()
    assert run.of("replace") == ["lake", "lake-closed", "lake-versions"]
    assert run.step("lake", "replace").replacing == ("bucket",)
    assert run.of("update") == ["catalogue", "read"]
    lake.config = CONFIG
    lake.up()


def test_a_replacement_happens(stack: Callable[..., Stack]) -> None:
    other = stack(program, {**CONFIG, "bucket": "first", "keep": False})
    other.up()
    other.config = {**CONFIG, "bucket": "second", "keep": False}
    run = other.up()
    assert run.of("create-replacement") == ["lake", "lake-closed", "lake-versions"]
    buckets = [key for key in other.standin.memory.resources if key[0] == "aws:s3/bucket:Bucket"]
    assert buckets == [("aws:s3/bucket:Bucket", "second")]
    assert other.up().changes == ()


def test_what_is_gone_in_the_cloud_is_seen(lake: Stack, ask: Callable[[str], Any]) -> None:
    ask("glue").delete_database(Name="lake")
    assert lake.refresh().summary.get("delete") == 1
    assert lake.up().of("create") == ["catalogue"]


def test_destroy_is_refused_while_something_is_protected(lake: Stack, ask: Callable[[str], Any]) -> None:
    before = len(lake.standin.memory.calls)
    run = lake.destroy(refused=True)
    assert "cannot be deleted" in run.said
    assert "because it is protected" in run.said
    assert len(lake.standin.memory.calls) == before
    ask("s3").head_bucket(Bucket="deftunes-lake")


def test_without_a_preview_protection_saves_the_protected_alone(lake: Stack, ask: Callable[[str], Any]) -> None:
    """Worth knowing before `pulumi destroy --yes --skip-preview`, in CI for example: all the rest is gone."""
    run = lake.destroy(refused=True, skip_preview=True)
    assert "because it is protected" in run.said
    assert [item["urn"].rpartition("::")[2] for item in lake.resources() if item.get("protect")] == ["lake"]
    ask("s3").head_bucket(Bucket="deftunes-lake")
    assert ask("secretsmanager").list_secrets()["SecretList"] == []
    assert lake.up().of("create") == [name for name in EVERYTHING if name != "lake"]


def test_destroy_after_unprotecting(lake: Stack, ask: Callable[[str], Any]) -> None:
    lake.config = {**CONFIG, "keep": False}
    lake.up()
    run = lake.destroy()
    assert run.of("delete") == EVERYTHING
    assert lake.resources() == []
    assert lake.standin.memory.resources == {}
    assert "deftunes-lake" not in [bucket["Name"] for bucket in ask("s3").list_buckets()["Buckets"]]
    assert ask("secretsmanager").list_secrets()["SecretList"] == []
