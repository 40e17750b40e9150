"""The gate's decision from what its rules said, also when the gate itself broke. Pure, without Great Expectations."""

from __future__ import annotations

from datetime import UTC, datetime

from deftunes_contract.gate import GateResult, RuleResult
from deftunes_quality.staged import Staged


def gate_result(staged: Staged, rules: tuple[RuleResult, ...]) -> GateResult:
    """Open when every rule holds that is not a mere warning. Without a report yet."""
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
    )
    return result.model_copy(update={"passed": not result.closing})


def broken_gate(staged: Staged, fault: Exception) -> GateResult:
    """The result of a gate that failed itself: closed, and every rule says why it was not judged.

    The fault's text stays in the log, because it may quote rows.
    """
    rules = tuple(
        RuleResult(
            id=rule.id,
            kind=rule.kind,
            severity=rule.severity,
            passed=False,
            observed=f"not judged: the gate failed with {type(fault).__name__}, see the log of this run",
            expected="",
            description=rule.description,
        )
        for rule in staged.entity.rules
    )
    return gate_result(staged, rules).model_copy(update={"passed": False})
