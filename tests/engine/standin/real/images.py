"""Repositories of container images."""

from __future__ import annotations

from typing import Any

from ..values import Properties
from .maker import Maker, given, tag_list


class Repository(Maker):
    """One image's store."""

    service = "ecr"

    def create(self, aws: Any, wanted: Properties) -> tuple[str, Properties]:
        encryption = (wanted.get("encryptionConfigurations") or [None])[0]
        made = aws.create_repository(
            repositoryName=wanted["name"],
            imageTagMutability=wanted.get("imageTagMutability") or "MUTABLE",
            tags=tag_list(wanted),
            **given(
                imageScanningConfiguration=wanted.get("imageScanningConfiguration"),
                encryptionConfiguration=encryption
                and given(encryptionType=encryption.get("encryptionType") or "AES256", kmsKey=encryption.get("kmsKey")),
            ),
        )["repository"]
        return wanted["name"], {"arn": made["repositoryArn"], "repositoryUrl": made["repositoryUri"]}

    def update(self, aws: Any, identifier: str, old: Properties, new: Properties) -> None:
        aws.put_image_tag_mutability(
            repositoryName=identifier, imageTagMutability=new.get("imageTagMutability") or "MUTABLE"
        )
        scanning = new.get("imageScanningConfiguration") or {"scanOnPush": False}
        aws.put_image_scanning_configuration(repositoryName=identifier, imageScanningConfiguration=scanning)
        aws.tag_resource(resourceArn=new["arn"], tags=tag_list(new))

    def remove(self, aws: Any, identifier: str, known: Properties) -> None:
        aws.delete_repository(repositoryName=identifier, force=bool(known.get("forceDelete")))

    def find(self, aws: Any, identifier: str, known: Properties) -> Any:
        return aws.describe_repositories(repositoryNames=[identifier])["repositories"]


class Lifecycle(Maker):
    """Which images go."""

    service = "ecr"

    def create(self, aws: Any, wanted: Properties) -> tuple[str, Properties]:
        aws.put_lifecycle_policy(repositoryName=wanted["repository"], lifecyclePolicyText=wanted["policy"])
        return wanted["repository"], {}

    def update(self, aws: Any, identifier: str, old: Properties, new: Properties) -> None:
        self.create(aws, new)

    def remove(self, aws: Any, identifier: str, known: Properties) -> None:
        aws.delete_lifecycle_policy(repositoryName=identifier)

    def find(self, aws: Any, identifier: str, known: Properties) -> Any:
        return aws.get_lifecycle_policy(repositoryName=identifier)


MAKERS: dict[str, Maker] = {
    "aws:ecr/repository:Repository": Repository(),
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": Lifecycle(),
}
