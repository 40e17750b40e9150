"""IAM documents as they sit in resources: found, read, and taken apart into statements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .resource_view import ResourceView, blocks, from_json, texts

# what an identity may do
OF_IDENTITIES: Mapping[str, str] = {
    "aws:iam/rolePolicy:RolePolicy": "policy",
    "aws:iam/policy:Policy": "policy",
    "aws:iam/userPolicy:UserPolicy": "policy",
    "aws:iam/groupPolicy:GroupPolicy": "policy",
}
# who may do something to a resource. A VPC endpoint's policy is not among them: it opens a road, it grants nothing
OF_RESOURCES: Mapping[str, str] = {
    "aws:s3/bucketPolicy:BucketPolicy": "policy",
    "aws:s3/bucket:Bucket": "policy",
    "aws:s3/bucketV2:BucketV2": "policy",
    "aws:kms/key:Key": "policy",
    "aws:kms/keyPolicy:KeyPolicy": "policy",
    "aws:sns/topic:Topic": "policy",
    "aws:sns/topicPolicy:TopicPolicy": "policy",
    "aws:sqs/queue:Queue": "policy",
    "aws:sqs/queuePolicy:QueuePolicy": "policy",
    "aws:ecr/repositoryPolicy:RepositoryPolicy": "policy",
    "aws:secretsmanager/secret:Secret": "policy",
    "aws:secretsmanager/secretPolicy:SecretPolicy": "policy",
    "aws:glue/resourcePolicy:ResourcePolicy": "policy",
    "aws:iam/role:Role": "assumeRolePolicy",
}


def allowed(resource: ResourceView, homes: Mapping[str, str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every Allow statement of a resource's document, with where it stands."""
    where = homes.get(resource.kind)
    if where is not None:
        yield from _allows(where, resource.props.get(where))


def inline(role: ResourceView) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every Allow statement of the policies that are written into a role itself."""
    if role.kind == "aws:iam/role:Role":
        for index, block in enumerate(blocks(role.props.get("inlinePolicies"))):
            yield from _allows(f"inlinePolicies[{index}]", block.get("policy"))


def actions(statement: Mapping[str, Any]) -> list[str]:
    """Of a statement; NotAction gives nearly everything away, and counts as everything."""
    return ["*"] if "NotAction" in statement else texts(statement.get("Action"))


def resources(statement: Mapping[str, Any]) -> list[str]:
    """Of a statement; NotResource counts as everything."""
    return ["*"] if "NotResource" in statement else texts(statement.get("Resource"))


def is_for_anybody(statement: Mapping[str, Any]) -> bool:
    """Whether the statement names no principal in particular. A condition may narrow it; none of ours needs to."""
    if "NotPrincipal" in statement:
        return True
    principal = statement.get("Principal")
    return principal == "*" or (isinstance(principal, Mapping) and "*" in texts(principal.get("AWS")))


def _allows(where: str, document: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    read = from_json(document)
    if isinstance(read, Mapping):
        for index, statement in enumerate(blocks(read.get("Statement"))):
            if statement.get("Effect") == "Allow":
                yield f"{where}, statement {statement.get('Sid') or index}", statement
