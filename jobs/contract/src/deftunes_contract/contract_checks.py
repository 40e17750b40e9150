"""What must be true of an entity before any stage reads it: names, paths, types, money, time and the rules it needs.

A fault that would show in the middle of a month (a required column without a rule, money in the wrong place) is found
here instead, with the line of the contract to change.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from deftunes_contract.entity import QUARANTINE, Entity, Field, Role, Severity
from deftunes_contract.http_source import HttpSource
from deftunes_contract.record_path import descend, parse_path
from deftunes_contract.yaml_document import Path, Problem, YamlDocument

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
"""Names of entities, servers and pipelines: a lower-case SQL identifier, short enough for every name made of it."""
_COLUMN = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_RESERVED = re.compile(
    "all|analyse|analyze|and|any|array|as|asc|between|both|case|cast|check|collate|column|constraint|create|cross|"
    "current_date|current_time|current_timestamp|current_user|default|deferrable|desc|distinct|do|else|end|except|false|"
    "for|foreign|from|full|grant|group|having|in|initially|inner|intersect|into|is|join|leading|left|like|limit|minus|"
    "natural|new|not|null|offset|old|on|only|or|order|outer|primary|references|right|select|session_user|set|some|table|"
    "then|to|top|trailing|true|union|unique|update|user|using|values|when|where|with"
)
"""Words that Spark, DuckDB or Redshift read as SQL where a table's name stands."""
_TYPES = re.compile(r"string|int|long|double|boolean|date|timestamp|decimal\(([1-9]|[12]\d|3[0-8]),\d{1,2}\)")
_MONEY = re.compile(r"decimal\(10, ?2\)")
_FOLDER = re.compile(r"landing_zone(/[a-z0-9][a-z0-9_-]*)+")
_MADE = {"ingest_on": "date", "processing_timestamp": "timestamp", "item_no": "int"}
"""Columns that the transform makes, with their types; the first two are in every table."""
FORMATS = {"api": "jsonl", "postgres": "pgcopy"}
"""Type of a server → how its records land."""


def check_entity(entity: Entity, document: YamlDocument) -> list[Problem]:
    """Everything that is wrong with one entity by itself."""
    if entity.name == QUARANTINE:
        return []
    checks = (_names, _table, _record, _time_and_money, _needed_rules)
    return [document.problem(path, message) for check in checks for path, message in check(entity, document)]


Fault = tuple[Path, str]


def _names(entity: Entity, document: YamlDocument) -> Iterator[Fault]:
    table: Path = ("schema", 0, "name")
    if (reserved := _RESERVED.fullmatch(entity.name)) or not NAME.fullmatch(entity.name):
        why = "a reserved word of SQL" if reserved else repr(entity.name)
        yield table, f"expected a name of a-z, 0-9 and _ with at most 40 characters, found {why}; rename the entity"
    if not NAME.fullmatch(entity.pipeline):
        yield (
            fact_path(document, "pipeline"),
            (f"pipeline: expected a name of a-z, 0-9 and _ with at most 40 characters, found {entity.pipeline!r}"),
        )
    if not _FOLDER.fullmatch(entity.landing_folder):
        yield (
            fact_path(document, "landingFolder"),
            (f"landingFolder: expected a folder inside landing_zone/ in lower case, found {entity.landing_folder!r}"),
        )
    if entity.source is not None:
        kind = "api" if isinstance(entity.source, HttpSource) else "postgres"
        if entity.landing_format != FORMATS[kind]:
            yield (
                fact_path(document, "landingFormat"),
                (
                    f"landingFormat: expected {FORMATS[kind]} for a server of type {kind}, found "
                    f"{entity.landing_format!r}"
                ),
            )
    if entity.serving_table is not None and not _COLUMN.fullmatch(entity.serving_table):
        yield (
            fact_path(document, "servingTable"),
            (f"servingTable: expected the name of a dbt model, found {entity.serving_table!r}"),
        )
    if entity.serving_table is not None and entity.role is not Role.FACT:
        yield (
            fact_path(document, "servingTable"),
            (f"servingTable: expected none for role {entity.role}: rows are summed for facts only; remove it"),
        )


def _table(entity: Entity, _: YamlDocument) -> Iterator[Fault]:
    seen: set[str] = set()
    for at, column in enumerate(entity.columns):
        path: Path = ("schema", 0, "properties", at)
        if not _COLUMN.fullmatch(column.name):
            yield path, f"expected a column of a-z, 0-9 and _ with at most 63 characters, found {column.name!r}"
        if column.name in seen:
            yield path, f"expected each column once, found {column.name!r} a second time; remove one"
        seen.add(column.name)
        if not _TYPES.fullmatch(column.type):
            yield (
                (*path, "physicalType"),
                (
                    f"column {column.name}: expected string, int, long, double, boolean, date, timestamp or "
                    f"decimal(p,s), found {column.type!r}"
                ),
            )
        if (made := _MADE.get(column.name)) and column.type != made:
            yield (*path, "physicalType"), f"column {column.name}: expected {made}, found {column.type!r}"
    columns: Path = ("schema", 0, "properties")
    for name in ("ingest_on", "processing_timestamp"):
        if name not in seen:
            yield columns, f"expected the column {name} ({_MADE[name]}), found none; the transform fills it in"
    if entity.partition != ("ingest_on",):
        yield (
            columns,
            (f"expected ingest_on as the one partitioned column, found {', '.join(entity.partition) or 'none'}"),
        )
    if not entity.key:
        yield columns, "expected a business key (primaryKey: true on one or more columns), found none"


def _record(entity: Entity, document: YamlDocument) -> Iterator[Fault]:
    if not entity.record:
        yield ("schema",), "expected the landed record as the second schema, with its fields, found none"
        return
    if entity.explode is not None:
        field = next((f for f in entity.record if f.name == entity.explode), None)
        if field is None or field.type != "array" or [c.type for c in field.children] != ["struct"]:
            yield (
                fact_path(document, "explode"),
                (f"explode: expected a field of the record that is an array of structs, found {entity.explode!r}"),
            )
            return
        if entity.landing_format != "jsonl":
            yield fact_path(document, "explode"), "explode: expected none for rows of a database, found one; remove it"
    for at, column in enumerate(entity.columns):
        if column.name not in _MADE and column.constant is None and source_field(entity, column) is None:
            yield (
                ("schema", 0, "properties", at),
                (
                    f"column {column.name}: expected a field of the record at {column.path!r}, found none; correct the "
                    "custom property path, add the field to the record, or give the column a constant"
                ),
            )


def _time_and_money(entity: Entity, document: YamlDocument) -> Iterator[Fault]:
    columns = {column.name: column for column in entity.columns}
    if entity.role is Role.FACT and entity.event_time is None:
        yield (
            ("customProperties",),
            ("expected eventTime, the column that says when a fact happened, found none; a month could not be checked"),
        )
    elif entity.event_time is not None:
        column = columns.get(entity.event_time)
        if column is None or column.type not in ("timestamp", "date") or column.name in _MADE:
            yield (
                fact_path(document, "eventTime"),
                (f"eventTime: expected a column of type timestamp or date, found {entity.event_time!r}"),
            )
    if entity.role is Role.FACT and entity.amount is None:
        yield (
            ("customProperties",),
            (
                "expected amount, the column with the money of a fact, found none; rows without money have the role "
                "reference or dimension"
            ),
        )
    elif entity.amount is not None:
        column = columns.get(entity.amount)
        if column is None or not _MONEY.fullmatch(column.type):
            yield (
                fact_path(document, "amount"),
                (
                    f"amount: expected a column of type decimal(10,2), found {entity.amount!r}"
                    + (f" of type {column.type}" if column else "")
                ),
            )
        elif entity.explode is not None and not _in_item(entity, column):
            yield (
                fact_path(document, "amount"),
                (
                    f"amount: expected a field of the items of {entity.explode}, found {column.path!r} of the whole "
                    "record, which would be counted once for each item"
                ),
            )


def _needed_rules(entity: Entity, _: YamlDocument) -> Iterator[Fault]:
    """The rules without which a bad row would end a month with a technical error, or be published."""
    rules: Path = ("schema", 0, "quality")
    guarded = {r.column for r in entity.rules_of("complete") if r.severity is Severity.QUARANTINE}
    for at, column in enumerate(entity.columns):
        if column.required and column.name not in {*_MADE, *guarded} and column.constant is None:
            yield (
                _rule_path(entity, "complete", column.name) or ("schema", 0, "properties", at),
                (
                    f"column {column.name} is required: expected a rule missingValues or nullValues of severity "
                    "quarantine, found none; no table takes a row without it"
                ),
            )
    for kind, severity, why in (
        ("conform", Severity.QUARANTINE, "records of another form must be set aside"),
        ("reconcile", Severity.FAIL, "rows landed must equal rows published and quarantined"),
        ("arrived", Severity.FAIL, "an empty delivery must not pass for a month"),
    ):
        if not any(rule.severity is severity for rule in entity.rules_of(kind)):
            yield (
                _rule_path(entity, kind) or rules,
                (f"expected a custom rule of kind {kind} and severity {severity}, found none: {why}"),
            )
    if not any(
        set(r.columns) == set(entity.key) and r.severity is Severity.QUARANTINE for r in entity.rules_of("unique")
    ):
        yield (
            _rule_path(entity, "unique") or rules,
            (
                f"expected a rule duplicateValues of severity quarantine for the key ({', '.join(entity.key)}), found "
                "none: a row must not be counted twice"
            ),
        )


def _rule_path(entity: Entity, kind: str, column: str | None = None) -> Path | None:
    for at, rule in enumerate(entity.rules):
        if rule.kind == kind and column in (None, *rule.columns):
            return "schema", 0, "quality", at, "severity"
    return None


def source_field(entity: Entity, column: Field) -> Field | None:
    """The field of the record (of an item first, where there are items) that a column's path leads to."""
    return _lookup(_item_fields(entity), column.path) or _lookup(entity.record, column.path)


def _in_item(entity: Entity, column: Field) -> bool:
    return _lookup(_item_fields(entity), column.path) is not None


def _item_fields(entity: Entity) -> tuple[Field, ...]:
    field = next((f for f in entity.record if f.name == entity.explode), None)
    return field.children[0].children if field and field.children else ()


def _lookup(fields: tuple[Field, ...], path: str) -> Field | None:
    """The field that a path leads to; None for a path of another form too."""
    steps = parse_path(path)
    return descend(fields, steps) if steps else None


def fact_path(document: YamlDocument, name: str) -> Path:
    """Where the value of a custom property is, or where it is missing."""
    for at, fact in enumerate(document.value.get("customProperties") or []):
        if isinstance(fact, dict) and fact.get("property") == name:
            return "customProperties", at, "value"
    return ("customProperties",)
