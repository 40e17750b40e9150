"""Checks of the interval as a whole: its volume, its age, its money, its references, and what is already public.

A check that cannot be made raises SkipCheck with the reason, which log, result and report repeat. The checks against
what is public protect readers: a month that is run again may correct it, but takes nothing away unless the caller names
the entity and the month (`--allow-shrink`). A lifted rule is recorded in the result.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from fractions import Fraction

import great_expectations.expectations as gxe

from deftunes_contract.allowances import Allowance, Guard
from deftunes_contract.entity import Rule
from deftunes_quality.checks import Check, SkipCheck, ValidationContext, bounds, common, metric_check
from deftunes_quality.masking import EXAMPLES
from deftunes_quality.published_keys import origin, public_origins


def uniqueness(rule: Rule, context: ValidationContext) -> list[Check]:
    """More than a share of the values is distinct."""
    _need_rows(context)
    more_than = rule.parameters["moreThan"]
    expectation = gxe.ExpectColumnProportionOfUniqueValuesToBeBetween(
        column=rule.column, min_value=more_than, strict_min=True, **common(rule)
    )
    return [Check(rule, expectation, f"more than {more_than:.4g} of {rule.column} are distinct")]


def volume(rule: Rule, context: ValidationContext) -> list[Check]:
    """As many rows as the month before, within two ratios."""
    _need_rows(context)
    _need_whole_months(context)
    before = _previous(context, "rows")
    least = math.ceil(before * _exact(rule.parameters["minRatio"]))
    most = math.floor(before * _exact(rule.parameters["maxRatio"]))
    expectation = gxe.ExpectTableRowCountToBeBetween(min_value=least, max_value=most, **common(rule))
    return [Check(rule, expectation, f"rows {bounds(least, most)}, after {before} the month before")]


def freshness(rule: Rule, context: ValidationContext) -> list[Check]:
    """Something happened in the last days of the interval, or before it was read when it was not over then."""
    _need_rows(context)
    # without a zone, because it is compared in Python with what Spark returns for a zone-less column
    least = _known_until(context) - timedelta(days=rule.parameters["maxDays"])
    expectation = gxe.ExpectColumnMaxToBeBetween(column=rule.column, min_value=least, **common(rule))
    return [Check(rule, expectation, f"latest {rule.column} is {least} or later")]


def reconcile(rule: Rule, context: ValidationContext) -> list[Check]:
    """Rows and money, landed = branch + quarantine, and the quarantine holds what the transform says it put there."""
    staged, held, amount = context.staged, context.quarantined, context.entity.amount
    rows = gxe.ExpectTableRowCountToEqual(value=context.expected_rows, **common(rule, "rows"))
    counted_rows = (
        f"rows = {staged.landed_units} landed - {staged.quarantined_units} quarantined = {context.expected_rows}"
    )
    units = staged.quarantined_units
    checks = [
        Check(rule, rows, counted_rows, part="rows"),
        metric_check(rule, "quarantined_units", held.units, units, units, "rows in the quarantine table"),
    ]
    if amount is None or staged.landed_amount is None or staged.quarantined_amount is None:
        return checks
    put = float(staged.quarantined_amount)
    checks.append(
        metric_check(rule, "quarantined_amount", float(held.amount), put, put, "money in the quarantine table")
    )
    if context.expected_rows and amount not in context.faults:
        # Spark sums decimals exactly; two sums of cents below 90 trillion never become the same float
        kept = staged.landed_amount - staged.quarantined_amount
        total = gxe.ExpectColumnSumToBeBetween(
            column=amount, min_value=float(kept), max_value=float(kept), **common(rule, "money")
        )
        words = f"sum of {amount} = {staged.landed_amount} landed - {staged.quarantined_amount} quarantined = {kept}"
        checks.append(Check(rule, total, words, part="money"))
    return checks


def quarantine_share(rule: Rule, context: ValidationContext) -> list[Check]:
    """Few of the landed rows are in quarantine."""
    if not context.staged.landed_units:
        raise SkipCheck("nothing landed")
    share = context.staged.quarantined_units / context.staged.landed_units
    check = metric_check(rule, rule.id, share, None, rule.parameters["max"], "quarantined rows per landed row")
    return [replace(check, failing=context.staged.quarantined_units, examples=context.quarantine_examples)]


def arrived(rule: Rule, context: ValidationContext) -> list[Check]:
    """Something was delivered."""
    landed, empty = context.staged.landed_units, not (context.staged.landed_units or context.staged.rows)
    # a month may be empty, what is delivered whole each month (it has no event time) may not
    if empty and context.entity.event_time is not None:
        raise SkipCheck("the delivery is empty, and whoever called extract said that it may be")
    least, words = rule.parameters["minRows"], "rows landed"
    if "minRatio" in rule.parameters and context.previous is not None:
        before = context.previous.landed_units
        least = max(least, math.ceil(before * _exact(rule.parameters["minRatio"])))
        words += f", after {before} the month before,"
    return [metric_check(rule, rule.id, landed, least, None, words)]


def reference(rule: Rule, context: ValidationContext) -> list[Check]:
    """Nearly all ids are known where they come from."""
    _need_rows(context)
    answer, referenced = context.unmatched.get(rule.id), rule.parameters["entity"]
    if answer is None:
        raise SkipCheck(f"no {referenced} are published yet")
    if not answer.rows:
        raise SkipCheck(f"{rule.column} is null in every row")
    words = f"share of {rule.column} without {referenced}.{rule.parameters['references']}"
    check = metric_check(rule, rule.id, answer.share, None, rule.parameters["maxUnmatched"], words)
    return [replace(check, failing=answer.unmatched, examples=answer.examples)]


def _need_rows(context: ValidationContext) -> None:
    if not context.staged.rows:
        raise SkipCheck("the interval has no rows")


def _need_whole_months(context: ValidationContext) -> None:
    """SkipCheck what compares whole months when one of the two is a part; a full snapshot is whole on every day."""
    if context.entity.event_time is None:
        return
    if context.staged.partial:
        raise SkipCheck(f"{context.interval.month} was not over when it was extracted")
    if context.previous is not None and context.previous.partial:
        raise SkipCheck(f"{context.interval.previous.month} is provisional: it was not over when it was extracted")


def _known_until(context: ValidationContext) -> datetime:
    """Zone-less UTC moment up to which the rows are complete."""
    end = datetime.combine(context.interval.end, time())
    if not context.staged.partial or context.staged.landed_at is None:
        return end
    return min(end, context.staged.landed_at.astimezone(UTC).replace(tzinfo=None))


def _previous(context: ValidationContext, figure: str) -> int:
    month = context.interval.previous.month
    if context.previous is None:
        raise SkipCheck(f"{month} is not published, so there is nothing to compare with")
    if not (value := int(getattr(context.previous, figure))):
        raise SkipCheck(f"{month} was published empty, so there is nothing to compare with")
    return value


def _exact(ratio: float) -> Fraction:
    """A ratio as written: 0.07 of 100 rows are 7 rows, and 100 * 0.07 is more than that."""
    return Fraction(str(ratio))


def restatement(rule: Rule, context: ValidationContext) -> list[Check]:
    """A month that is run again keeps nearly all of its public rows and money."""
    public, staged = context.restatement, context.staged
    if public is None:
        raise SkipCheck(f"{context.interval.month} shows no rows yet, so there is nothing to lose")
    if context.public.summary is not None and context.public.summary.partial:
        raise SkipCheck(f"{context.interval.month} was published before it was over, so it is replaced as a whole")
    most, loss = rule.parameters["maxLoss"], public.loss(staged.rows, staged.amount)
    allowed = _allowed(context, Guard.SHRINK)
    check = metric_check(
        rule, rule.id, loss, None, max(most, loss) if allowed else most, "share of the public month lost"
    )
    found = public.words(context.entity, staged.rows, staged.amount)
    expected = f"at most {most:.4g} of the public rows and money lost"
    lost = public.lost_rows
    checks = [replace(check, expected=expected, found=found, failing=lost, examples=public.examples)]
    if "retentionDays" in rule.parameters and public.expired:
        days, gone = rule.parameters["retentionDays"], public.expired
        check = metric_check(rule, "expired", gone, 0, gone if allowed else 0, "rows lost")
        expected = f"no row lost that is older than the {days} days which the source still delivers"
        found = f"{gone:,} rows lost that the source no longer delivers"
        checks.append(replace(check, expected=expected, found=found, failing=gone, examples=public.examples))
    if allowed and (loss > most or len(checks) > 1):
        checks = [replace(check, allowed=allowed) for check in checks]
    return checks


def unique_across_intervals(rule: Rule, context: ValidationContext) -> list[Check]:
    """No key is public in another month near this one."""
    if not context.staged.rows:
        raise SkipCheck("the interval has no rows")
    others = context.elsewhere.get(rule.id)
    if others is None:
        raise SkipCheck(f"no other month within {rule.parameters['months']} is published")
    count = sum(one.keys for one in others)
    allowed = _allowed(context, Guard.OVERLAP) if count else None
    check = metric_check(rule, rule.id, count, 0, count if allowed else 0, "")
    found = ", ".join(f"{one.keys:,} in {one.interval.month}" for one in others)
    expected = f"no {rule.column} that is public in another month"
    examples = tuple(text for one in others for text in one.examples)[:EXAMPLES]
    return [replace(check, expected=expected, found=found, allowed=allowed, failing=count, examples=examples)]


def same_source(rule: Rule, context: ValidationContext) -> list[Check]:
    """The rows come from where the public ones came from, or most of them are public already."""
    now, known = origin(context.staged.source), context.known
    if not now:
        raise SkipCheck("the delivery does not name its source")
    if not context.staged.rows:
        raise SkipCheck("the interval has no rows")
    was = public_origins(context.public, context.interval.month)
    if not was:
        raise SkipCheck("no public rows name their source")
    least, same = rule.parameters["minKnown"], now in was
    allowed = None if same or (known or 0.0) >= least else _allowed(context, Guard.SOURCE_CHANGE)
    share = 1.0 if same else known or 0.0
    check = metric_check(rule, rule.id, share, min(share, least) if allowed else least, None, "share of known keys")
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


def _allowed(context: ValidationContext, guard: Guard) -> str | None:
    """The flag that lifts a guard of this entity and month, as it can be typed again; None when it was not given."""
    if not context.allowances.allows(guard, context.entity.name, context.interval):
        return None
    return str(Allowance(guard, context.entity.name, context.interval.month))
