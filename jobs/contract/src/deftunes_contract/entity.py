"""Typed reading of the data contracts (Open Data Contract Standard v3, `entities/*.yaml`).

The YAML is parsed and validated by the `open-data-contract-standard` package; this module turns it into the few
facts that stages ask for. Every stage derives from here: Spark types, quarantine checks, expectation suites, dbt
sources and the page docs/contracts.md.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any

from open_data_contract_standard.model import (
    DataQuality,
    OpenDataContractStandard,
    SchemaObject,
    SchemaProperty,
)

from deftunes_contract.errors import UsageError
from deftunes_contract.normalise import Step

ENTITIES = ("users", "sessions", "songs")
"""What a pipeline carries; `quarantine` has a contract too but no source."""


class Severity(StrEnum):
    """What a broken rule does: close the gate, set the record aside, or only say so."""

    FAIL = "fail"
    QUARANTINE = "quarantine"
    WARN = "warn"


ROW_KINDS = frozenset({"complete", "length", "pattern", "allowed", "range", "in_interval", "unique", "conform"})
"""Kinds that judge one row (or one key) and can therefore quarantine it."""
INTERVAL_KINDS = frozenset(
    {
        "arrived",
        "uniqueness",
        "reconcile",
        "quarantine_share",
        "reference",
        "volume",
        "freshness",
        "restatement",
        "unique_across_intervals",
        "same_source",
    }
)
"""Kinds that judge the interval as a whole: severity `fail` or `warn`."""


@dataclass(frozen=True)
class Rule:
    """One quality rule. `parameters` by kind:

    complete {blank?} · length {length} · pattern {pattern} · allowed {values} · range {min?, max?} · in_interval - ·
    unique (columns) · conform - · arrived {minRows, minRatio?} · uniqueness {moreThan} · reconcile - ·
    quarantine_share {max} · reference {entity, references, maxUnmatched} · volume {minRatio, maxRatio} ·
    freshness {maxDays} · restatement {maxLoss, retentionDays?} · unique_across_intervals {months} ·
    same_source {minKnown}. `complete` counts a blank text as missing, unless `blank` says that it may be.
    """

    id: str
    kind: str
    severity: Severity
    columns: tuple[str, ...]
    parameters: dict[str, Any]
    description: str
    original: bool

    @property
    def column(self) -> str:
        """The one column of a single-column rule."""
        (name,) = self.columns
        return name


@dataclass(frozen=True)
class Field:
    """One column or record field. `type` is an Iceberg type name; `array` and `struct` have `children`.

    normalise: what is done to a text before any rule looks at it, in this order.
    """

    name: str
    type: str
    required: bool
    key: bool
    pii: bool
    audit: bool
    description: str
    children: tuple[Field, ...] = ()
    normalise: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Entity:
    """One contract: the published table, the landed record, the rules."""

    name: str
    version: str
    purpose: str
    usage: str
    limitations: str
    grain: str
    columns: tuple[Field, ...]
    record: tuple[Field, ...]
    record_name: str
    rules: tuple[Rule, ...]
    partition: tuple[str, ...]
    landing_folder: str
    landing_format: str
    pipeline: str
    event_time: str | None
    amount: str | None

    @property
    def key(self) -> tuple[str, ...]:
        """Business key within one `ingest_on`."""
        return tuple(column.name for column in self.columns if column.key)

    @property
    def content(self) -> tuple[str, ...]:
        """Columns that count when two states are compared: all but the audit columns."""
        return tuple(column.name for column in self.columns if not column.audit)

    def column(self, name: str) -> Field:
        """The column of this name. Raises KeyError."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.name} has no column {name!r}")

    def rules_of(self, *kinds: str) -> tuple[Rule, ...]:
        """The rules of these kinds, in file order."""
        return tuple(rule for rule in self.rules if rule.kind in kinds)

    def refuses_blank(self, rule: Rule) -> bool:
        """Whether a rule `complete` counts a text that shows nothing (see normalise.py) as missing."""
        return rule.kind == "complete" and self.column(rule.column).type == "string" and "blank" not in rule.parameters

    def rule(self, rule_id: str) -> Rule:
        """The rule of this id. Raises KeyError."""
        for rule in self.rules:
            if rule.id == rule_id:
                return rule
        raise KeyError(f"{self.name} has no rule {rule_id!r}")


@cache
def load(name: str) -> Entity:
    """Read one contract. Raises UsageError for an unknown entity, ValueError for a contract that breaks its form."""
    source = files("deftunes_contract") / "entities" / f"{name}.yaml"
    if not source.is_file():
        raise UsageError(f"expected one of {', '.join(ENTITIES)}, found entity {name!r}")
    document = OpenDataContractStandard.from_string(source.read_text(encoding="utf-8"))
    table, *records = document.schema_ or []
    facts = {p.property: p.value for p in document.customProperties or []}
    columns = tuple(_field(p) for p in table.properties or [])
    described = document.description
    return Entity(
        name=name,
        version=document.version or "",
        purpose=_text(described.purpose if described else None),
        usage=_text(described.usage if described else None),
        limitations=_text(described.limitations if described else None),
        grain=_text(table.dataGranularityDescription),
        columns=columns,
        record=tuple(_field(p) for p in records[0].properties or []) if records else (),
        record_name=_text(records[0].physicalName) if records else "",
        rules=_rules(name, table, {column.name for column in columns}),
        partition=tuple(p.name or "" for p in table.properties or [] if p.partitioned),
        landing_folder=_text(facts.get("landingFolder")),
        landing_format=_text(facts.get("landingFormat")),
        pipeline=_text(facts.get("pipeline")),
        event_time=facts.get("eventTime"),
        amount=facts.get("amount"),
    )


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _field(source: SchemaProperty) -> Field:
    nested = source.properties or ([source.items] if source.items else [])
    return Field(
        name=_text(source.name),
        type=_text(source.physicalType),
        required=bool(source.required),
        key=bool(source.primaryKey),
        pii="pii" in (source.tags or []),
        audit="audit" in (source.tags or []),
        description=_text(source.description),
        children=tuple(_field(child) for child in nested),
        normalise=_steps(source),
    )


def _steps(source: SchemaProperty) -> tuple[Step, ...]:
    """The steps of the custom property `normalise`, in the order in which they are applied."""
    facts = {p.property: p.value for p in source.customProperties or []}
    named: list[str] = list(facts.get("normalise") or [])
    if unknown := set(named) - set(Step):
        raise ValueError(f"column {source.name}: normalise knows {', '.join(Step)}, found {sorted(unknown)}")
    if named and source.physicalType != "string":
        raise ValueError(f"column {source.name}: only a string can be normalised, found {source.physicalType}")
    return tuple(step for step in Step if step in named)


def _rules(entity: str, table: SchemaObject, columns: set[str]) -> tuple[Rule, ...]:
    texts = {p.name for p in table.properties or [] if p.physicalType == "string"}
    rules = tuple(_rule(entity, quality, texts) for quality in table.quality or [])
    ids = [rule.id for rule in rules]
    if len(set(ids)) != len(ids):
        raise ValueError(f"contract {entity}: two rules share an id: {sorted(i for i in ids if ids.count(i) > 1)}")
    for rule in rules:
        if unknown := set(rule.columns) - columns:
            raise ValueError(f"contract {entity}: rule {rule.id} names unknown columns {sorted(unknown)}")
    return rules


def _rule(entity: str, quality: DataQuality, texts: Collection[str | None]) -> Rule:
    where = f"contract {entity}: rule {quality.id!r}"
    if not quality.id:
        raise ValueError(f"contract {entity}: a rule has no id: {quality}")
    try:
        severity = Severity(quality.severity or "")
    except ValueError:
        raise ValueError(f"{where}: severity must be fail, quarantine or warn, found {quality.severity!r}") from None
    kind, columns, parameters = _meaning(where, quality)
    if kind == "complete" and columns[0] in texts and quality.metric == "nullValues":
        parameters["blank"] = "allowed"
    if severity is Severity.QUARANTINE and kind not in ROW_KINDS:
        raise ValueError(f"{where}: kind {kind!r} judges the whole interval and cannot quarantine a row")
    return Rule(
        id=quality.id,
        kind=kind,
        severity=severity,
        columns=columns,
        parameters=parameters,
        description=_text(quality.description),
        original="original" in (quality.tags or []),
    )


def _meaning(where: str, quality: DataQuality) -> tuple[str, tuple[str, ...], dict[str, Any]]:
    """Kind, columns and parameters of a standard library metric or of a `deftunes` custom rule."""
    arguments: dict[str, Any] = dict(quality.arguments or {})
    if quality.type == "custom" and isinstance(quality.implementation, dict):
        arguments = dict(quality.implementation)
        kind = str(arguments.pop("kind", ""))
    elif quality.metric == "nullValues":
        kind = "complete"
    elif quality.metric == "missingValues":
        if arguments.pop("missingValues", None) != [None, ""]:
            raise ValueError(f'{where}: missingValues must be [null, ""]: null, or nothing that can be seen')
        kind = "complete"
    elif quality.metric == "duplicateValues":
        kind = "unique"
    elif quality.metric == "invalidValues" and "pattern" in arguments:
        kind = "pattern"
    elif quality.metric == "invalidValues" and "validValues" in arguments:
        kind, arguments["values"] = "allowed", arguments.pop("validValues")
    elif quality.metric == "invalidValues" and "minLength" in arguments:
        kind, arguments["length"] = "length", arguments.pop("minLength")
        if arguments.pop("maxLength", None) != arguments["length"]:
            raise ValueError(f"{where}: minLength and maxLength must be equal")
    else:
        raise ValueError(f"{where}: unknown metric {quality.metric!r} or arguments {sorted(arguments)}")
    if kind not in ROW_KINDS | INTERVAL_KINDS:
        raise ValueError(f"{where}: unknown kind {kind!r}")
    column = arguments.pop("column", None)
    columns = tuple(arguments.pop("columns", [column] if column else []))
    return kind, columns, arguments
