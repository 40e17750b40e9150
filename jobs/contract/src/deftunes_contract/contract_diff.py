"""What changes between two states of the contracts, and what each change asks of whoever publishes by them.

compatible: published months stay right as they are. restating: a month that is run again may show other rows or be
refused. breaking: a table, a landing folder or a name that people use is another one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from deftunes_contract.contract_checks import fact_path
from deftunes_contract.entity import Entity, Field, Rule, Severity
from deftunes_contract.http_source import HttpSource
from deftunes_contract.registry import Registry
from deftunes_contract.yaml_document import Path, YamlDocument


class Impact(StrEnum):
    """What a change asks for, the mildest first."""

    COMPATIBLE = "compatible"
    RESTATING = "restating"
    BREAKING = "breaking"


@dataclass(frozen=True)
class Difference:
    """One change. `where`: FILE:LINE of the new state, or of the old one where something is gone."""

    entity: str
    impact: Impact
    what: str
    where: str

    def __str__(self) -> str:
        return f"{self.impact:<10} {self.entity}: {self.what} ({self.where})"


@dataclass(frozen=True)
class ContractState:
    """One side of a comparison: the registry, and the documents that it was made of."""

    registry: Registry
    documents: Mapping[str, YamlDocument]


Change = tuple[Impact, str, Path]
_DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")
_LOOSER_UP = frozenset({"max", "maxRatio", "maxUnmatched", "maxDays", "maxLoss"})
_LOOSER_DOWN = frozenset({"min", "minRatio", "minRows", "moreThan", "minKnown", "months", "retentionDays"})
_FACTS: dict[str, tuple[str, Impact]] = {
    "event_time": ("eventTime", Impact.RESTATING),
    "amount": ("amount", Impact.RESTATING),
    "explode": ("explode", Impact.RESTATING),
    "landing_format": ("landingFormat", Impact.RESTATING),
    "server": ("server", Impact.RESTATING),
    "landing_folder": ("landingFolder", Impact.BREAKING),
    "pipeline": ("pipeline", Impact.BREAKING),
    "role": ("role", Impact.COMPATIBLE),
    "serving_table": ("servingTable", Impact.COMPATIBLE),
}
"""Attribute of an entity → its custom property, and what changing it asks for."""


def diff_contracts(before: ContractState, after: ContractState) -> tuple[Difference, ...]:
    """Every change, entity by entity in publish order, those that are gone last."""
    found: list[Difference] = []
    for name in dict.fromkeys((*after.registry.names, *before.registry.names)):
        old, new = before.registry.entities.get(name), after.registry.entities.get(name)
        if new is None:
            found.append(Difference(name, Impact.BREAKING, "entity removed", before.documents[name].where()))
        elif old is None:
            found.append(Difference(name, Impact.COMPATIBLE, "entity added", after.documents[name].where()))
        else:
            document = after.documents[name]
            found += [
                Difference(name, impact, what, document.where(path))
                for impact, what, path in _changes(old, new, document)
            ]
    return tuple(found)


def worst(differences: Sequence[Difference]) -> Impact | None:
    """The gravest impact, None without a change."""
    return max((one.impact for one in differences), key=list(Impact).index, default=None)


def as_json(differences: Sequence[Difference]) -> str:
    """For programs."""
    changes = [asdict(one) for one in differences]
    return json.dumps({"impact": worst(differences), "changes": changes}, indent=2, ensure_ascii=False)


def as_text(differences: Sequence[Difference]) -> str:
    """One line a change, the gravest first."""
    ordered = sorted(differences, key=lambda one: -list(Impact).index(one.impact))
    return "\n".join(map(str, ordered)) or "no change"


def _changes(old: Entity, new: Entity, document: YamlDocument) -> Iterator[Change]:
    yield from _columns(old, new)
    if old.key != new.key:
        yield Impact.BREAKING, f"key: {', '.join(old.key)} → {', '.join(new.key)}", ("schema", 0, "properties")
    if old.partition != new.partition:
        yield Impact.BREAKING, f"partition: {old.partition} → {new.partition}", ("schema", 0, "properties")
    for attribute, (name, impact) in _FACTS.items():
        was, now = getattr(old, attribute), getattr(new, attribute)
        if was != now:
            yield impact, f"{name}: {was or 'none'} → {now or 'none'}", fact_path(document, name)
    if old.server == new.server and old.source != new.source:
        what = "endpoint" if isinstance(new.source, HttpSource) else "relation"
        yield Impact.RESTATING, f"{what}: other data may be read", fact_path(document, what)
    if old.record != new.record:
        added = old.record == new.record[: len(old.record)] or set(old.record) < set(new.record)
        impact = Impact.COMPATIBLE if added else Impact.RESTATING
        yield impact, "the landed record has other fields", ("schema", 1, "properties")
    yield from _rules(old, new)
    if old.version != new.version:
        yield Impact.COMPATIBLE, f"version: {old.version} → {new.version}", ("version",)


def _columns(old: Entity, new: Entity) -> Iterator[Change]:
    before = {column.name: column for column in old.columns}
    for at, column in enumerate(new.columns):
        path: Path = ("schema", 0, "properties", at)
        was = before.pop(column.name, None)
        if was is None and column.required:
            yield Impact.BREAKING, f"column {column.name} added as required: published rows have none", path
        elif was is None:
            yield Impact.COMPATIBLE, f"column {column.name} added", path
        else:
            yield from ((impact, f"column {column.name}: {what}", path) for impact, what in _column(was, column))
    for name in before:
        yield Impact.BREAKING, f"column {name} removed", ("schema", 0, "properties")


def _column(was: Field, now: Field) -> Iterator[tuple[Impact, str]]:
    if was.type != now.type:
        yield Impact.COMPATIBLE if _widens(was.type, now.type) else Impact.BREAKING, f"type {was.type} → {now.type}"
    if was.required != now.required:
        impact = Impact.BREAKING if now.required else Impact.COMPATIBLE
        yield impact, "required: published rows may have none" if now.required else "optional"
    for name in ("normalise", "path", "audit"):
        if getattr(was, name) != getattr(now, name):
            yield Impact.RESTATING, f"{name} {getattr(was, name) or 'none'} → {getattr(now, name) or 'none'}"
    if (was.description, was.pii) != (now.description, now.pii):
        yield Impact.COMPATIBLE, "description or tags"


def _widens(was: str, now: str) -> bool:
    """Whether Iceberg changes the type without touching data: every published value is one of the new type."""
    old, new = _DECIMAL.fullmatch(was), _DECIMAL.fullmatch(now)
    if old and new:
        return old[2] == new[2] and int(old[1]) <= int(new[1])
    return (was, now) == ("int", "long")


def _rules(old: Entity, new: Entity) -> Iterator[Change]:
    before = {rule.id: rule for rule in old.rules}
    for at, rule in enumerate(new.rules):
        path: Path = ("schema", 0, "quality", at)
        was = before.pop(rule.id, None)
        if was is None:
            impact = Impact.COMPATIBLE if rule.severity is Severity.WARN else Impact.RESTATING
            yield impact, f"rule {rule.id} added ({rule.severity})", path
        else:
            yield from ((impact, f"rule {rule.id}: {what}", (*path, *keys)) for impact, what, keys in _rule(was, rule))
    for rule in before.values():
        yield Impact.COMPATIBLE, f"rule {rule.id} removed", ("schema", 0, "quality")


def _rule(was: Rule, now: Rule) -> Iterator[Change]:
    if (was.kind, was.columns) != (now.kind, now.columns):
        yield Impact.RESTATING, f"{was.kind} {', '.join(was.columns)} → {now.kind} {', '.join(now.columns)}", ()
        return
    if was.severity != now.severity:
        lower = now.severity is Severity.WARN
        yield (
            Impact.COMPATIBLE if lower else Impact.RESTATING,
            f"severity {was.severity} → {now.severity}",
            ("severity",),
        )
    for name in sorted({*was.parameters, *now.parameters}):
        old, new = was.parameters.get(name), now.parameters.get(name)
        if old != new:
            loosened = _is_looser(name, old, new)
            word = "loosened" if loosened else "tightened" if _is_looser(name, new, old) else "changed"
            impact = Impact.COMPATIBLE if loosened else Impact.RESTATING
            yield impact, f"{name} {word}: {_shown(old)} → {_shown(new)}", _keys(now, name)


def _keys(rule: Rule, parameter: str) -> Path:
    """Where a parameter of a rule is written."""
    if rule.kind in ("allowed", "length", "pattern", "complete"):
        return "arguments", {"values": "validValues", "length": "minLength"}.get(parameter, parameter)
    return "implementation", parameter


def _is_looser(name: str, old: Any, new: Any) -> bool:
    """Whether whatever passed before still passes."""
    if name == "values":
        return set(old) <= set(new)
    if name == "blank":
        return new is not None
    if name in _LOOSER_UP | _LOOSER_DOWN:
        return new is None or (old is not None and (new > old if name in _LOOSER_UP else new < old))
    return False


def _shown(value: Any) -> str:
    text = "none" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
