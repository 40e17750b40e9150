"""What analysts see: facts per partition, sums of the BI views, and the content of every serving table.

serving schema of the target in use (`deftunes_serving.reader`) ─► sums and fingerprints. Reads only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from deftunes_contract.entity import Entity
from deftunes_contract.registry import registry
from deftunes_serving.reader import ServingReader
from deftunes_serving.redshift import SERVING
from deftunes_serving.verify.fingerprint import fingerprint
from deftunes_serving.verify.model import Discrepancy, Figures, Sale, TableHash, figures

TABLES = ("dim_users", "dim_user_history", "dim_songs", "dim_artists", "fact_session")
VIEWS = (
    "sales_per_artist_vw",
    "sales_per_country_vw",
    "sales_per_country_at_sale_vw",
    "user_activity_vw",
    "music_preference_vw",
)
STAR_FACT = "fact_session"
"""The fact of the packaged star, to which the views add up."""
REBUILD = "run deftunes-dbt build"

UNKNOWN = "unknown"
"""Key of the member of every dimension that stands for what the catalogue does not know."""

_MEMBERS = {
    "dim_users": ("user_id", "1 = 1"),
    "dim_user_history": ("user_id", "is_current"),
    "dim_songs": ("track_id", "1 = 1"),
    "dim_artists": ("artist_id", "1 = 1"),
}
"""Dimension → (its members' key, which rows have each member once)."""
_VIEW_SUMS = {
    "sales_per_artist_vw": ("sum(total_sales)", "sum(price)", "USD of total_sales"),
    "sales_per_country_vw": ("sum(total_sales)", "sum(price)", "USD of total_sales"),
    "sales_per_country_at_sale_vw": ("sum(total_sales)", "sum(price)", "USD of total_sales"),
    "user_activity_vw": ("sum(total_spent)", "sum(price)", "USD of total_spent"),
    "music_preference_vw": ("sum(total_purchases)", "count(*)", "total_purchases"),
}
"""View → (its sum, the same sum over the facts, what is summed)."""


@dataclass(frozen=True)
class ServingTables:
    """The serving schema as found. facts: entity → ingest_on → figures. sound: whether all relations are there."""

    facts: dict[str, dict[date, Figures]]
    sales: tuple[Sale, ...]
    tables: dict[str, TableHash]
    faults: tuple[Discrepancy, ...]
    sound: bool = True


def missing_file(where: str) -> ServingTables:
    """The star of a platform that has published but never built its serving tables."""
    return ServingTables(
        {}, (), {}, (_fault("serving", "serving", "a serving database", "no file", where),), sound=False
    )


def read_tables(serving: ServingReader, members: Mapping[str, TableHash], with_contents: bool) -> ServingTables:
    """Sums, cross-checks and (when asked for) fingerprints of all relations.

    members: fingerprints of the keys that the dimensions must have; only these dimensions are checked. A relation of
    Redshift that is too large to be copied has no fingerprint.
    """
    present = serving.relations()
    if absent := [name for name in (*TABLES, *VIEWS) if name not in present]:
        found = f"{len(absent)} of its relations missing"
        fault = _fault("serving", "serving", f"{SERVING}.{absent[0]}", found, serving.where)
        return ServingTables({}, (), {}, (fault,), sound=False)
    sales = serving.rows(
        f"select session_year, session_month, country_code, total_sales from {SERVING}.sales_per_country_vw "
        "order by session_year, session_month, country_code"
    )
    hashes = {name: _hash(serving, f"select * from {SERVING}.{name}") for name in (*TABLES, *VIEWS) if with_contents}
    return ServingTables(
        facts={entity.name: _facts(serving, entity, present) for entity in fact_entities()},
        sales=tuple(
            Sale(session_year=year, session_month=month, country_code=country, total_sales=total)
            for year, month, country, total in sales
        ),
        tables={name: found for name, found in hashes.items() if found is not None},
        faults=(*_missing_members(serving, members), *_cross_checks(serving)),
    )


def star_entity() -> str:
    """Name of the entity that the packaged star's fact is made of; empty without one."""
    return next((entity.name for entity in fact_entities() if entity.serving_table == STAR_FACT), "")


def fact_entities() -> list[Entity]:
    """The entities whose published rows a serving table must add up to."""
    return [entity for entity in registry().entities.values() if entity.serving_table]


def _facts(serving: ServingReader, entity: Entity, present: Collection[str]) -> dict[date, Figures]:
    """ingest_on → figures of an entity's fact; none for a table that was never built."""
    if entity.serving_table is None or entity.serving_table not in present:
        return {}
    found = serving.facts(entity.serving_table, entity.amount)
    return {day: figures(rows, amount, entity.amount is not None) for day, (rows, amount) in found.items()}


def _hash(serving: ServingReader, select: str) -> TableHash | None:
    with serving.in_duckdb(select) as found:
        return None if found is None else fingerprint(*found)


def _missing_members(serving: ServingReader, expected: Mapping[str, TableHash]) -> Iterator[Discrepancy]:
    """Every dimension has the members that the published tables give it, each once."""
    for dimension, due in expected.items():
        key, once = _MEMBERS[dimension]
        found = _hash(serving, f"select {key} from {SERVING}.{dimension} where {once} and {key} <> '{UNKNOWN}'")
        if found is not None and found != due:
            others = f"{found.rows:,}" if found.rows != due.rows else "others"
            yield _fault("dimension", dimension, f"the {due.rows:,} members that are published", others, serving.where)


def _cross_checks(serving: ServingReader) -> Iterator[Discrepancy]:
    """Every view sums to the facts: a join that fans out, or drops rows, does not."""
    for view, (own, over_facts, what) in _VIEW_SUMS.items():
        total, expected = serving.total(view, own), serving.total(STAR_FACT, over_facts)
        if total != expected:
            yield _fault(
                "view",
                view,
                f"{expected:,} {what}, as in {STAR_FACT}",
                f"{total:,}",
                serving.where,
                f"a join of {view} multiplies or drops rows: look for doubled keys in its dimensions, then {REBUILD}",
            )


def _fault(hop: str, subject: str, expected: str, found: str, where: str, advice: str = REBUILD) -> Discrepancy:
    return Discrepancy(hop=hop, subject=subject, expected=expected, found=found, where=f"in {where}", advice=advice)
