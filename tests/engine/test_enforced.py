"""The cloud that asks IAM: the roles that the stages get may do their work in it, with the clients that they use."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from enforced import EnforcedCloud, enforced

from deftunes_cloud.grants import ResourceArns, document

REGION, ACCOUNT, DATABASE = "eu-west-1", "123456789012", "deftunes_dev_transform"
GLUE = f"arn:aws:glue:{REGION}:{ACCOUNT}"
ROLES = ("extract", "transform", "quality", "lake", "dbt", "verify", "airflow")


@pytest.fixture(scope="module")
def cloud() -> Iterator[EnforcedCloud]:
    """With an encrypted lake, an empty catalog, and every role as grants.py has it."""
    with enforced(REGION) as running:
        key = running.client("kms").create_key()["KeyMetadata"]["Arn"]
        running.client("s3").put_bucket_encryption(
            Bucket="lake",
            ServerSideEncryptionConfiguration={
                "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}]
            },
        )
        running.client("glue").create_database(DatabaseInput={"Name": DATABASE})
        stores = ResourceArns(
            lake="arn:aws:s3:::lake",
            logs="arn:aws:s3:::logs",
            key=key,
            region=REGION,
            glue=(f"{GLUE}:catalog", f"{GLUE}:database/{DATABASE}", f"{GLUE}:table/{DATABASE}/*"),
            warehouse=f"arn:aws:redshift-serverless:{REGION}:{ACCOUNT}:workgroup/1",
            is_serverless=True,
        )
        for role in ROLES:
            make_role(running, role, document(role, stores))
        make_role(running, "no-key", without_key(document("extract", stores)))
        yield running


def make_role(cloud: EnforcedCloud, name: str, policy: dict[str, Any]) -> None:
    iam = cloud.client("iam")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")
    iam.put_role_policy(RoleName=name, PolicyName="it", PolicyDocument=json.dumps(policy))


def without_key(policy: dict[str, Any]) -> dict[str, Any]:
    return policy | {"Statement": [one for one in policy["Statement"] if one["Sid"] != "Key"]}


def refusal(call: Callable[..., object], **given: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**given)
    return str(caught.value.response["Error"]["Code"])


def test_the_porch_writes_its_shelf_and_sees_no_other(cloud: EnforcedCloud) -> None:
    s3 = cloud.client("s3", cloud.keys_of("extract"))
    s3.put_object(Bucket="lake", Key="landing_zone/a", Body=b"1")
    assert s3.get_object(Bucket="lake", Key="landing_zone/a")["Body"].read() == b"1"
    assert s3.list_objects_v2(Bucket="lake", Prefix="landing_zone/")["KeyCount"] == 1
    s3.delete_object(Bucket="lake", Key="landing_zone/a")
    s3.delete_objects(Bucket="lake", Delete={"Objects": [{"Key": "landing_zone/b"}]})
    for key in ("transform_zone/a", "quality/a", "a"):
        assert refusal(s3.put_object, Bucket="lake", Key=key, Body=b"1") == "AccessDenied"
        assert refusal(s3.get_object, Bucket="lake", Key=key) == "AccessDenied"
        assert refusal(s3.head_object, Bucket="lake", Key=key) == "403"
    mixed = {"Objects": [{"Key": "landing_zone/a"}, {"Key": "transform_zone/a"}]}
    assert refusal(s3.delete_objects, Bucket="lake", Delete=mixed) == "AccessDenied"
    source = {"Bucket": "lake", "Key": "transform_zone/a"}
    assert refusal(s3.copy_object, Bucket="lake", Key="landing_zone/c", CopySource=source) == "AccessDenied"
    assert refusal(s3.list_objects_v2, Bucket="lake", Prefix="transform_zone/") == "AccessDenied"
    assert refusal(s3.list_objects_v2, Bucket="lake") == "AccessDenied"
    assert refusal(s3.delete_bucket, Bucket="lake") == "AccessDenied"
    assert refusal(s3.put_bucket_policy, Bucket="lake", Policy="{}") == "AccessDenied"


def test_an_upload_in_parts_needs_the_key_too(cloud: EnforcedCloud) -> None:
    s3 = cloud.client("s3", cloud.keys_of("extract"))
    upload = s3.create_multipart_upload(Bucket="lake", Key="landing_zone/big")["UploadId"]
    place = {"Bucket": "lake", "Key": "landing_zone/big", "UploadId": upload}
    part = s3.upload_part(**place, PartNumber=1, Body=b"1")
    assert len(s3.list_parts(**place)["Parts"]) == 1
    s3.complete_multipart_upload(**place, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
    again = s3.create_multipart_upload(Bucket="lake", Key="landing_zone/big")["UploadId"]
    s3.abort_multipart_upload(Bucket="lake", Key="landing_zone/big", UploadId=again)
    asked = {(one["action"], one["verdict"]) for one in cloud.record("extract")}
    assert {("kms:GenerateDataKey", "allowed"), ("kms:Decrypt", "allowed")} <= asked
    blind = cloud.client("s3", cloud.keys_of("no-key"))
    assert refusal(blind.get_object, Bucket="lake", Key="landing_zone/big") == "AccessDenied"
    assert refusal(blind.put_object, Bucket="lake", Key="landing_zone/big", Body=b"2") == "AccessDenied"


def test_tables_are_made_by_those_who_may_and_dropped_by_nobody(cloud: EnforcedCloud) -> None:
    table = {"DatabaseName": DATABASE, "TableInput": {"Name": "sessions", "Parameters": {"a": "b"}}}
    workshop = cloud.client("glue", cloud.keys_of("transform"))
    workshop.create_table(**table)
    workshop.update_table(**table)
    for role in ("quality", "dbt", "lake"):
        reader = cloud.client("glue", cloud.keys_of(role))
        assert reader.get_table(DatabaseName=DATABASE, Name="sessions")["Table"]["Name"] == "sessions"
    # no stage lists a database; Redshift does
    listing = cloud.client("glue", cloud.keys_of("quality")).get_tables
    assert refusal(listing, DatabaseName=DATABASE) == "AccessDeniedException"
    for role in ("extract", "quality", "dbt", "airflow"):
        assert refusal(cloud.client("glue", cloud.keys_of(role)).update_table, **table) == "AccessDeniedException"
    for role in ROLES:
        glue = cloud.client("glue", cloud.keys_of(role))
        assert refusal(glue.delete_table, DatabaseName=DATABASE, Name="sessions") == "AccessDeniedException"
        assert refusal(glue.delete_database, Name=DATABASE) == "AccessDeniedException"
        assert refusal(glue.get_table, DatabaseName="other", Name="sessions") == "AccessDeniedException"
    assert "glue:DeleteTable" in cloud.refused("lake")[0]


def test_keys_of_nobody_and_other_services_are_refused(cloud: EnforcedCloud) -> None:
    nobody = {"AWS_ACCESS_KEY_ID": "ASIANOBODY", "AWS_SECRET_ACCESS_KEY": "x"}
    assert refusal(cloud.client("s3", nobody).list_buckets) == "AccessDenied"
    keys = cloud.keys_of("lake")
    assert refusal(cloud.client("iam", keys).list_roles) == "AccessDenied"
    administrator = f"arn:aws:iam::{ACCOUNT}:role/administrator"
    become = cloud.client("sts", keys).assume_role
    assert refusal(become, RoleArn=administrator, RoleSessionName="it") == "AccessDenied"
    # what asked.py was never told about is refused too, by its name
    assert refusal(cloud.client("s3", keys).get_bucket_acl, Bucket="lake") == "AccessDenied"
    assert "unknown request" in cloud.refused("lake")[-1]
