"""From what the checks said to what the gate says: one `RuleResult` per rule of the contract, in its order.

Pure. A rule holds when all its checks do; a rule that was neither judged nor skipped is a bug of the gate, and the
gate says so instead of opening.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from deftunes_contract.entity import Rule
from deftunes_contract.errors import StageError
from deftunes_contract.gate import RuleResult
from deftunes_quality.checks import Facts
from deftunes_quality.suites import Suite
from deftunes_quality.validation import Judged


def rule_results(
    facts: Facts, suite: Suite, judged: Sequence[Judged], examples: Mapping[str, tuple[str, ...]]
) -> tuple[RuleResult, ...]:
    """What each rule said. examples: for rules that are judged by figures, by rule id. Raises StageError."""
    return tuple(_result(rule, facts, suite, judged, examples.get(rule.id, ())) for rule in facts.entity.rules)


def _result(rule: Rule, facts: Facts, suite: Suite, judged: Sequence[Judged], examples: tuple[str, ...]) -> RuleResult:
    own = [one for one in judged if one.check.rule.id == rule.id]
    skipped = suite.skipped.get(rule.id)
    if bool(own) == bool(skipped):
        raise StageError(f"rule {rule.id} of {facts.entity.name} was {'skipped and ' if own else 'never '}judged")
    broken = [one for one in own if not one.passed]
    told = broken or own
    failing = [_failing(one, facts) for one in broken]
    return RuleResult(
        id=rule.id,
        kind=rule.kind,
        severity=rule.severity,
        passed=not broken,
        observed=_together(told),
        expected="; ".join(one.check.expected for one in told),
        # the checks of a restatement count the same lost rows
        failing_count=max(failing, default=0) if rule.kind == "restatement" else sum(failing),
        examples=tuple(text for one in broken for text in one.examples) or (examples if broken else ()),
        skipped=skipped,
        description=rule.description,
        allowed=next((one.check.allowed for one in own if one.check.allowed), None),
        note=next((one.check.note for one in own if one.check.note), None),
    )


def _told(one: Judged) -> str | float | None:
    """What was found, in the check's own words where it has some."""
    return one.check.found or _observed(one)


def _together(told: Sequence[Judged]) -> str | float | None:
    """The one figure of a rule; nulls and blanks, which both count as missing, are one figure too."""
    if told and told[0].check.rule.kind == "complete":
        return float(sum(int(one.found["unexpected_count"] or 0) for one in told))
    return _told(told[0]) if len(told) == 1 else ", ".join(map(_labelled, told)) or None


def _labelled(one: Judged) -> str:
    """One of several figures of a rule: `rows 40`."""
    value = _told(one)
    return f"{one.check.part} {f'{value:.12g}' if isinstance(value, float) else value}"


def _observed(one: Judged) -> str | float | None:
    """The figure that was measured: how many rows break a rule about rows, or the value that has bounds."""
    value = one.found.get("observed_value", one.found.get("unexpected_count"))
    if isinstance(value, list):
        return float(len(value)) if one.passed else ", ".join(map(str, value))
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return None if value is None else float(value)


def _failing(one: Judged, facts: Facts) -> int:
    """Rows that break a rule, 0 where the rule is not about single rows."""
    kind, found = one.check.rule.kind, one.found
    if "unexpected_count" in found:
        return int(found["unexpected_count"])
    if kind == "uniqueness":
        return round((1 - float(found["observed_value"])) * facts.staged.rows)
    if kind == "reference":
        return facts.unmatched[one.check.rule.id].unmatched
    if kind == "restatement" and facts.restatement is not None:
        return facts.restatement.expired if one.check.part else facts.restatement.lost_rows
    if kind == "unique_across_intervals":
        return sum(other.keys for other in facts.elsewhere[one.check.rule.id])
    if kind == "quarantine_share":
        return facts.staged.quarantined_units
    return 0
