"""Checks of single rows: every rule that can put a record into quarantine has one here.

On the branch they must pass without exception, those of severity `quarantine` too: the transform has quarantined the
offending rows, so one that is still there slipped through the transform, and that closes the gate.

The expectations are Great Expectations' own, but count what is unexpected without fetching it. All counts of a suite
travel in one Spark query per dependency level; the values would cost a query per expectation, also where nothing is
unexpected: 0.4 s for a clean month of sessions. So a first run counts, and only what failed is queried again for
examples (`partial_unexpected_count` above 0).
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, time
from typing import Any

import great_expectations.expectations as gxe
from great_expectations.core.metric_function_types import SummarizationMetricNameSuffixes as Suffix

from deftunes_contract.entity import Rule
from deftunes_contract.normalise import VISIBLE
from deftunes_quality.checks import Check, ValidationContext, bounds, common, metric_check


class _CountOnly:
    """Mixed in before a map expectation: no unexpected values are fetched while none are to be shown."""

    map_metric: Any

    def get_validation_dependencies(
        self, execution_engine: Any = None, runtime_configuration: Any = None, **kwargs: Any
    ) -> Any:
        needed = super().get_validation_dependencies(  # type: ignore[misc]  # the expectation that comes next
            execution_engine=execution_engine, runtime_configuration=runtime_configuration, **kwargs
        )
        if needed.result_format["partial_unexpected_count"] == 0:
            needed.metric_configurations.pop(f"{self.map_metric}.{Suffix.UNEXPECTED_VALUES.value}", None)
        return needed


class ExpectColumnValuesToNotBeNullCountOnly(_CountOnly, gxe.ExpectColumnValuesToNotBeNull):
    """No nulls."""


class ExpectColumnValueLengthsToEqualCountOnly(_CountOnly, gxe.ExpectColumnValueLengthsToEqual):
    """Texts of one length."""


class ExpectColumnValuesToMatchRegexCountOnly(_CountOnly, gxe.ExpectColumnValuesToMatchRegex):
    """Texts of one form."""


class ExpectColumnValuesToBeInSetCountOnly(_CountOnly, gxe.ExpectColumnValuesToBeInSet):
    """Known values."""


class ExpectColumnValuesToBeBetweenCountOnly(_CountOnly, gxe.ExpectColumnValuesToBeBetween):
    """Values within bounds."""


class ExpectColumnValuesToBeUniqueCountOnly(_CountOnly, gxe.ExpectColumnValuesToBeUnique):
    """No value twice."""


class ExpectCompoundColumnsToBeUniqueCountOnly(_CountOnly, gxe.ExpectCompoundColumnsToBeUnique):
    """No combination twice."""


SHOWN = 10
"""Allowed values that a message lists."""


def complete(rule: Rule, context: ValidationContext) -> list[Check]:
    """No null, and no text that shows nothing where the contract does not allow it."""
    filled = ExpectColumnValuesToNotBeNullCountOnly(column=rule.column, **common(rule))
    checks = [Check(rule, filled, f"{rule.column} is never null", part="nulls")]
    if context.entity.refuses_blank(rule):
        visible = ExpectColumnValuesToMatchRegexCountOnly(column=rule.column, regex=VISIBLE, **common(rule, "blank"))
        checks.append(Check(rule, visible, f"{rule.column} is never blank", part="blanks"))
    return checks


def length(rule: Rule, context: ValidationContext) -> list[Check]:
    """One length, in characters."""
    length = rule.parameters["length"]
    expectation = ExpectColumnValueLengthsToEqualCountOnly(column=rule.column, value=length, **common(rule))
    return [Check(rule, expectation, f"{rule.column} has {length} characters")]


def pattern(rule: Rule, context: ValidationContext) -> list[Check]:
    """One form."""
    pattern = rule.parameters["pattern"]
    # Java's $ also stands before a final line break, and an id with one joins nothing
    strict = re.sub(r"(?<!\\)\$$", r"\\z", pattern)
    expectation = ExpectColumnValuesToMatchRegexCountOnly(column=rule.column, regex=strict, **common(rule))
    return [Check(rule, expectation, f"{rule.column} matches {pattern}")]


def allowed(rule: Rule, context: ValidationContext) -> list[Check]:
    """Known values only."""
    values = list(map(str, rule.parameters["values"]))
    expectation = ExpectColumnValuesToBeInSetCountOnly(column=rule.column, value_set=values, **common(rule))
    more = f" and {len(values) - SHOWN} more" if len(values) > SHOWN else ""
    return [Check(rule, expectation, f"{rule.column} is one of {', '.join(values[:SHOWN])}{more}")]


def within(rule: Rule, context: ValidationContext) -> list[Check]:
    """Within bounds, both inside."""
    least, most = rule.parameters.get("min"), rule.parameters.get("max")
    expectation = ExpectColumnValuesToBeBetweenCountOnly(
        column=rule.column, min_value=least, max_value=most, **common(rule)
    )
    return [Check(rule, expectation, f"{rule.column} is {bounds(least, most)}")]


def in_interval(rule: Rule, context: ValidationContext) -> list[Check]:
    """A moment of the month, its end outside."""
    # with their zone, because Spark would read zone-less Python datetimes in the zone of the machine
    start, end = (datetime.combine(day, time(), UTC) for day in (context.interval.start, context.interval.end))
    expectation = ExpectColumnValuesToBeBetweenCountOnly(
        column=rule.column, min_value=start, max_value=end, strict_max=True, **common(rule)
    )
    return [Check(rule, expectation, f"{rule.column} lies in {context.interval}")]


def unique(rule: Rule, context: ValidationContext) -> list[Check]:
    """No key twice."""
    expectation: gxe.Expectation
    if len(rule.columns) == 1:
        expectation = ExpectColumnValuesToBeUniqueCountOnly(column=rule.column, **common(rule))
    else:
        expectation = ExpectCompoundColumnsToBeUniqueCountOnly(column_list=list(rule.columns), **common(rule))
    return [Check(rule, expectation, f"{', '.join(rule.columns)} occurs once")]


def conform(rule: Rule, context: ValidationContext) -> list[Check]:
    """Names, types, and no null in a required column that no rule of its own watches."""
    entity, names = context.entity, [column.name for column in context.entity.columns]
    watched = {column for other in entity.rules_of("complete") for column in other.columns} | set(entity.partition)
    types = metric_check(rule, "column_types", len(context.faults), 0, 0, "columns missing or of another type:")
    # by name: a lake that has grown has the columns of its contract in the order in which they were added
    present = gxe.ExpectTableColumnsToMatchSet(column_set=names, exact_match=True, **common(rule, "columns"))
    checks = [
        Check(rule, present, "the columns are the contract's", part="columns"),
        replace(types, examples=tuple(context.faults.values())),
    ]
    for column in entity.columns:
        if column.required and column.name not in watched and column.name not in context.faults:
            filled = ExpectColumnValuesToNotBeNullCountOnly(
                column=column.name, **common(rule, f"required {column.name}")
            )
            checks.append(Check(rule, filled, f"{column.name} is never null", part=f"nulls in {column.name}"))
    return checks
