"""Checks of the interval as a whole: its volume, its age, its money, and what it refers to.

A check that cannot be made raises Skip with the reason; the reason is told in log, result and report.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, time, timedelta
from fractions import Fraction

import great_expectations.expectations as gxe

from deftunes_contract.entity import Rule
from deftunes_quality.checks import Check, Facts, Skip, bounds, common, figure_check


def uniqueness(rule: Rule, facts: Facts) -> list[Check]:
    """More than a share of the values is distinct."""
    _need_rows(facts)
    more_than = rule.parameters["moreThan"]
    expectation = gxe.ExpectColumnProportionOfUniqueValuesToBeBetween(
        column=rule.column, min_value=more_than, strict_min=True, **common(rule)
    )
    return [Check(rule, expectation, f"more than {more_than:.4g} of {rule.column} are distinct")]


def volume(rule: Rule, facts: Facts) -> list[Check]:
    """As many rows as the month before, within two ratios."""
    _need_rows(facts)
    _need_whole_months(facts)
    before = _previous(facts, "rows")
    least = math.ceil(before * _exact(rule.parameters["minRatio"]))
    most = math.floor(before * _exact(rule.parameters["maxRatio"]))
    expectation = gxe.ExpectTableRowCountToBeBetween(min_value=least, max_value=most, **common(rule))
    return [Check(rule, expectation, f"rows {bounds(least, most)}, after {before} the month before")]


def freshness(rule: Rule, facts: Facts) -> list[Check]:
    """Something happened in the last days of the interval, or before it was read when it was not over then."""
    _need_rows(facts)
    # without a zone, because it is compared in Python with what Spark returns for a zone-less column
    least = _known_until(facts) - timedelta(days=rule.parameters["maxDays"])
    expectation = gxe.ExpectColumnMaxToBeBetween(column=rule.column, min_value=least, **common(rule))
    return [Check(rule, expectation, f"latest {rule.column} is {least} or later")]


def reconcile(rule: Rule, facts: Facts) -> list[Check]:
    """Rows and money, landed = branch + quarantine, and the quarantine holds what the transform says it put there."""
    staged, held, amount = facts.staged, facts.quarantined, facts.entity.amount
    rows = gxe.ExpectTableRowCountToEqual(value=facts.kept, **common(rule, "rows"))
    counted_rows = f"rows = {staged.landed_units} landed - {staged.quarantined_units} quarantined = {facts.kept}"
    units = staged.quarantined_units
    checks = [
        Check(rule, rows, counted_rows, part="rows"),
        figure_check(rule, "quarantined_units", held.units, units, units, "rows in the quarantine table"),
    ]
    if amount is None or staged.landed_amount is None or staged.quarantined_amount is None:
        return checks
    put = float(staged.quarantined_amount)
    checks.append(
        figure_check(rule, "quarantined_amount", float(held.amount), put, put, "money in the quarantine table")
    )
    if facts.kept and amount not in facts.faults:
        # Spark sums decimals exactly; two sums of cents below 90 trillion never become the same float
        kept = staged.landed_amount - staged.quarantined_amount
        total = gxe.ExpectColumnSumToBeBetween(
            column=amount, min_value=float(kept), max_value=float(kept), **common(rule, "money")
        )
        words = f"sum of {amount} = {staged.landed_amount} landed - {staged.quarantined_amount} quarantined = {kept}"
        checks.append(Check(rule, total, words, part="money"))
    return checks


def quarantine_share(rule: Rule, facts: Facts) -> list[Check]:
    """Few of the landed rows are in quarantine."""
    if not facts.staged.landed_units:
        raise Skip("nothing landed")
    share = facts.staged.quarantined_units / facts.staged.landed_units
    return [figure_check(rule, rule.id, share, None, rule.parameters["max"], "quarantined rows per landed row")]


def arrived(rule: Rule, facts: Facts) -> list[Check]:
    """Something was delivered."""
    landed, empty = facts.staged.landed_units, not (facts.staged.landed_units or facts.staged.rows)
    # a month may be empty, what is delivered whole each month (it has no event time) may not
    if empty and facts.entity.event_time is not None:
        raise Skip("the delivery is empty, and whoever called extract said that it may be")
    least, words = rule.parameters["minRows"], "rows landed"
    if "minRatio" in rule.parameters and facts.previous is not None:
        before = facts.previous.landed_units
        least = max(least, math.ceil(before * _exact(rule.parameters["minRatio"])))
        words += f", after {before} the month before,"
    return [figure_check(rule, rule.id, landed, least, None, words)]


def reference(rule: Rule, facts: Facts) -> list[Check]:
    """Nearly all ids are known where they come from."""
    _need_rows(facts)
    answer, referenced = facts.unmatched.get(rule.id), rule.parameters["entity"]
    if answer is None:
        raise Skip(f"no {referenced} are published yet")
    if not answer.rows:
        raise Skip(f"{rule.column} is null in every row")
    words = f"share of {rule.column} without {referenced}.{rule.parameters['references']}"
    return [figure_check(rule, rule.id, answer.share, None, rule.parameters["maxUnmatched"], words)]


def _need_rows(facts: Facts) -> None:
    if not facts.staged.rows:
        raise Skip("the interval has no rows")


def _need_whole_months(facts: Facts) -> None:
    """Skip what compares whole months when one of the two is a part; a full snapshot is whole on every day."""
    if facts.entity.event_time is None:
        return
    if facts.staged.partial:
        raise Skip(f"{facts.interval.month} was not over when it was extracted")
    if facts.previous is not None and facts.previous.partial:
        raise Skip(f"{facts.interval.previous.month} is provisional: it was not over when it was extracted")


def _known_until(facts: Facts) -> datetime:
    """Zone-less UTC moment up to which the rows are complete."""
    end = datetime.combine(facts.interval.end, time())
    if not facts.staged.partial or facts.staged.landed_at is None:
        return end
    return min(end, facts.staged.landed_at.astimezone(UTC).replace(tzinfo=None))


def _previous(facts: Facts, figure: str) -> int:
    month = facts.interval.previous.month
    if facts.previous is None:
        raise Skip(f"{month} is not published, so there is nothing to compare with")
    if not (value := int(getattr(facts.previous, figure))):
        raise Skip(f"{month} was published empty, so there is nothing to compare with")
    return value


def _exact(ratio: float) -> Fraction:
    """A ratio as written: 0.07 of 100 rows are 7 rows, and 100 * 0.07 is more than that."""
    return Fraction(str(ratio))
