"""Buckets: closed to the public in every way that S3 knows, and encrypted with a key of ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .documents import OF_RESOURCES, allowed, is_for_anybody
from .resource_view import UNKNOWN, ResourceView, Rule, blocks, is_on, violation

BUCKETS = ("aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2")
_BLOCK = ("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",)
_ENCRYPTION = (
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
    "aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2",
)
_LOCKS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
_HAVE_ACL = (
    *BUCKETS,
    "aws:s3/bucketAcl:BucketAcl",
    "aws:s3/bucketAclV2:BucketAclV2",
    "aws:s3/bucketObject:BucketObject",
    "aws:s3/bucketObjectv2:BucketObjectv2",
    "aws:s3/objectCopy:ObjectCopy",
)
_PUBLIC_ACLS = ("public-read", "public-read-write", "authenticated-read")
_EVERYBODY = ("/global/AllUsers", "/global/AuthenticatedUsers")


def block_is_complete(resource: ResourceView) -> Iterator[str]:
    """A block of public access with all four locks."""
    if resource.kind in _BLOCK:
        for lock in _LOCKS:
            if not is_on(resource.props.get(lock)):
                yield violation(
                    resource,
                    where=lock,
                    expected="true",
                    found=resource.props.get(lock),
                    do="Set all four locks: nothing of the platform is for the public",
                )


def has_block(stack: Sequence[ResourceView]) -> Iterator[tuple[str, str]]:
    """Every bucket has such a block."""
    for bucket in _without(stack, _BLOCK):
        sentence = violation(
            bucket,
            where="beside it",
            expected="a BucketPublicAccessBlock of this bucket",
            found="none",
            do="Make buckets with the component Lake, or add the block",
        )
        yield bucket.urn, sentence


def no_public_acl(resource: ResourceView) -> Iterator[str]:
    """No access control list that lets in everybody, or everybody who has any AWS account."""
    if resource.kind not in _HAVE_ACL:
        return
    do = "Leave ACLs out (BucketOwnerEnforced) and grant to roles"
    if resource.props.get("acl") in _PUBLIC_ACLS:
        yield violation(resource, where="acl", expected="private", found=resource.props["acl"], do=do)
    grants = blocks(resource.props.get("grants"))
    for policy in blocks(resource.props.get("accessControlPolicy")):
        grants += blocks(policy.get("grants"))
    for grant in grants:
        for grantee in [grant, *blocks(grant.get("grantee"))]:
            uri = grantee.get("uri")
            if isinstance(uri, str) and uri.endswith(_EVERYBODY):
                yield violation(resource, where="grants", expected="accounts of ours", found=uri, do=do)


def no_public_policy(resource: ResourceView) -> Iterator[str]:
    """No policy of a bucket, key, topic, queue, repository, secret, catalog or role that allows anything to anybody."""
    for where, statement in allowed(resource, OF_RESOURCES):
        if is_for_anybody(statement):
            yield violation(
                resource,
                where=where,
                expected="a principal by its ARN or service",
                found=f"Allow to {'all but some' if 'NotPrincipal' in statement else '*'}",
                do="Name the role or the service that needs it; Deny statements may name everybody",
            )


def has_own_key(stack: Sequence[ResourceView]) -> Iterator[tuple[str, str]]:
    """Every bucket encrypts by default with a KMS key, written into it or beside it."""
    for bucket in _without(stack, _ENCRYPTION):
        inline = blocks(bucket.props.get("serverSideEncryptionConfiguration"))
        if not inline or bucket.kind not in BUCKETS or any(_unencrypted(bucket, inline)):
            sentence = violation(
                bucket,
                where="beside it",
                expected="a BucketServerSideEncryptionConfiguration of this bucket",
                found="none",
                do="Make buckets with the component Lake, or add the configuration with aws:kms",
            )
            yield bucket.urn, sentence


def uses_kms(resource: ResourceView) -> Iterator[str]:
    """A bucket's configuration of encryption names KMS, not S3's own keys."""
    if resource.kind in _ENCRYPTION and resource.props.get("rules") is not UNKNOWN:
        yield from _unencrypted(resource, [resource.props])


def _unencrypted(resource: ResourceView, configurations: Sequence[object]) -> Iterator[str]:
    for configuration in blocks(configurations):
        found = [
            default.get("sseAlgorithm")
            for rule in blocks(configuration.get("rules") or configuration.get("rule"))
            for default in blocks(rule.get("applyServerSideEncryptionByDefault"))
        ]
        if not found or any(name is not UNKNOWN and not str(name).startswith("aws:kms") for name in found):
            yield violation(
                resource,
                where="rules",
                expected="sseAlgorithm aws:kms",
                found=found or "no rule",
                do="Encrypt with the lake's key: reading then needs a right to the key as well",
            )


def _without(stack: Sequence[ResourceView], kinds: Sequence[str]) -> Iterator[ResourceView]:
    """Buckets that no resource of these kinds belongs to: by what its `bucket` comes from, or by the name in it."""
    helpers = [resource for resource in stack if resource.kind in kinds]
    linked = {urn for helper in helpers for urn in helper.uses.get("bucket", ())}
    named = {helper.props.get("bucket") for helper in helpers if isinstance(helper.props.get("bucket"), str)}
    for resource in stack:
        if resource.kind in BUCKETS and resource.urn not in linked:
            names = {resource.props.get("bucket"), resource.props.get("id")} - {None, UNKNOWN}
            if not names & named:
                yield resource


RULES = (
    Rule("public-access-block-complete", "A block of public access has all four locks", block_is_complete),
    Rule("bucket-has-public-access-block", "Every bucket is closed to the public", of_stack=has_block),
    Rule("no-public-acl", "No access control list lets the public in", no_public_acl),
    Rule("no-public-policy", "No resource's policy allows anything to anybody", no_public_policy),
    Rule("bucket-encryption-with-kms", "A bucket's encryption uses a KMS key", uses_kms),
    Rule("bucket-has-encryption", "Every bucket has a default encryption", of_stack=has_own_key),
)
