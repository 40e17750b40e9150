"""A build that would show readers less than the public facts refer to is stopped before it becomes public.

Data flow: public state, built state -> members that sales refer to and that would become unknown, months that would
vanish -> nothing, or a refusal with both figures.

A catalog that was lost, emptied or restored from an old copy looks like a small shop: every test of the build passes,
because it compares the built state with what is published now. So the built state is compared with what readers see,
too. What somebody took away on purpose passes: a month that was rolled back, and what the caller allows by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import structlog

from deftunes_contract.allowances import Allowances, Guard
from deftunes_contract.errors import DataRejected
from deftunes_contract.interval import Interval
from deftunes_contract.settings import LakeSettings
from deftunes_serving.departed import Query
from deftunes_serving.lineage import ever_held, rolled_back

FACT_ENTITY = "sessions"

log = structlog.get_logger("deftunes-dbt")


@dataclass(frozen=True)
class Dimension:
    """A dimension: the entity it is made of, its key, and the column of the fact that refers to it."""

    name: str
    entity: str
    key: str
    referred_by: str


DIMENSIONS = (
    Dimension("dim_users", "users", "user_id", "user_id"),
    Dimension("dim_songs", "songs", "track_id", "song_id"),
    Dimension("dim_artists", "songs", "artist_id", "artist_id"),
)


@dataclass(frozen=True)
class States:
    """Two states in one database: schema of the public one, schema of the built one, all facts to be shown.

    partitions: the condition on ingest_on that names the partitions that were built; all others stay as they are.
    """

    public: str
    built: str
    facts: str
    partitions: str


def refuse_shrinkage(
    settings: LakeSettings,
    query: Query,
    states: States,
    months: Sequence[Interval],
    allowed: Allowances,
    unchanged: str,
) -> None:
    """Raises DataRejected where readers would see less.

    months: those that the build was asked for. unchanged: what a refusal leaves as it was, in words.
    """
    findings: dict[str, list[str]] = {}
    for dimension in DIMENSIONS:
        if finding := _lost_members(query, states, dimension):
            findings.setdefault(dimension.entity, []).append(finding)
    if gone := _lost_months(settings, query, states):
        findings.setdefault(FACT_ENTITY, []).extend(gone)
    days = [month.ingest_on for month in months]
    refused: dict[str, list[str]] = {}
    for entity, said in findings.items():
        if any(allowed.allows(Guard.SHRINK, entity, month) for month in months):
            log.warning(f"{Guard.SHRINK.flag} {entity}: readers see less than before: {'; '.join(said)}")
        elif entity != FACT_ENTITY and (back := rolled_back(settings, entity, days)):
            log.info(f"{entity}: {_listed(back)} was rolled back, so readers see less than before: {'; '.join(said)}")
        else:
            refused[entity] = said
    if refused:
        flags = " ".join(f"{Guard.SHRINK.flag} {entity}" for entity in refused)
        raise DataRejected(
            "expected that readers still see what the public sales refer to, found that this build would show less: "
            f"{'; '.join(finding for said in refused.values() for finding in said)}; {unchanged}. "
            "A catalog that was lost, emptied or restored from an old copy does this: check DEFTUNES_LAKE and "
            "DEFTUNES_CATALOG, restore the catalog, or run the missing months again; if less is right, run the same "
            f"build with {flags}"
        )


def _lost_members(query: Query, states: States, dimension: Dimension) -> str | None:
    """What of a dimension would become unknown, in words; None for nothing."""
    key, name = dimension.key, dimension.name
    gone = (
        f"select was.{key} from {states.public}.{name} as was left join {states.built}.{name} as stays "
        f"on was.{key} = stays.{key} where stays.{key} is null"
    )
    # the dimensions are small; the facts are looked at only when something is gone
    ((count,),) = query(f"select count(*) from ({gone}) as gone")
    if not count:
        return None
    referred = f"select distinct {dimension.referred_by} as member from {states.facts} as facts"
    ((before, now, lost),) = query(
        f"select count(was.{key}), count(stays.{key}), count(case when stays.{key} is null then was.{key} end) "
        f"from ({referred}) as referred left join {states.public}.{name} as was on referred.member = was.{key} "
        f"left join {states.built}.{name} as stays on referred.member = stays.{key}"
    )
    return f"{name} {before:,} → {now:,} members with sales, {lost:,} would become unknown" if lost else None


def _lost_months(settings: LakeSettings, query: Query, states: States) -> list[str]:
    """Months with public sales that would have none, though nobody took them away; in words."""
    rows = query(
        f"select was.ingest_on, was.items, was.amount from (select ingest_on, count(*) as items, sum(price) as amount "
        f"from {states.public}.fact_session where {states.partitions} group by ingest_on) as was left join "
        f"(select distinct ingest_on from {states.facts} as facts where {states.partitions}) as stays "
        "on was.ingest_on = stays.ingest_on where stays.ingest_on is null "
        "order by was.ingest_on"
    )
    if not rows:
        return []
    known = ever_held(settings, FACT_ENTITY, [day for day, _, _ in rows])
    return [
        f"{Interval.of_ingest_on(day).month} {items:,} → 0 sales ({amount:,} → 0.00 USD)"
        for day, items, amount in rows
        if day not in known
    ]


def _listed(days: Iterable[date]) -> str:
    return ", ".join(Interval.of_ingest_on(day).month for day in sorted(days))
