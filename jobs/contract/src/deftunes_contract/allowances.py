"""What a caller allows by name: exceptions from the guards against suspicious success.

    --allow-empty sessions               the reply for sessions may be empty in every month of this call
    --allow-shrink sessions:2020-01      January's sessions may be fewer than what is public

An allowance names its entity, so it never lifts the guard of another entity in the same run. Stages, `deftunes run`
and `deftunes job run` share this grammar; the quality gate records the allowances that it used.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from deftunes_contract.errors import UsageError
from deftunes_contract.interval import Interval
from deftunes_contract.registry import registry


class Guard(StrEnum):
    """A guard that a caller may lift; the value is the flag without its leading `--allow-`."""

    EMPTY = "empty"
    SHRINK = "shrink"
    SOURCE_CHANGE = "source-change"
    OVERLAP = "overlap"

    @property
    def flag(self) -> str:
        """As typed on a command line."""
        return f"--allow-{self.value}"

    @property
    def help(self) -> str:
        """One line for `--help`."""
        return {
            Guard.EMPTY: "the source has no records for this entity",
            Guard.SHRINK: "this entity has fewer records or rows than before",
            Guard.SOURCE_CHANGE: "this entity comes from another source than before",
            Guard.OVERLAP: "this entity has keys that another month shows too, until that month is run again",
        }[self]


GUARDS = {
    "extract": (Guard.EMPTY, Guard.SHRINK),
    "quality": (Guard.SHRINK, Guard.SOURCE_CHANGE, Guard.OVERLAP),
    "dbt": (Guard.SHRINK,),
}
"""Stage → the guards that it has."""
METAVAR = "ENTITY[:YYYY-MM]"


@dataclass(frozen=True, order=True)
class Allowance:
    """One lifted guard. `month` is `YYYY-MM`; None stands for every month of the call."""

    guard: Guard
    entity: str
    month: str | None = None

    @classmethod
    def parse(cls, guard: Guard, text: str) -> Allowance:
        """Read `ENTITY` or `ENTITY:YYYY-MM`. Raises UsageError for an unknown entity or no month."""
        entity, colon, month = text.partition(":")
        if entity not in (names := registry().names):
            raise UsageError(
                f"{guard.flag}: expected {METAVAR} with an entity of {', '.join(names)}, found {text!r}; "
                f"e.g. {guard.flag} {names[0]}:2020-01"
            )
        return cls(guard, entity, Interval.of_month(month, guard.flag).month if colon else None)

    @property
    def argv(self) -> tuple[str, str]:
        """As a stage's arguments."""
        return self.guard.flag, self.entity if self.month is None else f"{self.entity}:{self.month}"

    def __str__(self) -> str:
        return " ".join(self.argv)


class Allowances(frozenset[Allowance]):
    """The allowances of one call."""

    @classmethod
    def parse(cls, given: Iterable[tuple[Guard, Sequence[str]]]) -> Allowances:
        """Read the texts given for each guard. Raises UsageError."""
        return cls(Allowance.parse(guard, text) for guard, texts in given for text in texts)

    def allows(self, guard: Guard, entity: str, interval: Interval) -> bool:
        """Whether the guard is lifted for this entity and month."""
        return not self.isdisjoint({Allowance(guard, entity), Allowance(guard, entity, interval.month)})

    def select(self, guards: Collection[Guard], entities: Collection[str], months: Collection[str]) -> Allowances:
        """Those that concern one of these guards, entities and months (`YYYY-MM`)."""
        return Allowances(
            one
            for one in self
            if one.guard in guards and one.entity in entities and (one.month is None or one.month in months)
        )

    @property
    def argv(self) -> tuple[str, ...]:
        """As a stage's arguments, in a fixed order."""
        return tuple(word for one in sorted(self, key=str) for word in one.argv)


NONE_ALLOWED = Allowances()


def add_allowances(parser: argparse.ArgumentParser, *guards: Guard) -> None:
    """Add one repeatable flag for each guard that the stage has."""
    for guard in guards:
        parser.add_argument(
            guard.flag, action="append", default=[], metavar=METAVAR, dest=guard.name, help=f"{guard.help}; repeatable"
        )


def allowances_of(arguments: argparse.Namespace, entities: Collection[str], months: Collection[Interval]) -> Allowances:
    """The allowances of a parsed call. Raises UsageError when one concerns nothing that the call does."""
    given = Allowances.parse((guard, getattr(arguments, guard.name, [])) for guard in Guard)
    return checked(given, entities, months)


def checked(given: Allowances, entities: Collection[str], months: Collection[Interval]) -> Allowances:
    """The same allowances. Raises UsageError when one concerns no entity or month of the call: a typing error."""
    if idle := given - given.select(tuple(Guard), entities, [month.month for month in months]):
        raise UsageError(
            f"{min(map(str, idle))}: expected an entity and a month of this call ({', '.join(entities)}; "
            f"{', '.join(month.month for month in months)}); correct the flag"
        )
    return given
