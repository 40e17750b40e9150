"""What AWS would answer: ids, ARNs, endpoints and other computed outputs of each type, and names that are made up.

Deterministic: the same resource has the same answers in every run. A replacement is another resource and has others.
The table is shapes.toml.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from .values import UNKNOWN, Properties, bare, holds_unknown

TABLE = Path(__file__).with_name("shapes.toml")
ACCOUNT = "123456789012"
"""moto's account too: what is real there and what is only remembered agree."""
PARTITION = "aws"
SUFFIX = "amazonaws.com"
DOCUMENTS = frozenset(("policy", "assumeRolePolicy", "accessPolicy"))
"""Inputs that the SDK takes as objects too; the provider turns them into JSON."""
_GLOBAL = ("aws:iam/", "aws:budgets/", "aws:route53/")


@dataclass(frozen=True)
class Shape:
    """Of one type. named: the property a name is made up for, if any; templates: of outputs, the id's among them."""

    named: str | None
    tagged: bool
    templates: dict[str, Any]


UNKNOWN_TYPE = Shape(None, False, {"id": "{hex17}"})
"""What a type gets that the table does not know: an id, and no outputs."""


@cache
def shapes() -> dict[str, Shape]:
    """The table, read once."""
    table = tomllib.loads(TABLE.read_text())
    reserved = ("named", "tags")
    return {
        kind: Shape(entry.get("named"), entry.get("tags", False), {k: v for k, v in entry.items() if k not in reserved})
        for kind, entry in table.items()
    }


def shape_of(kind: str) -> Shape:
    """A type's shape, known or not."""
    return shapes().get(kind, UNKNOWN_TYPE)


@dataclass(frozen=True)
class Place:
    """Where the provider is configured to work, and with which tags."""

    region: str
    default_tags: Properties


def documents(inputs: Properties) -> Properties:
    """Policies given as objects become JSON, as the provider makes them."""
    made = dict(inputs)
    for key in DOCUMENTS & made.keys():
        if isinstance(bare(made[key]), dict):
            made[key] = UNKNOWN if holds_unknown(made[key]) else json.dumps(bare(made[key]))
    return made


def made_up(kind: str, name: str, seed: bytes) -> str:
    """A unique name: the resource's own and seven digits, as the provider does it; buckets know no capitals."""
    return f"{name.lower() if kind.startswith('aws:s3/') else name}-{hashlib.sha256(seed).hexdigest()[:7]}"


def tags_all(kind: str, inputs: Properties, place: Place) -> Properties | None:
    """All tags of a taggable resource: the provider's defaults under its own. None for another."""
    if not shape_of(kind).tagged:
        return None
    own = inputs.get("tags")
    return {**place.default_tags, **own} if isinstance(own, dict) else own or dict(place.default_tags)


def outputs(kind: str, inputs: Properties, place: Place, seed: str | None, identifier: str | None = None) -> Properties:
    """Inputs and what AWS computes of them. seed None: in a preview, where nothing computed is known yet.

    The id is among them, as "id". A template of an output that the program set itself fills in only what is missing.
    Write-only arguments (…Wo) are not: AWS gets them, the state does not.
    """
    known = {key: value for key, value in inputs.items() if not (key.endswith("Wo") or key.startswith("__"))}
    if not kind.startswith(_GLOBAL):
        known.setdefault("region", place.region)
    answer = {**known, "tagsAll": tags_all(kind, inputs, place)}
    templates = shape_of(kind).templates
    if seed is None:
        unknown = {key: _unknown(template) for key, template in templates.items() if key != "id"}
        return {**answer, **{key: _under(item, known.get(key)) for key, item in unknown.items()}}
    fields = {"account": ACCOUNT, "partition": PARTITION, "suffix": SUFFIX, "region": place.region, **bare(known)}
    fill = _Fill(seed, fields)
    fields["id"] = identifier or fill.text("id", templates["id"], templates)
    for key, template in templates.items():
        answer[key] = _under(fill.value(key, template, templates), answer.get(key))
    answer["id"] = fields["id"]
    return answer


def updated(kind: str, old: Properties, inputs: Properties, place: Place) -> Properties:
    """Outputs after an update: what was computed stays, an input that is gone is gone."""
    fresh = outputs(kind, inputs, place, None)
    for key, template in shape_of(kind).templates.items():
        if key in old and key not in inputs:
            fresh[key] = old[key]
        elif isinstance(template, dict) and isinstance(old.get(key), dict) and isinstance(inputs.get(key), dict):
            fresh[key] = {**{name: old[key].get(name) for name in template}, **inputs[key]}
    return fresh


def _unknown(template: Any) -> Any:
    return dict.fromkeys(template, UNKNOWN) if isinstance(template, dict) else UNKNOWN


def _under(computed: Any, given: Any) -> Any:
    if isinstance(computed, dict) and isinstance(given, dict):
        return {**computed, **given}
    return computed if given is None else given


@dataclass(frozen=True)
class _Fill:
    """Fills templates in. seed: what makes one resource's digits differ from another's."""

    seed: str
    fields: dict[str, Any]

    def value(self, key: str, template: Any, templates: dict[str, Any]) -> Any:
        """A template at any depth."""
        if isinstance(template, dict):
            return {name: self.value(f"{key}.{name}", item, templates) for name, item in template.items()}
        if isinstance(template, list):
            return [self.value(f"{key}.{index}", item, templates) for index, item in enumerate(template)]
        return self.text(key, template, templates) if isinstance(template, str) else template

    def text(self, key: str, template: str, templates: dict[str, Any]) -> str:
        """A template; one output may name another, or an input that is not there (then empty)."""

        def replace(match: re.Match[str]) -> str:
            name = match[1]
            if digits := re.fullmatch(r"hex(\d+)", name):
                # `match.start()`: two groups of digits in one template differ
                whole = hashlib.sha256(f"{self.seed}/{key}/{match.start()}".encode()).hexdigest()
                return whole[: int(digits[1])]
            if name in self.fields:
                return str(self.fields[name])
            return self.text(name, templates[name], templates) if name in templates else ""

        return re.sub(r"\{(\w+)\}", replace, template)
