"""The gate's decision: one `RuleResult` per rule of the contract, in its order, and the `GateResult` made of them.

Pure, and importable without Great Expectations, because a gate that failed itself needs a result too. A rule passes
when all its checks do; a rule that was neither checked nor skipped is a bug of the gate, which then stays closed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from deftunes_contract.entity import Rule
from deftunes_contract.errors import StageError
from deftunes_contract.gate import GateResult, RuleResult
from deftunes_quality.interval_under_test import StagedInterval

if TYPE_CHECKING:  # importing it imports Great Expectations
    from deftunes_quality.gx_runner import CheckResult


def gate_result(staged: StagedInterval, rules: tuple[RuleResult, ...]) -> GateResult:
    """Open when every rule passes that is not a mere warning. Without a report yet."""
    result = GateResult(
        entity=staged.entity.name,
        ingest_on=staged.interval.ingest_on,
        run_id=staged.run_id,
        table=staged.table,
        snapshot_id=staged.snapshot_id,
        passed=False,
        judged_at=datetime.now(UTC),
        rules=rules,
        replaces=staged.public.snapshot_id,
        contract_digest=staged.entity.digest,
        overlay=staged.entity.overlay,
    )
    return result.model_copy(update={"passed": not result.failed_rules})


def failed_gate(staged: StagedInterval, fault: Exception) -> GateResult:
    """The result of a gate that failed itself: closed, and every rule says why it was not checked.

    The fault's text stays in the log, because it may quote rows.
    """
    rules = tuple(
        RuleResult(
            id=rule.id,
            kind=rule.kind,
            severity=rule.severity,
            passed=False,
            observed=f"not checked: the gate failed with {type(fault).__name__}, see the log of this run",
            expected="",
            description=rule.description,
            overlay=rule.overlay,
        )
        for rule in staged.entity.rules
    )
    return gate_result(staged, rules).model_copy(update={"passed": False})


def rule_results(
    staged: StagedInterval, results: Sequence[CheckResult], skipped: Mapping[str, str]
) -> tuple[RuleResult, ...]:
    """The result of each rule of the contract. skipped: rule id → reason. Raises StageError."""
    return tuple(_result(rule, staged, results, skipped.get(rule.id)) for rule in staged.entity.rules)


def _result(rule: Rule, staged: StagedInterval, results: Sequence[CheckResult], skipped: str | None) -> RuleResult:
    own = [one for one in results if one.check.rule.id == rule.id]
    if bool(own) == bool(skipped):
        raise StageError(f"rule {rule.id} of {staged.entity.name} was {'skipped and ' if own else 'never '}checked")
    failed = [one for one in own if not one.passed]
    shown = failed or own
    failing = [_failing_rows(one, staged) for one in failed]
    return RuleResult(
        id=rule.id,
        kind=rule.kind,
        severity=rule.severity,
        passed=not failed,
        observed=_observed_by_rule(shown),
        expected="; ".join(one.check.expected for one in shown),
        # the checks of a restatement count the same lost rows
        failing_count=max(failing, default=0) if rule.kind == "restatement" else sum(failing),
        examples=tuple(dict.fromkeys(text for one in failed for text in one.examples or one.check.examples)),
        skipped=skipped,
        description=rule.description,
        allowed=next((one.check.allowed for one in own if one.check.allowed), None),
        note=next((one.check.note for one in own if one.check.note), None),
        overlay=rule.overlay,
    )


def _observed_by_rule(shown: Sequence[CheckResult]) -> str | float | None:
    """The one metric of a rule; nulls and blanks, which both count as missing, are one metric too."""
    if shown and shown[0].check.rule.kind == "complete":
        return float(sum(int(one.found["unexpected_count"] or 0) for one in shown))
    return _observed(shown[0]) if len(shown) == 1 else ", ".join(map(_labelled, shown)) or None


def _labelled(one: CheckResult) -> str:
    """One of several metrics of a rule: `rows 40`."""
    value = _observed(one)
    return f"{one.check.part} {f'{value:.12g}' if isinstance(value, float) else value}"


def _observed(one: CheckResult) -> str | float | None:
    """What was found: the check's own words, else the rows that fail it, else the value that has bounds."""
    if one.check.found:
        return one.check.found
    value = one.found.get("observed_value", one.found.get("unexpected_count"))
    if isinstance(value, list):
        return float(len(value)) if one.passed else ", ".join(map(str, value))
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return None if value is None else float(value)


def _failing_rows(one: CheckResult, staged: StagedInterval) -> int:
    """Rows that fail a check, 0 where it is not about single rows."""
    if "unexpected_count" in one.found:
        return int(one.found["unexpected_count"])
    if one.check.rule.kind == "uniqueness":
        return round((1 - float(one.found["observed_value"])) * staged.summary.rows)
    return one.check.failing
