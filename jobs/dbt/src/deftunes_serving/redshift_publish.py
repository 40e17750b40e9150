"""Redshift's deftunes_serving becomes what was built and tested, in one transaction.

Data flow: deftunes_building (whole dimensions, this build's rows of the fact and of the report, views) ->
deftunes_serving.

Tables are kept and their rows replaced, so whoever reads sees the state before or after and waits for nothing: a
dropped or renamed table would make readers and the build wait for each other, and Redshift has no way to move a table
between schemas (ALTER TABLE has no SET SCHEMA). TRUNCATE is not used: it commits on the spot. Views are made anew only
when their definition changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from deftunes_contract.errors import RetryableError, StageError, UsageError
from deftunes_serving.build_request import EVERYTHING
from deftunes_serving.lake_views import identifier
from deftunes_serving.redshift import BUILDING, SERVING, STAGING, connect, has_public, message_of, query
from deftunes_serving.settings import ServingSettings

if TYPE_CHECKING:
    from redshift_connector.core import Connection

VIEWS = f"{STAGING}.served_view"
"""Which definition each public view was made with (SHA-256)."""
KINDS: dict[str | None, Literal["whole", "intervals", "appended"]] = {
    None: "whole",
    "replace_intervals": "intervals",
    "append": "appended",
}
"""A table's incremental_strategy -> how its public rows are replaced."""


@dataclass(frozen=True)
class Relation:
    """A model that was built: how its public rows are replaced, a view's definition."""

    name: str
    kind: Literal["whole", "intervals", "appended", "view"]
    definition: str = ""

    @property
    def source(self) -> str:
        """Where the rows are that become public."""
        return f"{BUILDING}.{self.name}"

    @property
    def target(self) -> str:
        """Where they become public."""
        return f"{SERVING}.{self.name}"


@dataclass(frozen=True)
class PublishResult:
    """Items and money of the requested partitions, and what the build restated: how many sums, by how much in all."""

    items: int
    amount: Decimal
    restated: int
    change: Decimal


def relations_of(results: Sequence[Any]) -> list[Relation]:
    """What dbt built in deftunes_building: tables first, then views in the order in which they were built."""
    found = [_relation(result.node) for result in results if _is_built(result.node)]
    return sorted(found, key=lambda relation: relation.kind == "view")


def _is_built(node: Any) -> bool:
    is_model = node.resource_type == "model" and node.config.materialized != "ephemeral"
    return bool(is_model and node.schema == BUILDING)


def _relation(node: Any) -> Relation:
    if node.config.materialized == "view":
        return Relation(node.name, "view", node.compiled_code.replace(f'"{BUILDING}".', f'"{SERVING}".'))
    strategy = node.config.incremental_strategy
    if strategy not in KINDS:
        raise UsageError(
            f"model {node.name}: expected incremental_strategy replace_intervals, append or none, found {strategy}; a "
            "fact whose months are replaced says replace_intervals"
        )
    return Relation(node.name, KINDS[strategy])


def publish(
    settings: ServingSettings, holder: Connection, relations: Sequence[Relation], partition_filter: str
) -> PublishResult:
    """Make the built state public; returns what readers see of the requested partitions now.

    `partition_filter` is the condition on ingest_on that names the partitions which the build replaces. `holder` holds
    the build's lock. Raises RetryableError when the lock was lost or the server refuses; deftunes_serving is as it
    was then.
    """
    with closing(connect(settings)) as connection:
        try:
            query(connection, f"create table if not exists {VIEWS} (name varchar(128), definition varchar(64))")
            query(connection, "begin")
            for relation in relations:
                if relation.kind == "view":
                    _define(connection, relation)
                else:
                    _replace(connection, relation, partition_filter)
            _grant(connection, settings)
            ((items, amount),) = query(
                connection,
                f"select count(*), coalesce(sum(price), 0) from {SERVING}.fact_session where {partition_filter}",
            )
            ((restated, change),) = query(
                connection, f"select count(*), coalesce(sum(sales_change), 0) from {BUILDING}.restatement"
            )
            _still_held(holder)
            query(connection, "commit")
            return PublishResult(items, Decimal(amount), restated, Decimal(change))
        except StageError:
            raise
        except Exception as error:
            raise RetryableError(
                f"Redshift {settings.redshift_host} refused the publication of {SERVING}: {message_of(error)}; it "
                "is as it was, run the same command again"
            ) from error


def _still_held(holder: Connection) -> None:
    """Raise RetryableError when the connection that holds the lock is gone: another build may be at work."""
    try:
        query(holder, "select 1")
    except Exception as error:
        raise RetryableError(
            f"the connection that held the lock of this build broke ({message_of(error)}), another build may be at "
            "work; nothing was published, run the same command again"
        ) from None


def _replace(connection: Connection, relation: Relation, partition_filter: str) -> None:
    """Replace a table's public rows: all of them, those of the requested partitions, or none (appended).

    A table whose public rows stay gets the columns that are new (null in those rows); other changes need a full load.
    """
    built, public = (_layout(connection, name) for name in (relation.source, relation.target))
    keeps_rows = relation.kind == "appended" or (relation.kind == "intervals" and partition_filter != EVERYTHING)
    replaced = partition_filter
    if public and keeps_rows:
        _add_columns(connection, relation, built, public)
        if relation.kind == "intervals":
            query(connection, f"delete from {relation.target} where {partition_filter}")
    elif built == public:
        query(connection, f"delete from {relation.target}")
    else:
        if public:
            query(connection, f"drop table {relation.target} cascade")
        query(connection, f"create table {relation.target} (like {relation.source})")
        replaced = EVERYTHING
    columns = ", ".join(identifier(column.name) for column in built)
    # nothing but the partitions that were emptied may be filled
    only = f" where {replaced}" if relation.kind == "intervals" else ""
    query(connection, f"insert into {relation.target} ({columns}) select {columns} from {relation.source}{only}")


def _add_columns(connection: Connection, relation: Relation, built: Sequence[Column], public: Sequence[Column]) -> None:
    """Give the public table the columns that only the built one has. Raises StageError for any other difference."""
    if set(public) - set(built) or len({column.name for column in built}) != len(set(built) | set(public)):
        raise StageError(_other_layout(relation))
    for column in built:
        if column not in public:
            # one column a statement: Redshift takes no more
            query(connection, f"alter table {relation.target} add column {identifier(column.name)} {column.sql_type}")


def _other_layout(relation: Relation) -> str:
    cure = "load every interval with --full-refresh"
    if relation.kind == "appended":
        cure = f"rename {relation.target}, and the next build begins a new one"
    return (
        f"expected {relation.target} with the columns and types that the model has now or fewer, found others, and its "
        f"public rows cannot be kept; {cure}"
    )


class Column(NamedTuple):
    """A column of a table as information_schema describes it."""

    name: str
    data_type: str
    length: int | None
    precision: int | None
    scale: int | None

    @property
    def sql_type(self) -> str:
        """The type as DDL."""
        if self.data_type == "numeric":
            return f"numeric({self.precision}, {self.scale})"
        return f"{self.data_type}({self.length})" if self.length else self.data_type


def _layout(connection: Connection, name: str) -> list[Column]:
    """A table's columns in their order, none for a table that does not exist."""
    schema, _, table = name.partition(".")
    found = query(
        connection,
        "select column_name, data_type, character_maximum_length, numeric_precision, numeric_scale "
        "from information_schema.columns where table_schema = %s and table_name = %s order by ordinal_position",
        schema,
        table,
    )
    return [Column(*row) for row in found]


def _define(connection: Connection, relation: Relation) -> None:
    """Make a view, unless it stands with this very definition: making it would wait for all who read it."""
    definition = hashlib.sha256(relation.definition.encode()).hexdigest()
    made = query(connection, f"select definition from {VIEWS} where name = %s", relation.name)
    # a query of its own: Redshift does not join its catalogue with tables
    if made == [(definition,)] and has_public(connection, relation.name):
        return
    query(connection, f"drop view if exists {relation.target}")
    query(connection, f"create view {relation.target} as (\n{relation.definition}\n) with no schema binding")
    query(connection, f"delete from {VIEWS} where name = %s", relation.name)
    query(connection, f"insert into {VIEWS} values (%s, %s)", relation.name, definition)


def _grant(connection: Connection, settings: ServingSettings) -> None:
    for reader in filter(None, settings.redshift_readers.split(",")):
        kind, _, name = reader.partition(":")
        query(connection, f"grant usage on schema {SERVING} to {kind} {name}")
        query(connection, f"grant select on all tables in schema {SERVING} to {kind} {name}")
