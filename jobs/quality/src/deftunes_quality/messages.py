"""A gate's messages to people, one sentence each: which rule, how many rows, which values, and what to do next."""

from __future__ import annotations

import re
from collections.abc import Sequence

from deftunes_contract.allowances import Allowance, Guard
from deftunes_contract.entity import Severity
from deftunes_contract.gate import ALLOWED_BY, GateResult, RuleResult
from deftunes_contract.interval import Interval
from deftunes_quality.interval_under_test import StagedInterval

SHOWN_RULES = 3
"""Failed rules that the sentence names; all are in the result."""


_MONTH = re.compile(r"\b\d{4}-\d{2}\b")


def closed_message(staged: StagedInterval, result: GateResult) -> str:
    """Why the gate closed."""
    closing = result.failed_rules
    reasons = "; ".join(_failure(rule, staged) for rule in closing[:SHOWN_RULES])
    more = f"; and {len(closing) - SHOWN_RULES} more rules" if len(closing) > SHOWN_RULES else ""
    return (
        f"{staged.name}: gate closed: {reasons}{more}; nothing was published; report: {result.data_docs}; "
        f"{_next_step(closing, staged)}"
    )


def open_message(staged: StagedInterval, result: GateResult) -> str:
    """What an open gate saw: `users 2020-01: gate open, 19 of 19 rules hold, 1 skipped`."""
    checked = [rule for rule in result.rules if rule.skipped is None]
    skipped = len(result.rules) - len(checked)
    warned = [rule.id for rule in checked if not rule.passed]
    text = f"{staged.name}: gate open, {len(checked) - len(warned)} of {len(checked)} rules hold"
    text += f", warned by {', '.join(warned)}" if warned else ""
    text += f", {skipped} skipped" if skipped else ""
    text += "".join(f", {lifted(rule)}" for rule in checked if rule.allowed)
    return text + overlaid(result.rules) + (", the month is empty" if not staged.summary.landed_units else "")


def lifted(rule: RuleResult) -> str:
    """A failed rule that the caller let pass: `sessions_restatement (240 → 11 rows, …) allowed by --allow-shrink …`."""
    return f"{rule.id} ({rule.observed}) {ALLOWED_BY}{rule.allowed}"


def warn_message(staged: StagedInterval, rule: RuleResult) -> str:
    """A failed rule that does not close the gate."""
    return f"{staged.name}: {_failure(rule, staged)}; a warning, the gate stays open"


def overlaid(rules: Sequence[RuleResult]) -> str:
    """What an overlay changed, for the end of a sentence: ` (currency_known as changed by eu.yaml: values + EUR)`."""
    changed = [f"{rule.id} as changed by {rule.overlay}" for rule in rules if rule.overlay]
    return f" ({'; '.join(changed)})" if changed else ""


def _failure(rule: RuleResult, staged: StagedInterval) -> str:
    return _failed_words(rule, staged) + (f" (as changed by {rule.overlay})" if rule.overlay else "")


def _failed_words(rule: RuleResult, staged: StagedInterval) -> str:
    if rule.kind == "quarantine_share":
        summary = staged.summary
        top = f"; most of them: {', '.join(rule.examples)}" if rule.examples else ""
        return (
            f"{rule.id}: {summary.quarantined_units} of {summary.landed_units} landed rows are quarantined, "
            f"expected {rule.expected}{top}"
        )
    examples = f" (e.g. {', '.join(rule.examples)})" if rule.examples else ""
    if rule.kind == "restatement":
        month = staged.interval.month
        return f"{rule.id}: {month} would shrink: {rule.observed}, expected {rule.expected}{examples}"
    if rule.kind in ("unique_across_intervals", "same_source"):
        return f"{rule.id}: expected {rule.expected}, found {rule.observed}{examples}"
    if rule.failing_count:
        return f"{rule.id} failed on {rule.failing_count} of {staged.summary.rows} rows{examples}"
    observed = f"{rule.observed:.6g}" if isinstance(rule.observed, float) else rule.observed
    return f"{rule.id} failed: expected {rule.expected}, found {observed}{examples}"


def _next_step(closing: Sequence[RuleResult], staged: StagedInterval) -> str:
    interval, entity = staged.interval, staged.entity.name
    call = f"{entity} --start {interval.start} --end {interval.end} --run-id {staged.run_id}"
    if any(rule.severity is Severity.QUARANTINE or rule.kind == "reconcile" for rule in closing):
        # such rows should be in quarantine already, so the source alone cannot be blamed
        return f"the transform let it through: run deftunes-transform {call} again, and report it if it comes back"
    steps = {rule.kind: _STEPS[rule.kind](rule, staged, call) for rule in closing if rule.kind in _STEPS}
    if len(steps) < len({rule.kind for rule in closing}):
        steps[""] = f"fix the source or the contract, then run deftunes-extract {call} and the stages after it again"
    return "; ".join(steps.values())


def _to_shrink(rule: RuleResult, staged: StagedInterval, call: str) -> str:
    flag = Allowance(Guard.SHRINK, staged.entity.name, staged.interval.month)
    return (
        f"let the source deliver the whole month, then run deftunes-extract {call} and the stages after it again; "
        f"if this loss is right, run them with {flag}"
    )


def _to_move(rule: RuleResult, staged: StagedInterval, call: str) -> str:
    entity, month = staged.entity.name, staged.interval.month
    left = [Interval.of_month(text) for text in _MONTH.findall(str(rule.observed))]
    first = "; ".join(f"deftunes-extract {entity} --start {one.start} --end {one.end}" for one in left)
    swap = Allowance(Guard.OVERLAP, entity, month)
    lost = " ".join(str(Allowance(Guard.SHRINK, entity, one.month)) for one in left)
    return (
        f"if they moved to {month}, first run {' and '.join(one.month for one in left)} again ({first} and the stages "
        f"after it; where they are more than the few that a month may lose, with {lost}), then run {month} again; "
        f"where each month holds keys of the other, run {month} with {swap} first, then the others"
    )


def _to_change_source(rule: RuleResult, staged: StagedInterval, call: str) -> str:
    flag = Allowance(Guard.SOURCE_CHANGE, staged.entity.name, staged.interval.month)
    return (
        "load another shop into a lake of its own (DEFTUNES_HOME, DEFTUNES_LAKE); if it is the same shop at another "
        f"address, run deftunes-quality {call} and the stages after it with {flag}, and name the shop in DEFTUNES_SHOP"
    )


_STEPS = {"same_source": _to_change_source, "unique_across_intervals": _to_move, "restatement": _to_shrink}
"""Kinds of rules that have a next step of their own."""
