"""The contract's rules as columns: which of them a row breaks, as one number.

Data flow: rules + typed columns → `broken`, a bit for every rule of severity `quarantine`; bit 0 is the first rule.
`conform` comes first, then the contract's order, so the lowest bit names the rule that a quarantined row is filed
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

GOOD = 0
"""`broken` of a row that breaks nothing."""
_MOST_RULES = 63


@dataclass(frozen=True)
class Value:
    """A typed column, and when its null does not mean that the source had nothing there.

    unread: true where the source had something that could not be read as the declared type; never null.
    """

    column: Column
    unread: Column


class RuleBook:
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

    def broken(self, values: Mapping[str, Value]) -> Column:
        """The bits of the rules that judge these columns one row at a time (all but `conform` and `unique`)."""
        judged = [rule for rule in self.rules if rule.kind not in ("conform", "unique") and rule.column in values]
        return union(bits(self.bit(rule), self._violated(rule, values[rule.column])) for rule in judged)

    def first(self, broken: int) -> str:
        """Id of the rule under which a row is filed. Raises ValueError for a good row."""
        return self.names(broken)[0]

    def names(self, broken: int) -> list[str]:
        """Ids of the broken rules, first one first. Raises ValueError for a good row."""
        if broken == GOOD:
            raise ValueError("a good row breaks no rule")
        return [rule.id for rule in self.rules if broken & self.bit(rule)]

    def first_of(self, broken: Column) -> Column:
        """`first` as a column."""
        return f.coalesce(*(_named(rule, self.bit(rule), broken) for rule in self.rules))

    def names_of(self, broken: Column) -> Column:
        """`names` as a column, comma separated."""
        return f.concat_ws(",", *(_named(rule, self.bit(rule), broken) for rule in self.rules))

    def _violated(self, rule: Rule, value: Value) -> Column:
        """Whether a value breaks a rule; null and false both mean that it does not."""
        column, parameters = value.column, rule.parameters
        match rule.kind:
            case "complete":
                missing = column.isNull() & ~value.unread
                return missing | ~column.rlike(VISIBLE) if self._entity.refuses_blank(rule) else missing
            case "length":
                return f.char_length(column) != int(parameters["length"])
            case "pattern":
                return ~column.rlike(strict(str(parameters["pattern"])))
            case "allowed":
                return ~column.isin(list(parameters["values"]))
            case "range":
                below = column < parameters["min"] if "min" in parameters else f.lit(False)
                return below | (column > parameters["max"]) if "max" in parameters else below
            case "in_interval":
                start, end = (datetime.combine(day, time()) for day in (self._interval.start, self._interval.end))
                return (column < moment(start)) | (column >= moment(end))
        raise ValueError(f"contract {self._entity.name}: rule {rule.id}: no row can break kind {rule.kind!r}")


def strict(pattern: str) -> str:
    """A pattern whose final `$` means the end of the text, not the place before a final line break as well."""
    return re.sub(r"(?<!\\)\$$", r"\\z", pattern)


def moment(utc: datetime) -> Column:
    """A zone-less timestamp literal."""
    return f.lit(utc.isoformat(sep=" ")).cast("timestamp_ntz")


def bits(number: int, condition: Column) -> Column:
    """These bits where a condition holds, none where it does not or is null."""
    return f.when(condition, f.lit(number).cast("long")).otherwise(f.lit(GOOD).cast("long"))


def union(parts: Sequence[Column] | object) -> Column:
    """All bits of several columns together."""
    return reduce(lambda left, right: left.bitwiseOR(right), parts, f.lit(GOOD).cast("long"))  # type: ignore[arg-type]


def _named(rule: Rule, bit: int, broken: Column) -> Column:
    return f.when(broken.bitwiseAND(f.lit(bit).cast("long")) != 0, f.lit(rule.id))
