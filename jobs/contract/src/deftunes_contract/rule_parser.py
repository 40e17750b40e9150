"""The quality rules of a contract: standard library metrics, and custom rules of the engine `deftunes`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from deftunes_contract.entity import COLUMN_KINDS, INTERVAL_KINDS, ROW_KINDS, Field, Rule, Severity
from deftunes_contract.rule_parameters import parameter_faults
from deftunes_contract.yaml_document import Path, Problem, YamlDocument

_WRITTEN = {"values": "validValues", "length": "minLength"}
"""Parameter → its name in the contract, where that differs."""


class _Fault(ValueError):
    """What is wrong with a rule, and which of its keys are at fault."""

    def __init__(self, message: str, *keys: str) -> None:
        super().__init__(message)
        self.keys = keys


def parse_rules(document: YamlDocument, columns: Sequence[Field]) -> tuple[tuple[Rule, ...], list[Problem]]:
    """The rules of the published table in file order, and what is wrong with others."""
    rules: dict[str, Rule] = {}
    problems = []
    names = [column.name for column in columns]
    texts = {column.name for column in columns if column.type == "string"}
    tables = document.value.get("schema") or [{}]
    for at, quality in enumerate(tables[0].get("quality") or []):
        try:
            rule = replace(_rule(quality, names, texts), overlay=_overlay(document, ("schema", 0, "quality", at)))
            if rule.id in rules:
                raise _Fault("expected an id of its own, found that of another rule of this contract")
            rules[rule.id] = rule
        except _Fault as fault:
            path = _path(document, ("schema", 0, "quality", at), fault.keys)
            problems.append(document.problem(path, f"rule {quality.get('id')}: {fault}"))
    return tuple(rules.values()), problems


def _overlay(document: YamlDocument, rule: Path) -> str | None:
    """What an overlay changed of a rule: `eu.yaml: maxRatio 2.0 → 4, validValues + EUR`; None when it left it alone."""
    changes = {path: before for path, before in document.replaced.items() if path[: len(rule)] == rule}
    if not changes:
        return None
    words = [_change(str(path[-1]), before, document.get(path)) for path, before in changes.items()]
    file = str(document.overlay).rpartition("/")[-1]
    return f"{file}: {', '.join(words)}"


def _change(name: str, before: Any, after: Any) -> str:
    if isinstance(before, list) and isinstance(after, list):
        added, gone = ([str(one) for one in a if one not in b] for a, b in ((after, before), (before, after)))
        return " ".join([name, *(f"+ {one}" for one in added), *(f"- {one}" for one in gone)])
    return f"{name} {before} → {after}"


def _path(document: YamlDocument, rule: Path, keys: Sequence[str]) -> Path:
    """Where the keys of a rule are; of several, where an overlay changed one."""
    holder = "implementation" if "implementation" in document.get(rule) else "arguments"
    paths = [(*rule, key) if key == "severity" else (*rule, holder, _WRITTEN.get(key, key)) for key in keys]
    return next((path for path in paths if path in document.replaced), paths[-1] if paths else rule)


def _rule(quality: Mapping[str, Any], names: Collection[str], texts: Collection[str]) -> Rule:
    if not quality.get("id"):
        raise _Fault("expected an id, found none")
    try:
        severity = Severity(quality.get("severity") or "")
    except ValueError:
        raise _Fault(
            f"severity: expected {', '.join(Severity)}, found {quality.get('severity')!r}", "severity"
        ) from None
    kind, columns, parameters = _parse_metric(quality)
    if not columns and kind in COLUMN_KINDS:
        raise _Fault(f"expected a column for kind {kind}, found none")
    if unknown := set(columns) - set(names):
        found = ", ".join(sorted(unknown))
        raise _Fault(f"expected columns of the table ({', '.join(names)}), found {found}", "columns", "column")
    if kind == "complete" and columns[0] in texts and quality.get("metric") == "nullValues":
        parameters["blank"] = "allowed"
    if severity is Severity.QUARANTINE and kind not in ROW_KINDS:
        raise _Fault(f"kind {kind} checks the whole interval and cannot quarantine a row: use fail or warn", "severity")
    for keys, message in parameter_faults(kind, parameters):
        raise _Fault(message, *keys)
    return Rule(
        id=str(quality["id"]),
        kind=kind,
        severity=severity,
        columns=columns,
        parameters=parameters,
        description=str(quality.get("description") or ""),
        baseline="original" in (quality.get("tags") or []),
    )


def _parse_metric(quality: Mapping[str, Any]) -> tuple[str, tuple[str, ...], dict[str, Any]]:
    """Kind, columns and parameters of a standard library metric or of a `deftunes` custom rule."""
    arguments: dict[str, Any] = dict(quality.get("arguments") or {})
    metric = quality.get("metric")
    if quality.get("type") == "custom" and isinstance(quality.get("implementation"), dict):
        arguments = {str(name): value for name, value in quality["implementation"].items()}
        kind = str(arguments.pop("kind", ""))
    elif metric == "nullValues":
        kind = "complete"
    elif metric == "missingValues":
        if arguments.pop("missingValues", None) != [None, ""]:
            raise _Fault('missingValues must be [null, ""]: null, or nothing that can be seen')
        kind = "complete"
    elif metric == "duplicateValues":
        kind = "unique"
    elif metric == "invalidValues" and "pattern" in arguments:
        kind = "pattern"
    elif metric == "invalidValues" and "validValues" in arguments:
        kind, arguments["values"] = "allowed", arguments.pop("validValues")
    elif metric == "invalidValues" and "minLength" in arguments:
        kind, arguments["length"] = "length", arguments.pop("minLength")
        if arguments.pop("maxLength", None) != arguments["length"]:
            raise _Fault("minLength and maxLength must be equal", "minLength", "maxLength")
    else:
        raise _Fault(f"unknown metric {metric!r} or arguments {', '.join(sorted(arguments)) or 'none'}")
    if kind not in ROW_KINDS | INTERVAL_KINDS:
        raise _Fault(f"unknown kind {kind!r}: expected {', '.join(sorted(ROW_KINDS | INTERVAL_KINDS))}", "kind")
    column = arguments.pop("column", None)
    columns = arguments.pop("columns", [column] if column is not None else [])
    if not isinstance(columns, list) or not all(isinstance(one, str) for one in columns):
        raise _Fault(f"expected column: NAME or columns: [NAME, …], found {columns!r}", "columns", "column")
    return kind, tuple(columns), arguments
