"""The images: tags that never change meaning, a scan of each, and enough of them for a rollback."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from mocked import PLACE, Built
from pydantic import ValidationError

from deftunes_cloud.base import StackContext
from deftunes_cloud.registry import IMAGES, Registry, RegistrySettings

Build = Callable[..., Built]
BAKE = Path(__file__).resolve().parents[2] / "docker-bake.hcl"


def make(**given: object) -> Callable[[StackContext], Registry]:
    settings = RegistrySettings.model_validate(given)
    return lambda context: Registry("registry", context, settings)


def test_every_image_of_the_bake_file_has_a_repository() -> None:
    group = re.search(r'group "default" \{\s*targets = \[(.*?)\]', BAKE.read_text(encoding="utf-8"))
    assert group
    assert set(re.findall(r'"(\w+)"', group[1])) == set(IMAGES)


def test_repositories_are_safe(build: Build) -> None:
    built = build(make())
    made = built.all("aws.ecr.Repository")
    assert {each["name"] for each in made} == {f"deftunes-dev/{image}" for image in IMAGES}
    key = "arn:aws:kms:us-west-2:123456789012:registry-key-id"
    for each in made:
        assert each["image_tag_mutability"] == "IMMUTABLE"
        assert each["image_scanning_configuration"] == {"scan_on_push": True}
        assert each["encryption_configurations"] == [{"encryption_type": "KMS", "kms_key": key}]
        assert each["force_delete"] is False
        assert each.protect
    assert not built.orphans()


def test_an_open_stack_lets_go_of_images(build: Build) -> None:
    built = build(make(), replace(PLACE, is_protected=False))
    assert all(each["force_delete"] and not each.protect for each in built.all("aws.ecr.Repository"))


def test_the_oldest_go_and_what_was_given_up(build: Build) -> None:
    built = build(make(keep_images=12))
    policies = built.all("aws.ecr.LifecyclePolicy")
    assert len(policies) == len(IMAGES)
    untagged, oldest = json.loads(policies[0]["policy"])["rules"]
    assert (untagged["selection"]["tagStatus"], untagged["selection"]["countNumber"]) == ("untagged", 7)
    assert (oldest["selection"]["countType"], oldest["selection"]["countNumber"]) == ("imageCountMoreThan", 12)


def test_outputs_make_the_name_of_an_image(build: Build) -> None:
    outputs = build(make()).outputs
    assert outputs == {"host": "123456789012.dkr.ecr.us-west-2.amazonaws.com", "repository": "deftunes-dev"}


def test_refuses_to_keep_too_few_for_a_rollback() -> None:
    with pytest.raises(ValidationError, match="greater than or equal to 5"):
        RegistrySettings.model_validate({"keep_images": 1})
