"""Overlays: what a team changes of a contract without a fork: thresholds, severities, allowed values, patterns.

    kind: ContractOverlay
    entity: sessions
    description: The small shop sells in euros too.
    rules:
      currency_known: {validValues: {add: [EUR]}}
      sessions_volume_warn: {minRatio: 0.2, severity: warn}

Columns, keys, sources and what a rule looks at never change: those make another entity. The changed contract is checked
like any other, with the line of the overlay where a changed value is at fault.
"""

from __future__ import annotations

from typing import Any

from deftunes_contract.yaml_document import Path, Problem, YamlDocument

KIND = "ContractOverlay"
_FIELDS = ("kind", "entity", "description", "rules")
_FIXED = frozenset({
    "id", "type", "engine", "metric", "kind", "column", "columns", "entity", "references", "missingValues", "blank",
    "mustBe", "dimension", "tags", "arguments", "implementation",
})  # fmt: skip
"""Of a rule: what it is and what it looks at."""
_ARGUMENT = {"length": ("minLength", "maxLength")}
_NOT_A_PARAMETER = frozenset({"severity", "description"})


def apply_overlay(contract: YamlDocument, overlay: YamlDocument) -> list[Problem]:
    """Change a contract as an overlay says, value by value; everything that is wrong with the overlay itself."""
    problems = [
        overlay.problem(
            (key,),
            f"expected {', '.join(_FIELDS)}, found {key!r}; an overlay changes rules only, never columns, keys or "
            "sources: a contract of another entity can",
        )
        for key in overlay.value
        if key not in _FIELDS
    ]
    rules = overlay.value.get("rules")
    if not isinstance(rules, dict) or not rules:
        return [*problems, overlay.problem(("rules",), "rules: expected rule id: changes, found none")]
    tables = contract.value.get("schema") or [{}]
    at_of = {rule.get("id"): at for at, rule in enumerate(tables[0].get("quality") or [])}
    for rule_id, changes in rules.items():
        path: Path = ("rules", rule_id)
        if rule_id not in at_of:
            known = ", ".join(sorted(map(str, at_of)))
            problems.append(overlay.problem(path, f"expected a rule of {contract.file} ({known}), found {rule_id!r}"))
        elif not isinstance(changes, dict) or not changes:
            problems.append(overlay.problem(path, f"rule {rule_id}: expected parameter: value, found {changes!r}"))
        else:
            for name, value in changes.items():
                problems += _change(contract, at_of[rule_id], overlay, (*path, name), value)
    return problems


def _change(contract: YamlDocument, at: int, overlay: YamlDocument, path: Path, value: Any) -> list[Problem]:
    name = str(path[-1])
    target: Path = ("schema", 0, "quality", at)
    rule = contract.get(target)
    if name in _FIXED:
        return [
            overlay.problem(path, f"rule {rule['id']}: {name} says what the rule looks at, which no overlay can change")
        ]
    if name in _NOT_A_PARAMETER:
        contract.replace((*target, name), value, overlay.where(path))
        return []
    holder = "implementation" if "implementation" in rule else "arguments"
    if isinstance(value, dict):
        current = rule[holder].get(name)
        if set(value) != {"add"} or not isinstance(value["add"], list) or not isinstance(current, list):
            return [overlay.problem(path, f"rule {rule['id']}: {name}: expected a value, or add: [more] for a list")]
        if double := [one for one in value["add"] if one in current]:
            return [overlay.problem(path, f"rule {rule['id']}: {name}: {double[0]!r} is among the values already")]
        value = [*current, *value["add"]]
    for argument in _ARGUMENT.get(name, (name,)):
        contract.replace((*target, holder, argument), value, overlay.where(path))
    return []
