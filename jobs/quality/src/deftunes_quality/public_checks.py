"""Checks of the interval against what is already public: rules that a staged month cannot pass by itself.

They guard what readers have: a month that is run again may correct it, but takes nothing away unless the caller names
the entity and the month (`--allow-shrink`). A lifted guard is recorded in the result.
"""

from __future__ import annotations

from dataclasses import replace

from deftunes_contract.allowances import Allowance, Guard
from deftunes_contract.entity import Rule
from deftunes_quality.checks import Check, Facts, Skip, figure_check
from deftunes_quality.source_change import origin, public_origins


def restatement(rule: Rule, facts: Facts) -> list[Check]:
    """A month that is run again keeps nearly all of its public rows and money."""
    public, staged = facts.restatement, facts.staged
    if public is None:
        raise Skip(f"{facts.interval.month} shows no rows yet, so there is nothing to lose")
    if facts.public.summary is not None and facts.public.summary.partial:
        raise Skip(f"{facts.interval.month} was published before it was over, so it is replaced as a whole")
    most, loss = rule.parameters["maxLoss"], public.loss(staged.rows, staged.amount)
    allowed = _allowed(facts, Guard.SHRINK)
    check = figure_check(
        rule, rule.id, loss, None, max(most, loss) if allowed else most, "share of the public month lost"
    )
    found = public.words(facts.entity, staged.rows, staged.amount)
    checks = [replace(check, expected=f"at most {most:.4g} of the public rows and money lost", found=found)]
    if "retentionDays" in rule.parameters and public.expired:
        days, gone = rule.parameters["retentionDays"], public.expired
        check = figure_check(rule, "expired", gone, 0, gone if allowed else 0, "rows lost")
        expected = f"no row lost that is older than the {days} days which the source still delivers"
        found = f"{gone:,} rows lost that the source no longer delivers"
        checks.append(replace(check, expected=expected, found=found))
    if allowed and (loss > most or len(checks) > 1):
        checks = [replace(check, allowed=allowed) for check in checks]
    return checks


def unique_across_intervals(rule: Rule, facts: Facts) -> list[Check]:
    """No key is public in another month near this one."""
    if not facts.staged.rows:
        raise Skip("the interval has no rows")
    others = facts.elsewhere.get(rule.id)
    if others is None:
        raise Skip(f"no other month within {rule.parameters['months']} is published")
    count = sum(one.keys for one in others)
    allowed = _allowed(facts, Guard.OVERLAP) if count else None
    check = figure_check(rule, rule.id, count, 0, count if allowed else 0, "")
    found = ", ".join(f"{one.keys:,} in {one.interval.month}" for one in others)
    expected = f"no {rule.column} that is public in another month"
    return [replace(check, expected=expected, found=found, allowed=allowed)]


def same_source(rule: Rule, facts: Facts) -> list[Check]:
    """The rows come from where the public ones came from, or most of them are public already."""
    now, known = origin(facts.staged.source), facts.known
    if not now:
        raise Skip("the delivery does not name its source")
    if not facts.staged.rows:
        raise Skip("the interval has no rows")
    was = public_origins(facts.public, facts.interval.month)
    if not was:
        raise Skip("no public rows name their source")
    least, same = rule.parameters["minKnown"], now in was
    allowed = None if same or (known or 0.0) >= least else _allowed(facts, Guard.SOURCE_CHANGE)
    share = 1.0 if same else known or 0.0
    check = figure_check(rule, rule.id, share, min(share, least) if allowed else least, None, "share of known keys")
    before = " or ".join(f"{source} (as in {month})" for source, month in was.items())
    words = "" if same or known is None else f", {known:.0%} of whose keys are public"
    note = f"the source was {before} and is {now}{words}: taken for the same shop at another address"
    return [
        replace(
            check,
            expected=f"rows from {before}",
            found=f"{now}{words}",
            allowed=allowed,
            note=None if same or share < least else note,
        )
    ]


def _allowed(facts: Facts, guard: Guard) -> str | None:
    """The flag that lifts a guard of this entity and month, as it can be typed again; None when it was not given."""
    if not facts.allowances.allows(guard, facts.entity.name, facts.interval):
        return None
    return str(Allowance(guard, facts.entity.name, facts.interval.month))
