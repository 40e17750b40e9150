"""Protection: outside dev, what holds data cannot be deleted by an update, a typing error or a tired person."""

from __future__ import annotations

from collections.abc import Iterator

from .resource_view import UNKNOWN, ResourceView, Rule, violation
from .tags import tag

HOLDS_DATA = (
    "aws:s3/bucket:Bucket",
    "aws:s3/bucketV2:BucketV2",
    # without the key the data is noise
    "aws:kms/key:Key",
    "aws:glue/catalogDatabase:CatalogDatabase",
    "aws:rds/instance:Instance",
    "aws:rds/cluster:Cluster",
    "aws:redshift/cluster:Cluster",
    "aws:redshiftserverless/namespace:Namespace",
)


def is_protected(resource: ResourceView) -> Iterator[str]:
    """What holds data has `protect` on, except in dev. A stack that does not say what it is counts as prod."""
    if resource.kind not in HOLDS_DATA or resource.is_protected:
        return
    environment = tag(resource, "environment")
    if environment not in ("dev", UNKNOWN):
        yield violation(
            resource,
            where="opts.protect",
            expected="true outside dev",
            found=f"false in {environment or 'an environment without a name'}",
            do="Set deftunes:protect to true; docs/aws.md, Teardown, says how to end a stack all the same",
        )


def is_not_emptied(resource: ResourceView) -> Iterator[str]:
    """No bucket is emptied on the way to being deleted: not even in dev, where the word of a person is asked for."""
    if resource.kind.startswith("aws:s3/bucket") and resource.props.get("forceDestroy") is True:
        yield violation(
            resource,
            where="forceDestroy",
            expected="false",
            found="true",
            do="Leave it out: deleting a bucket that holds objects then fails",
        )


RULES = (
    Rule("data-is-protected", "What holds data cannot be deleted outside dev", is_protected),
    Rule("bucket-is-not-emptied", "No bucket deletes its objects along with itself", is_not_emptied),
)
