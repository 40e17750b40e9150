"""The buckets: one for the lake, one for logs. Encrypted with a key of our own, closed to the public and to plain HTTP.

Deletion: both are protected (`protect`), versions are kept, and Pulumi refuses to delete a bucket that holds objects
(`force_destroy` stays off).
"""

from __future__ import annotations

import json

import pulumi
import pulumi_aws as aws
from pydantic import Field, model_validator

from deftunes_cloud.base import ConfigSection, StackContext
from deftunes_cloud.keys import make_key

Rule = aws.s3.BucketLifecycleConfigurationRuleArgsDict


class LakeSettings(ConfigSection):
    """How long the lake keeps what it no longer needs, in days."""

    # landed files can be fetched again only while the source keeps them: a year covers a restatement
    landing_days: int = Field(365, ge=30)
    # what was overwritten or deleted, for the day somebody finds out
    noncurrent_days: int = Field(30, ge=1)
    log_days: int = Field(90, ge=7)

    @model_validator(mode="after")
    def _order(self) -> LakeSettings:
        if self.noncurrent_days > self.landing_days:
            raise ValueError("noncurrent_days must not exceed landing_days: the old would outlive the current")
        return self


class Lake(pulumi.ComponentResource):
    """Bucket, key, and what protects them.

    Outputs: `bucket`, `bucket_arn`, `url` (s3://bucket, DEFTUNES_LAKE), `logs_bucket`, `logs_arn`, `key_arn`.
    """

    def __init__(
        self, name: str, context: StackContext, settings: LakeSettings, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("deftunes:cloud:Lake", name, {}, opts)
        self._context = context
        self._keeps = pulumi.ResourceOptions(parent=self, protect=context.is_protected)
        key = make_key(self, context, "lake", "lake and logs")
        aws.kms.Alias("lake-key", name=f"alias/{context.name}-lake", target_key_id=key.key_id, opts=self._child())
        self.key_arn = key.arn
        lake = self._bucket(
            "lake", key, [_expire_after("landing_zone/", settings.landing_days)], settings.noncurrent_days
        )
        logs = self._bucket("logs", key, [_expire_after("", settings.log_days)], settings.noncurrent_days)
        self.bucket, self.bucket_arn = lake.bucket, lake.arn
        self.logs_bucket, self.logs_arn = logs.bucket, logs.arn
        self.url = pulumi.Output.concat("s3://", lake.bucket)
        self.register_outputs({"url": self.url, "logs_bucket": self.logs_bucket})

    def _child(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self)

    def _bucket(self, purpose: str, key: aws.kms.Key, expired: list[Rule], noncurrent_days: int) -> aws.s3.Bucket:
        """A bucket with everything that a bucket of ours has."""
        # S3's names are the world's: the account's number makes this one ours, and a lost stack can find it again
        bucket = aws.s3.Bucket(
            purpose,
            bucket=f"{self._context.name}-{purpose}-{self._context.account}-{self._context.region}",
            opts=self._keeps,
        )
        name, child = bucket.bucket, self._child()
        aws.s3.BucketVersioning(purpose, versioning_configuration={"status": "Enabled"}, bucket=name, opts=child)
        aws.s3.BucketServerSideEncryptionConfiguration(
            purpose,
            rules=[
                {
                    "apply_server_side_encryption_by_default": {
                        "sse_algorithm": "aws:kms",
                        "kms_master_key_id": key.arn,
                    },
                    # a data key for many objects: a hundredth of the calls to KMS
                    "bucket_key_enabled": True,
                }
            ],
            bucket=name,
            opts=child,
        )
        aws.s3.BucketPublicAccessBlock(
            purpose,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            bucket=name,
            opts=child,
        )
        aws.s3.BucketOwnershipControls(
            purpose, rule={"object_ownership": "BucketOwnerEnforced"}, bucket=name, opts=child
        )
        aws.s3.BucketPolicy(purpose, policy=bucket.arn.apply(tls_only), bucket=name, opts=child)
        aws.s3.BucketLifecycleConfiguration(
            purpose, rules=[*expired, _cleanup_rule(noncurrent_days)], bucket=name, opts=child
        )
        return bucket


def tls_only(bucket_arn: str) -> str:
    """Bucket policy, JSON: nobody, however entitled, reads or writes by plain HTTP."""
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "TlsOnly",
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "s3:*",
                    "Resource": [bucket_arn, f"{bucket_arn}/*"],
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                }
            ],
        }
    )


def _expire_after(prefix: str, days: int) -> Rule:
    return Rule(
        id=f"expire-{prefix.rstrip('/') or 'all'}",
        status="Enabled",
        filter={"prefix": prefix},
        expiration={"days": days},
    )


def _cleanup_rule(noncurrent_days: int) -> Rule:
    """What nobody sees any more: old versions, markers of deletions, uploads that were killed half-way."""
    return Rule(
        id="tidy",
        status="Enabled",
        filter={"prefix": ""},
        noncurrent_version_expiration={"noncurrent_days": noncurrent_days},
        expiration={"expired_object_delete_marker": True},
        abort_incomplete_multipart_upload={"days_after_initiation": 3},
    )
