"""What a gate says to people, in one sentence: which rule, how many rows, which values, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence

from deftunes_contract.entity import Severity
from deftunes_contract.gate import GateResult, RuleResult
from deftunes_quality.staged import Staged

SHOWN_RULES = 3
"""Broken rules told in the sentence; all are in the result."""


def refusal(staged: Staged, result: GateResult) -> str:
    """Why the gate closed."""
    closing = result.closing
    told = "; ".join(_broken(rule, staged) for rule in closing[:SHOWN_RULES])
    more = f"; and {len(closing) - SHOWN_RULES} more rules" if len(closing) > SHOWN_RULES else ""
    return (
        f"{staged.name}: gate closed: {told}{more}; nothing was published; report: {result.data_docs}; "
        f"{_next_step(closing, staged)}"
    )


def opening(staged: Staged, result: GateResult) -> str:
    """What an open gate saw: `users 2020-01: gate open, 19 of 19 rules hold, 1 skipped`."""
    judged = [rule for rule in result.rules if rule.skipped is None]
    skipped = len(result.rules) - len(judged)
    warned = [rule.id for rule in judged if not rule.passed]
    text = f"{staged.name}: gate open, {len(judged) - len(warned)} of {len(judged)} rules hold"
    text += f", warned by {', '.join(warned)}" if warned else ""
    text += f", {skipped} skipped" if skipped else ""
    return text + (", the month is empty" if not staged.summary.landed_units else "")


def warning(staged: Staged, rule: RuleResult) -> str:
    """A broken rule that does not close the gate."""
    return f"{staged.name}: {_broken(rule, staged)}; a warning, the gate stays open"


def _broken(rule: RuleResult, staged: Staged) -> str:
    if rule.kind == "quarantine_share":
        summary = staged.summary
        top = f"; most of them: {', '.join(rule.examples)}" if rule.examples else ""
        return (
            f"{rule.id}: {summary.quarantined_units} of {summary.landed_units} landed rows are quarantined, "
            f"expected {rule.expected}{top}"
        )
    examples = f" (e.g. {', '.join(rule.examples)})" if rule.examples else ""
    if rule.failing_count:
        return f"{rule.id} failed on {rule.failing_count} of {staged.summary.rows} rows{examples}"
    observed = f"{rule.observed:.6g}" if isinstance(rule.observed, float) else rule.observed
    return f"{rule.id} failed: expected {rule.expected}, found {observed}{examples}"


def _next_step(closing: Sequence[RuleResult], staged: Staged) -> str:
    interval, entity = staged.interval, staged.entity.name
    call = f"{entity} --start {interval.start} --end {interval.end} --run-id {staged.run_id}"
    if any(rule.severity is Severity.QUARANTINE or rule.kind == "reconcile" for rule in closing):
        # such rows should be in quarantine already, so the source alone cannot be blamed
        return f"the transform let it through: run deftunes-transform {call} again, and report it if it comes back"
    return f"fix the source or the contract, then run deftunes-extract {call} and the stages after it again"
