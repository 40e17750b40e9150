"""The images: one repository a stage, whose tags mean for ever what they meant once.

Named after the stack, so that two stacks may share an account: deftunes-prod/extract. Deletion: protected, and ECR
refuses to delete a repository that holds images.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import pulumi
import pulumi_aws as aws
from pydantic import Field

from deftunes_cloud.base import ConfigSection, StackContext
from deftunes_cloud.keys import make_key

IMAGES = ("extract", "lake", "transform", "quality", "dbt", "airflow", "simulator")
"""What `docker buildx bake release` pushes; the simulator for evaluations in this cluster."""


class RegistrySettings(ConfigSection):
    """How many images of each stage are kept: as many releases as a rollback may want."""

    keep_images: int = Field(30, ge=5)


class Registry(pulumi.ComponentResource):
    """Repositories. Outputs: `host`, `repository` (path before the image's own name), for the chart's `image`."""

    def __init__(
        self,
        name: str,
        context: StackContext,
        settings: RegistrySettings,
        images: Sequence[str] = IMAGES,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("deftunes:cloud:Registry", name, {}, opts)
        keeps = pulumi.ResourceOptions(parent=self, protect=context.is_protected)
        key = make_key(self, context, "registry", "images")
        self.repository = context.name
        made = [
            aws.ecr.Repository(
                image,
                name=f"{self.repository}/{image}",
                image_tag_mutability="IMMUTABLE",
                image_scanning_configuration={"scan_on_push": True},
                encryption_configurations=[{"encryption_type": "KMS", "kms_key": key.arn}],
                force_delete=not context.is_protected,
                opts=keeps,
            )
            for image in images
        ]
        for image, repository in zip(images, made, strict=True):
            aws.ecr.LifecyclePolicy(
                image,
                repository=repository.name,
                policy=json.dumps(lifecycle(settings.keep_images)),
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.host: pulumi.Output[str] = made[0].repository_url.apply(lambda url: url.partition("/")[0])
        self.register_outputs({"host": self.host, "repository": self.repository})


def lifecycle(keep_images: int) -> dict[str, list[dict[str, object]]]:
    """What ECR throws away. It counts an image for several platforms once, and keeps the parts of a kept one."""
    untagged = {
        "rulePriority": 1,
        "description": "pushes that were given up",
        "selection": {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 7},
        "action": {"type": "expire"},
    }
    oldest = {
        "rulePriority": 2,
        "description": "the oldest releases",
        "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": keep_images},
        "action": {"type": "expire"},
    }
    return {"rules": [untagged, oldest]}
