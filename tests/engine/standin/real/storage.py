"""Buckets and what is set on them."""

from __future__ import annotations

from typing import Any

from ..values import Properties
from .maker import Maker, capitals, tag_list


class Bucket(Maker):
    """An S3 bucket, empty at first."""

    service = "s3"

    def create(self, aws: Any, wanted: Properties) -> tuple[str, Properties]:
        place: Properties = {}
        # us-east-1 is the one region that must not be named
        if (region := aws.meta.region_name) != "us-east-1":
            place["CreateBucketConfiguration"] = {"LocationConstraint": region}
        aws.create_bucket(
            Bucket=wanted["bucket"], ObjectLockEnabledForBucket=bool(wanted.get("objectLockEnabled")), **place
        )
        self._tag(aws, wanted["bucket"], wanted)
        return wanted["bucket"], {}

    def update(self, aws: Any, identifier: str, old: Properties, new: Properties) -> None:
        self._tag(aws, identifier, new)

    def remove(self, aws: Any, identifier: str, known: Properties) -> None:
        if known.get("forceDestroy"):
            for page in aws.get_paginator("list_object_versions").paginate(Bucket=identifier):
                for item in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                    aws.delete_object(Bucket=identifier, Key=item["Key"], VersionId=item["VersionId"])
        aws.delete_bucket(Bucket=identifier)

    def find(self, aws: Any, identifier: str, known: Properties) -> Any:
        return aws.head_bucket(Bucket=identifier)

    def _tag(self, aws: Any, bucket: str, wanted: Properties) -> None:
        if tags := tag_list(wanted):
            aws.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
        else:
            aws.delete_bucket_tagging(Bucket=bucket)


class BucketSetting(Maker):
    """Something of a bucket's that is put whole: its id is the bucket's name."""

    service = "s3"

    def put(self, aws: Any, wanted: Properties) -> None:
        """Put it."""
        raise NotImplementedError

    def create(self, aws: Any, wanted: Properties) -> tuple[str, Properties]:
        self.put(aws, wanted)
        return wanted["bucket"], {}

    def update(self, aws: Any, identifier: str, old: Properties, new: Properties) -> None:
        self.put(aws, new)


class Versioning(BucketSetting):
    """Versions of objects; they cannot be switched off again, only suspended."""

    def put(self, aws: Any, wanted: Properties) -> None:
        self._set(aws, wanted["bucket"], wanted["versioningConfiguration"]["status"])

    def remove(self, aws: Any, identifier: str, known: Properties) -> None:
        self._set(aws, identifier, "Suspended")

    def find(self, aws: Any, identifier: str, known: Properties) -> Any:
        return aws.get_bucket_versioning(Bucket=identifier).get("Status")

    def _set(self, aws: Any, bucket: str, status: str) -> None:
        if status != "Disabled":
            aws.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})


class Encryption(BucketSetting):
    """Encryption at rest."""

    def put(self, aws: Any, wanted: Properties) -> None:
        rules = []
        for rule in wanted["rules"]:
            made: Properties = {}
            if default := rule.get("applyServerSideEncryptionByDefault"):
                made["ApplyServerSideEncryptionByDefault"] = {
                    "SSEAlgorithm": default["sseAlgorithm"],
                    **({"KMSMasterKeyID": default["kmsMasterKeyId"]} if default.get("kmsMasterKeyId") else {}),
                }
            if rule.get("bucketKeyEnabled") is not None:
                made["BucketKeyEnabled"] = rule["bucketKeyEnabled"]
            rules.append(made)
        aws.put_bucket_encryption(Bucket=wanted["bucket"], ServerSideEncryptionConfiguration={"Rules": rules})

    def remove(self, aws: Any, identifier: str, known: Properties) -> None:
        aws.delete_bucket_encryption(Bucket=identifier)

    def find(self, aws: Any, identifier: str, known: Properties) -> Any:
        return aws.get_bucket_encryption(Bucket=identifier)


class PublicAccess(BucketSetting):
    """The four locks against the public."""

    def put(self, aws: Any, wanted: Properties) -> None:
        names = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
        locks = {f"{name[0].upper()}{name[1:]}": bool(wanted.get(name)) for name in names}
        aws.put_public_access_block(Bucket=wanted["bucket"], PublicAccessBlockConfiguration=locks)

    def remove(self, aws: Any, identifier: str, known: Properties) -> None:
        aws.delete_public_access_block(Bucket=identifier)

    def find(self, aws: Any, identifier: str, known: Properties) -> Any:
        return aws.get_public_access_block(Bucket=identifier)


class Ownership(BucketSetting):
    """Whose an object is that somebody else puts."""

    def put(self, aws: Any, wanted: Properties) -> None:
        rules = {"Rules": [{"ObjectOwnership": wanted["rule"]["objectOwnership"]}]}
        aws.put_bucket_ownership_controls(Bucket=wanted["bucket"], OwnershipControls=rules)

    def remove(self, aws: Any, identifier: str, known: Properties) -> None:
        aws.delete_bucket_ownership_controls(Bucket=identifier)

    def find(self, aws: Any, identifier: str, known: Properties) -> Any:
        return aws.get_bucket_ownership_controls(Bucket=identifier)


class Policy(BucketSetting):
    """Who may do what."""

    def put(self, aws: Any, wanted: Properties) -> None:
        aws.put_bucket_policy(Bucket=wanted["bucket"], Policy=wanted["policy"])

    def remove(self, aws: Any, identifier: str, known: Properties) -> None:
        aws.delete_bucket_policy(Bucket=identifier)

    def find(self, aws: Any, identifier: str, known: Properties) -> Any:
        return aws.get_bucket_policy(Bucket=identifier)


class Lifecycle(BucketSetting):
    """What ages and goes."""

    def put(self, aws: Any, wanted: Properties) -> None:
        rules = []
        for rule in wanted["rules"]:
            made = capitals({key: item for key, item in rule.items() if key != "id"})
            # the API wants to know which objects; no filter means all of them
            rules.append({"Filter": {"Prefix": ""}, **made, "ID": rule["id"]})
        aws.put_bucket_lifecycle_configuration(Bucket=wanted["bucket"], LifecycleConfiguration={"Rules": rules})

    def remove(self, aws: Any, identifier: str, known: Properties) -> None:
        aws.delete_bucket_lifecycle(Bucket=identifier)

    def find(self, aws: Any, identifier: str, known: Properties) -> Any:
        return aws.get_bucket_lifecycle_configuration(Bucket=identifier)


MAKERS: dict[str, Maker] = {
    "aws:s3/bucket:Bucket": Bucket(),
    "aws:s3/bucketVersioning:BucketVersioning": Versioning(),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": Encryption(),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": PublicAccess(),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": Ownership(),
    "aws:s3/bucketPolicy:BucketPolicy": Policy(),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": Lifecycle(),
}
