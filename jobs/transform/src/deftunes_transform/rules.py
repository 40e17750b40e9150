"""The contract's rules as columns: which of them a row fails, as one number.

Data flow: rules + typed columns → `failed_rules`, a bit for every rule of severity `quarantine`; bit 0 is the first
rule. `conform` comes first, then the contract's order, so the lowest bit names the rule that a quarantined row is filed
under. Rules of other severities never hold a row back and have no bit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from functools import reduce

from pyspark.sql import Column
from pyspark.sql import functions as f

from deftunes_contract.entity import Entity, Rule, Severity
from deftunes_contract.interval import Interval
from deftunes_contract.normalise import VISIBLE

VALID = 0
"""`failed_rules` of a row that fails no rule."""
_MOST_RULES = 63


@dataclass(frozen=True)
class Value:
    """A typed column, and when its null does not mean that the source had nothing there.

    invalid: true where the source had something that could not be read as the declared type; never null.
    """

    column: Column
    invalid: Column


class QuarantineRules:
    """The quarantine rules of one entity for one interval, numbered."""

    def __init__(self, entity: Entity, interval: Interval) -> None:
        rules = [rule for rule in entity.rules if rule.severity is Severity.QUARANTINE]
        # sorted() is stable: the contract's order stays within the two groups
        self.rules: tuple[Rule, ...] = tuple(sorted(rules, key=lambda rule: rule.kind != "conform"))
        if len(self.rules) > _MOST_RULES:
            raise ValueError(f"contract {entity.name}: expected at most {_MOST_RULES} quarantine rules")
        self._entity, self._interval = entity, interval

    def bit(self, rule: Rule) -> int:
        """The number that stands for a rule."""
        return 1 << self.rules.index(rule)

    def kind(self, kind: str) -> int:
        """The bits of all rules of a kind, 0 when there is none."""
        return sum(self.bit(rule) for rule in self.rules if rule.kind == kind)

    def failed_rules(self, values: Mapping[str, Value]) -> Column:
        """The bits of the rules that check these columns one row at a time (all but `conform` and `unique`)."""
        validated = [rule for rule in self.rules if rule.kind not in ("conform", "unique") and rule.column in values]
        return bit_or(bit_if(self.bit(rule), self._violated(rule, values[rule.column])) for rule in validated)

    def first(self, failed: int) -> str:
        """Id of the rule under which a row is filed. Raises ValueError for a valid row."""
        return self.names(failed)[0]

    def names(self, failed: int) -> list[str]:
        """Ids of the failed rules, first one first. Raises ValueError for a valid row."""
        if failed == VALID:
            raise ValueError("a valid row fails no rule")
        return [rule.id for rule in self.rules if failed & self.bit(rule)]

    def first_of(self, failed: Column) -> Column:
        """`first` as a column."""
        return f.coalesce(*(_named(rule, self.bit(rule), failed) for rule in self.rules))

    def names_of(self, failed: Column) -> Column:
        """`names` as a column, comma separated."""
        return f.concat_ws(",", *(_named(rule, self.bit(rule), failed) for rule in self.rules))

    def _violated(self, rule: Rule, value: Value) -> Column:
        """Whether a value fails a rule; null and false both mean that it does not."""
        column, parameters = value.column, rule.parameters
        match rule.kind:
            case "complete":
                missing = column.isNull() & ~value.invalid
                return missing | ~column.rlike(VISIBLE) if self._entity.refuses_blank(rule) else missing
            case "length":
                return f.char_length(column) != int(parameters["length"])
            case "pattern":
                return ~column.rlike(anchor_end(str(parameters["pattern"])))
            case "allowed":
                return ~column.isin(list(parameters["values"]))
            case "range":
                below = column < parameters["min"] if "min" in parameters else f.lit(False)
                return below | (column > parameters["max"]) if "max" in parameters else below
            case "in_interval":
                start, end = (datetime.combine(day, time()) for day in (self._interval.start, self._interval.end))
                return (column < timestamp_lit(start)) | (column >= timestamp_lit(end))
        raise ValueError(f"contract {self._entity.name}: rule {rule.id}: no row can break kind {rule.kind!r}")


def anchor_end(pattern: str) -> str:
    """A pattern whose final `$` means the end of the text, not the place before a final line break as well."""
    return re.sub(r"(?<!\\)\$$", r"\\z", pattern)


def timestamp_lit(utc: datetime) -> Column:
    """A zone-less timestamp literal."""
    return f.lit(utc.isoformat(sep=" ")).cast("timestamp_ntz")


def bit_if(number: int, condition: Column) -> Column:
    """These bits where a condition holds, none where it does not or is null."""
    return f.when(condition, f.lit(number).cast("long")).otherwise(f.lit(VALID).cast("long"))


def bit_or(parts: Sequence[Column] | object) -> Column:
    """All bits of several columns together."""
    return reduce(lambda left, right: left.bitwiseOR(right), parts, f.lit(VALID).cast("long"))  # type: ignore[arg-type]


def _named(rule: Rule, bit: int, failed: Column) -> Column:
    return f.when(failed.bitwiseAND(f.lit(bit).cast("long")) != 0, f.lit(rule.id))
