"""What it takes to make one type for real, and small things that all services share."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from ..values import Properties

GONE = frozenset(
    (
        *("404", "NoSuchBucket", "NoSuchEntity", "NoSuchBucketPolicy", "NoSuchLifecycleConfiguration"),
        *(
            "NoSuchPublicAccessBlockConfiguration",
            "ServerSideEncryptionConfigurationNotFoundError",
            "OwnershipControlsNotFoundError",
        ),
        *("EntityNotFoundException", "ResourceNotFoundException", "NotFoundException"),
        *("RepositoryNotFoundException", "LifecyclePolicyNotFoundException", "RepositoryPolicyNotFoundException"),
    )
)
"""Error codes that say that a thing is not there."""


class Maker:
    """Of one type, in one service. `wanted` and `known` are a resource's inputs and outputs without wrappers."""

    service = ""

    def create(self, aws: Any, wanted: Properties) -> tuple[str, Properties]:
        """Make it; its id, and the outputs that differ from what was expected."""
        raise NotImplementedError

    def update(self, aws: Any, identifier: str, old: Properties, new: Properties) -> None:
        """Change what can change in place."""
        raise NotImplementedError

    def remove(self, aws: Any, identifier: str, known: Properties) -> None:
        """Remove it."""
        raise NotImplementedError

    def find(self, aws: Any, identifier: str, known: Properties) -> Any:
        """Ask for it; an error or nothing when it is gone."""
        raise NotImplementedError

    def delete(self, aws: Any, identifier: str, known: Properties) -> None:
        """Remove it, if it is there."""
        try:
            self.remove(aws, identifier, known)
        except ClientError as error:
            if error.response["Error"]["Code"] not in GONE:
                raise

    def exists(self, aws: Any, identifier: str, known: Properties) -> bool:
        """Whether it is there."""
        try:
            return bool(self.find(aws, identifier, known))
        except ClientError as error:
            if error.response["Error"]["Code"] in GONE:
                return False
            raise


def given(**arguments: Any) -> Properties:
    """Arguments that have a value: boto3 takes no None."""
    return {key: value for key, value in arguments.items() if value is not None}


def tag_list(wanted: Properties) -> list[dict[str, str]]:
    """All tags as most services want them."""
    return [{"Key": key, "Value": str(value)} for key, value in (wanted.get("tagsAll") or {}).items()]


def capitals(value: Any) -> Any:
    """Pulumi's camelCase as the API's PascalCase, at any depth."""
    if isinstance(value, dict):
        return {f"{key[0].upper()}{key[1:]}": capitals(item) for key, item in value.items() if item is not None}
    return [capitals(item) for item in value] if isinstance(value, list) else value
