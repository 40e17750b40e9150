"""A build that would show readers less than the public facts refer to is stopped before it becomes public.

Data flow: public state, built state -> members that sales refer to and that would become unknown, months that would
vanish -> nothing, or a refusal with both figures.

A catalog that was lost, emptied or restored from an old copy looks like a small shop: every test of the build passes,
because it compares the built state with what is published now. So the built state is compared with what readers see,
too. What somebody took away on purpose passes: a month that was rolled back, and what the caller allows by name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

import structlog

from deftunes_contract.allowances import Guard
from deftunes_contract.errors import DataRejected, UsageError
from deftunes_contract.interval import Interval
from deftunes_contract.registry import Registry, registry
from deftunes_contract.settings import LakeSettings
from deftunes_serving.build_request import BuildRequest
from deftunes_serving.departed import Query
from deftunes_serving.lake_views import identifier
from deftunes_serving.lineage import ever_held, rolled_back

log = structlog.get_logger("deftunes-dbt")


@dataclass(frozen=True)
class Dimension:
    """A dimension: the entity it is made of, its key, and the column of a fact that refers to it."""

    name: str
    entity: str
    key: str
    fact: str
    referred_by: str


@dataclass(frozen=True)
class Fact:
    """A fact table, the entity whose published rows it holds, the column with the money if there is one."""

    name: str
    entity: str
    amount: str | None


@dataclass(frozen=True)
class States:
    """Two states in one database: schemas of the public and of the built one, public relations that can be compared.

    partitions: the condition on ingest_on that names the partitions that were built; all others stay as they are.
    whole: whether the built facts hold every partition, or only those that were built.
    """

    public: str
    built: str
    present: Collection[str]
    partitions: str
    whole: bool

    def facts(self, fact: str, column: str) -> str:
        """A column and ingest_on of all rows of a fact that readers will see, as a relation."""
        columns = f"ingest_on, {identifier(column)}" if column != "ingest_on" else column
        built = f"select {columns} from {self.built}.{identifier(fact)}"
        if self.whole:
            return f"({built})"
        public = f"select {columns} from {self.public}.{identifier(fact)}"
        return f"({built} where {self.partitions} union all {public} where not ({self.partitions}))"


def facts_of(contracts: Registry) -> list[Fact]:
    """The facts that the contracts name as servingTable."""
    entities = contracts.entities.values()
    return [Fact(entity.serving_table, entity.name, entity.amount) for entity in entities if entity.serving_table]


def dimensions_of(models: Iterable[Any]) -> list[Dimension]:
    """The dimensions that models of the project declare: `meta: {dimension: {entity, key, fact, referred_by}}`.

    Raises UsageError for a declaration of another form.
    """
    found = []
    for model in models:
        declared = model.config.meta.get("dimension")
        if declared is None:
            continue
        try:
            found.append(Dimension(model.name, **declared))
        except TypeError:
            raise UsageError(
                f"model {model.name}: expected meta: {{dimension: {{entity, key, fact, referred_by}}}}, "
                f"found {declared}"
            ) from None
    return found


def refuse_shrinkage(
    settings: LakeSettings,
    query: Query,
    states: States,
    dimensions: Iterable[Dimension],
    request: BuildRequest,
    unchanged: str,
) -> None:
    """Raises DataRejected where readers would see less.

    unchanged: what a refusal leaves as it was, in words.
    """
    facts = {fact.entity: fact for fact in facts_of(registry()) if fact.name in states.present}
    findings: dict[str, list[str]] = {}
    for dimension in dimensions:
        if {dimension.name, dimension.fact} <= set(states.present) and (
            finding := _lost_members(query, states, dimension)
        ):
            findings.setdefault(dimension.entity, []).append(finding)
    for fact in facts.values():
        if gone := _lost_months(settings, query, states, fact):
            findings.setdefault(fact.entity, []).extend(gone)
    days = [month.ingest_on for month in request.months]
    refused: dict[str, list[str]] = {}
    for entity, found in findings.items():
        if any(request.allowances.allows(Guard.SHRINK, entity, month) for month in request.months):
            log.warning(f"{Guard.SHRINK.flag} {entity}: readers see less than before: {'; '.join(found)}")
        elif entity not in facts and (back := rolled_back(settings, entity, days)):
            log.info(f"{entity}: {_listed(back)} was rolled back, so readers see less than before: {'; '.join(found)}")
        else:
            refused[entity] = found
    if refused:
        flags = " ".join(f"{Guard.SHRINK.flag} {entity}" for entity in refused)
        raise DataRejected(
            "expected that readers still see what the public sales refer to, found that this build would show less: "
            f"{'; '.join(finding for found in refused.values() for finding in found)}; {unchanged}. "
            "A catalog that was lost, emptied or restored from an old copy does this: check DEFTUNES_LAKE and "
            "DEFTUNES_CATALOG, restore the catalog, or run the missing months again; if less is right, run the same "
            f"build with {flags}"
        )


def _lost_members(query: Query, states: States, dimension: Dimension) -> str | None:
    """What of a dimension would become unknown, in words; None for nothing."""
    key, name = identifier(dimension.key), identifier(dimension.name)
    gone = (
        f"select was.{key} from {states.public}.{name} as was left join {states.built}.{name} as stays "
        f"on was.{key} = stays.{key} where stays.{key} is null"
    )
    # the dimensions are small; the facts are looked at only when something is gone
    ((count,),) = query(f"select count(*) from ({gone}) as gone")
    if not count:
        return None
    facts = states.facts(dimension.fact, dimension.referred_by)
    referred = f"select distinct {identifier(dimension.referred_by)} as member from {facts} as facts"
    ((before, now, lost),) = query(
        f"select count(was.{key}), count(stays.{key}), count(case when stays.{key} is null then was.{key} end) "
        f"from ({referred}) as referred left join {states.public}.{name} as was on referred.member = was.{key} "
        f"left join {states.built}.{name} as stays on referred.member = stays.{key}"
    )
    return f"{dimension.name} {before:,} → {now:,} members with sales, {lost:,} would become unknown" if lost else None


def _lost_months(settings: LakeSettings, query: Query, states: States, fact: Fact) -> list[str]:
    """Months with public rows that would have none, though nobody took them away; in words."""
    total = f"sum({identifier(fact.amount)})" if fact.amount else "0"
    rows = query(
        f"select was.ingest_on, was.items, was.amount from (select ingest_on, count(*) as items, {total} as amount "
        f"from {states.public}.{identifier(fact.name)} where {states.partitions} group by ingest_on) as was left join "
        f"(select distinct ingest_on from {states.facts(fact.name, 'ingest_on')} as facts where {states.partitions}) "
        "as stays on was.ingest_on = stays.ingest_on where stays.ingest_on is null order by was.ingest_on"
    )
    if not rows:
        return []
    known = ever_held(settings, fact.entity, [day for day, _, _ in rows])
    return [
        f"{Interval.of_ingest_on(day).month} {items:,} → 0 sales ({amount:,} → 0.00 USD)"
        for day, items, amount in rows
        if day not in known
    ]


def _listed(days: Iterable[date]) -> str:
    return ", ".join(Interval.of_ingest_on(day).month for day in sorted(days))
