"""Checks of single rows: every rule that can put a record into quarantine has one here.

On the branch they must hold without exception, those of severity `quarantine` too: the transform has set the
offenders aside, so one that is still there went through the workshop unseen, and that closes the gate.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, time

import great_expectations.expectations as gxe

from deftunes_contract.entity import Rule
from deftunes_contract.normalise import VISIBLE
from deftunes_quality import expectations as counted
from deftunes_quality.checks import Check, Facts, bounds, common, figure_check

SHOWN = 10
"""Allowed values that a message lists."""


def complete(rule: Rule, facts: Facts) -> list[Check]:
    """No null, and no text that shows nothing where the contract does not allow it."""
    filled = counted.ExpectColumnValuesToNotBeNullCounted(column=rule.column, **common(rule))
    checks = [Check(rule, filled, f"{rule.column} is never null", part="nulls")]
    if facts.entity.refuses_blank(rule):
        visible = counted.ExpectColumnValuesToMatchRegexCounted(
            column=rule.column, regex=VISIBLE, **common(rule, "blank")
        )
        checks.append(Check(rule, visible, f"{rule.column} is never blank", part="blanks"))
    return checks


def length(rule: Rule, facts: Facts) -> list[Check]:
    """One length, in characters."""
    length = rule.parameters["length"]
    expectation = counted.ExpectColumnValueLengthsToEqualCounted(column=rule.column, value=length, **common(rule))
    return [Check(rule, expectation, f"{rule.column} has {length} characters")]


def pattern(rule: Rule, facts: Facts) -> list[Check]:
    """One form."""
    pattern = rule.parameters["pattern"]
    # Java's $ also stands before a final line break, and an id with one joins nothing
    strict = re.sub(r"(?<!\\)\$$", r"\\z", pattern)
    expectation = counted.ExpectColumnValuesToMatchRegexCounted(column=rule.column, regex=strict, **common(rule))
    return [Check(rule, expectation, f"{rule.column} matches {pattern}")]


def allowed(rule: Rule, facts: Facts) -> list[Check]:
    """Known values only."""
    values = list(map(str, rule.parameters["values"]))
    expectation = counted.ExpectColumnValuesToBeInSetCounted(column=rule.column, value_set=values, **common(rule))
    more = f" and {len(values) - SHOWN} more" if len(values) > SHOWN else ""
    return [Check(rule, expectation, f"{rule.column} is one of {', '.join(values[:SHOWN])}{more}")]


def within(rule: Rule, facts: Facts) -> list[Check]:
    """Within bounds, both inside."""
    least, most = rule.parameters.get("min"), rule.parameters.get("max")
    expectation = counted.ExpectColumnValuesToBeBetweenCounted(
        column=rule.column, min_value=least, max_value=most, **common(rule)
    )
    return [Check(rule, expectation, f"{rule.column} is {bounds(least, most)}")]


def in_interval(rule: Rule, facts: Facts) -> list[Check]:
    """A moment of the month, its end outside."""
    # with their zone, because Spark would read zone-less Python datetimes in the zone of the machine
    start, end = (datetime.combine(day, time(), UTC) for day in (facts.interval.start, facts.interval.end))
    expectation = counted.ExpectColumnValuesToBeBetweenCounted(
        column=rule.column, min_value=start, max_value=end, strict_max=True, **common(rule)
    )
    return [Check(rule, expectation, f"{rule.column} lies in {facts.interval}")]


def unique(rule: Rule, facts: Facts) -> list[Check]:
    """No key twice."""
    expectation: gxe.Expectation
    if len(rule.columns) == 1:
        expectation = counted.ExpectColumnValuesToBeUniqueCounted(column=rule.column, **common(rule))
    else:
        expectation = counted.ExpectCompoundColumnsToBeUniqueCounted(column_list=list(rule.columns), **common(rule))
    return [Check(rule, expectation, f"{', '.join(rule.columns)} occurs once")]


def conform(rule: Rule, facts: Facts) -> list[Check]:
    """Names and order, types, and no null in a required column that no rule of its own watches."""
    entity, names = facts.entity, [column.name for column in facts.entity.columns]
    watched = {column for other in entity.rules_of("complete") for column in other.columns} | set(entity.partition)
    order = gxe.ExpectTableColumnsToMatchOrderedList(column_list=names, **common(rule, "columns"))
    checks = [
        Check(rule, order, "the columns are the contract's, in its order", part="columns"),
        figure_check(rule, "column_types", len(facts.faults), 0, 0, "columns missing or of another type:"),
    ]
    for column in entity.columns:
        if column.required and column.name not in watched and column.name not in facts.faults:
            filled = counted.ExpectColumnValuesToNotBeNullCounted(
                column=column.name, **common(rule, f"required {column.name}")
            )
            checks.append(Check(rule, filled, f"{column.name} is never null", part=f"nulls in {column.name}"))
    return checks
