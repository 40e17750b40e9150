"""The stand-in's tables and pins against what is installed: a typo in a table would be a rule that never applies."""

from __future__ import annotations

import importlib
import inspect
import re
from importlib.metadata import version

import pytest
from pulumi_binary import MODULE, PACKAGE, VERSION
from standin import replacement, shapes
from standin.real import MAKERS
from standin.wire import VERSION as PROVIDER_VERSION

SPECIAL = {"lambda": "lambda_"}


def camel(name: str) -> str:
    return re.sub(r"_([a-z0-9])", lambda match: match[1].upper(), name.rstrip("_"))


def sdk_class(token: str) -> type:
    module, name = re.fullmatch(r"aws:(\w+)/\w+:(\w+)", token).groups()  # type: ignore[union-attr]
    found = getattr(importlib.import_module(f"pulumi_aws.{SPECIAL.get(module, module)}"), name)
    assert inspect.isclass(found)
    return found


def outputs_of(token: str) -> set[str]:
    return {camel(name) for name, item in vars(sdk_class(token)).items() if isinstance(item, property)}


def inputs_of(token: str) -> set[str]:
    signature = inspect.signature(sdk_class(token)._internal_init)  # type: ignore[attr-defined]
    return {camel(name) for name in signature.parameters}


@pytest.mark.parametrize("token", sorted(shapes.shapes()))
def test_shapes_name_outputs_that_exist(token: str) -> None:
    shape = shapes.shapes()[token]
    known = outputs_of(token)
    assert {*shape.templates, *([shape.named] if shape.named else [])} - known - {"id"} == set()
    assert shape.tagged == ("tagsAll" in known)


@pytest.mark.parametrize("token", sorted(shapes.shapes()))
def test_templates_name_fields_that_exist(token: str) -> None:
    templates = shapes.shapes()[token].templates
    used = set(re.findall(r"\{(\w+)\}", str(templates)))
    places = {"id", "account", "partition", "region", "suffix"}
    unknown = {name for name in used if not re.fullmatch(r"hex\d+", name)} - places - inputs_of(token) - {*templates}
    assert unknown == set()


@pytest.mark.parametrize("token", sorted(replacement.rules()))
def test_replacement_rules_name_inputs_that_exist(token: str) -> None:
    rule = replacement.rules()[token]
    assert {path.partition(".")[0] for path in rule.replace} - inputs_of(token) == set()
    assert token in shapes.shapes()


def test_what_is_made_for_real_has_a_shape() -> None:
    assert set(MAKERS) - set(shapes.shapes()) == set()


def test_engine_sdk_and_provider_are_of_the_pinned_versions() -> None:
    module = (MODULE / "go.mod").read_text()
    assert f"v3 {VERSION}" in module
    assert f"tool {PACKAGE}" in module
    assert f"v{version('pulumi')}" == VERSION
    assert version("pulumi-aws") == PROVIDER_VERSION
