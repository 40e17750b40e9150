"""The buckets and the catalog: closed, encrypted, versioned, protected; and what their settings refuse."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from mocked import Built
from pydantic import ValidationError

from deftunes_cloud.base import StackContext
from deftunes_cloud.catalog import Catalog
from deftunes_cloud.lake import Lake, LakeSettings

PURPOSES = ("lake", "logs")


@pytest.fixture
def lake(build: Callable[..., Built]) -> Built:
    return build(lambda context: Lake("lake", context, LakeSettings()))


def test_everything_is_a_child_of_the_component(lake: Built) -> None:
    assert not lake.orphans()


@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_bucket_is_closed_encrypted_and_versioned(purpose: str, lake: Built) -> None:
    name = lake.one("aws.s3.Bucket", purpose)["bucket"]
    block = lake.one("aws.s3.BucketPublicAccessBlock", purpose)
    assert all(
        block[way]
        for way in ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets")
    )
    assert lake.one("aws.s3.BucketVersioning", purpose)["versioning_configuration"] == {"status": "Enabled"}
    (rule,) = lake.one("aws.s3.BucketServerSideEncryptionConfiguration", purpose)["rules"]
    assert rule["apply_server_side_encryption_by_default"]["sse_algorithm"] == "aws:kms"
    assert rule["apply_server_side_encryption_by_default"]["kms_master_key_id"] == lake.outputs["key_arn"]
    assert lake.one("aws.s3.BucketOwnershipControls", purpose)["rule"] == {"object_ownership": "BucketOwnerEnforced"}
    (statement,) = json.loads(lake.one("aws.s3.BucketPolicy", purpose)["policy"])["Statement"]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert statement["Resource"] == [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"]
    for made in lake:
        if made.kind.startswith("aws.s3.") and made.name == purpose:
            assert made["bucket"] == name


def test_only_what_can_be_fetched_again_expires(lake: Built) -> None:
    expiring = {
        (made.name, rule["filter"]["prefix"]): rule["expiration"]["days"]
        for made in lake.all("aws.s3.BucketLifecycleConfiguration")
        for rule in made["rules"]
        if "days" in rule.get("expiration", {})
    }
    assert expiring == {("lake", "landing_zone/"): 365, ("logs", ""): 90}


def test_what_holds_data_is_protected(build: Callable[..., Built], lake: Built, open_place: StackContext) -> None:
    kept = {(made.kind, made.name) for made in lake if made.protect}
    assert kept == {("aws.s3.Bucket", "lake"), ("aws.s3.Bucket", "logs"), ("aws.kms.Key", "lake-key")}
    assert not any(made.protect for made in build(lambda context: Lake("lake", context, LakeSettings()), open_place))
    assert not any(made.get("force_destroy") for made in lake)


def test_the_key_is_renewed_every_year(lake: Built) -> None:
    assert lake.one("aws.kms.Key")["enable_key_rotation"] is True


def test_names_carry_account_and_region_and_no_other(lake: Built) -> None:
    assert lake.outputs["url"] == "s3://deftunes-dev-lake-123456789012-us-west-2"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"landing_days": 30, "noncurrent_days": 31}, "noncurrent_days must not exceed landing_days"),
        ({"landing_days": 1}, "greater than or equal to 30"),
        ({"landing": 400}, "Extra inputs are not permitted"),
    ],
)
def test_settings_that_contradict_themselves_are_refused(given: dict[str, int], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        LakeSettings.model_validate(given)


def test_the_catalog_is_named_after_the_stack_and_protected(build: Callable[..., Built]) -> None:
    built = build(lambda context: Catalog("catalog", context, lake_url="s3://somewhere"))
    database = built.one("aws.glue.CatalogDatabase")
    assert database["name"] == "deftunes_dev_transform"
    assert database["location_uri"] == "s3://somewhere/transform_zone"
    assert database.protect
    assert not built.orphans()
    assert built.outputs["arns"] == [
        "arn:aws:glue:us-west-2:123456789012:catalog",
        "arn:aws:glue:us-west-2:123456789012:database/deftunes_dev_transform",
        "arn:aws:glue:us-west-2:123456789012:table/deftunes_dev_transform/*",
    ]
