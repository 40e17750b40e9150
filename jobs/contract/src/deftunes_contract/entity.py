"""An entity: what its data contract says, as the few typed facts that stages need.

`contract_parser.py` makes entities from contracts (Open Data Contract Standard v3, YAML); `registry.py` holds them.
Every stage derives from here: source and landing format, Spark types, quarantine checks, expectation suites, publish
order, dbt sources and the page docs/contracts.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from deftunes_contract.http_source import HttpSource
from deftunes_contract.normalise import Step
from deftunes_contract.postgres_source import PostgresSource

QUARANTINE = "quarantine"
"""The table of refused records. It has a contract, but no source and no pipeline."""


class Role(StrEnum):
    """What an entity is in the star schema. Its rank is the publish order: what is looked up comes first."""

    REFERENCE = "reference"
    DIMENSION = "dimension"
    FACT = "fact"

    @property
    def rank(self) -> int:
        """Position in the publish order among entities that do not refer to each other."""
        return list(Role).index(self)


class Severity(StrEnum):
    """What a broken rule does: close the gate, set the record aside, or only say so."""

    FAIL = "fail"
    QUARANTINE = "quarantine"
    WARN = "warn"


ROW_KINDS = frozenset({"complete", "length", "pattern", "allowed", "range", "in_interval", "unique", "conform"})
"""Kinds that check one row (or one key) and can therefore quarantine it."""
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
"""Kinds that check the interval as a whole: severity `fail` or `warn`."""

COLUMN_KINDS = frozenset({
    "complete", "length", "pattern", "allowed", "range", "in_interval", "unique", "uniqueness", "reference",
    "freshness", "unique_across_intervals",
})  # fmt: skip
"""Kinds that look at a column; `unique` may look at several."""


@dataclass(frozen=True)
class Rule:
    """One quality rule. `parameters` by kind:

    complete {blank?} · length {length} · pattern {pattern} · allowed {values} · range {min?, max?} · in_interval - ·
    unique (columns) · conform - · arrived {minRows, minRatio?} · uniqueness {moreThan} · reconcile - ·
    quarantine_share {max} · reference {entity, references, maxUnmatched} · volume {minRatio, maxRatio} ·
    freshness {maxDays} · restatement {maxLoss, retentionDays?} · unique_across_intervals {months} ·
    same_source {minKnown}. `complete` counts a blank text as missing, unless `blank` says that it may be. overlay: what
    an overlay changed, in words: `eu.yaml: maxRatio 2.0 → 4`; None when it changed nothing.
    """

    id: str
    kind: str
    severity: Severity
    columns: tuple[str, ...]
    parameters: dict[str, Any]
    description: str
    baseline: bool
    overlay: str | None = None

    @property
    def column(self) -> str:
        """The one column of a single-column rule."""
        (name,) = self.columns
        return name


@dataclass(frozen=True)
class Field:
    """One column or record field. `type` is an Iceberg type name; `array` and `struct` have `children`.

    normalise: what is done to a text before any rule looks at it, in this order. path: where in the record the value
    of a column is, looked up in the exploded item first and then in the record: `price`, `user_location[3]`. constant:
    the text of a column that is the same in every row and stands in no record.
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
    path: str = ""
    constant: str | None = None


@dataclass(frozen=True)
class Entity:
    """One contract: the source, the landed record, the published table, the rules.

    server: name of the source in `Registry.servers`; source: what is read from it; both are empty for the quarantine.
    explode: the field of a record whose items are the rows of the table; None when a record is a row. amount: the
    column with the money, if there is any. serving_table: for a fact, the dbt model whose rows and money must add up to
    the published ones. digest: sha256 (hex) of the effective contract, overlays included. file: where the contract
    stands, for messages. overlay: the file that changed it, None when none did.
    """

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
    server: str
    source: HttpSource | PostgresSource | None
    explode: str | None
    role: Role
    serving_table: str | None
    digest: str
    file: str
    overlay: str | None = None

    @property
    def key(self) -> tuple[str, ...]:
        """Business key within one `ingest_on`."""
        return tuple(column.name for column in self.columns if column.key)

    @property
    def business_columns(self) -> tuple[str, ...]:
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
