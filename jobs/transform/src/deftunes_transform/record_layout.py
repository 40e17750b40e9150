"""How the records of an entity become rows, as its contract says. Pure: no Spark.

Every column of the table has one origin: a place in the record or its item (`Field.path`), the position of the item
(`item_no`), the run (the partition and the audit columns), or a constant of the contract.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from deftunes_contract.entity import Entity, Field
from deftunes_contract.record_path import ITEM_NO, RecordPath, amount_path, find_path, items_field


@dataclass(frozen=True)
class Source:
    """A column and where in the record its value is."""

    column: Field
    path: RecordPath

    @property
    def name(self) -> str:
        """The column's name."""
        return self.column.name


@dataclass(frozen=True)
class RecordLayout:
    """The record of an entity. record: columns from the record itself; item: from the exploded items; names: all
    columns that the validated rows have, in the order of the contract; items: the exploded field, None for a flat
    record; amount: where the money of a row is.
    """

    entity: Entity
    record: tuple[Source, ...]
    item: tuple[Source, ...]
    names: tuple[str, ...]
    items: Field | None
    amount: RecordPath | None

    @property
    def item_fields(self) -> tuple[Field, ...]:
        """Fields of an item, none for a flat record."""
        return self.items.children[0].children if self.items else ()


def layout_of(entity: Entity) -> RecordLayout:
    """The layout of an entity's records. Raises ValueError for a column without an origin."""
    sources: list[Source] = []
    names: list[str] = []
    items = items_field(entity)
    for column in entity.columns:
        path = None if column.audit or column.name in entity.partition else find_path(entity, column)
        if path is not None:
            sources.append(Source(column, path))
        if path is not None or (items is not None and column.name == ITEM_NO):
            names.append(column.name)
        elif not (column.audit or column.name in entity.partition or column.constant is not None):
            raise ValueError(
                f"contract {entity.name}: column {column.name}: expected a field of the record with this name, a path "
                "or a constant, found none; correct the contract"
            )
    return RecordLayout(
        entity,
        tuple(source for source in sources if not source.path.in_item),
        tuple(source for source in sources if source.path.in_item),
        tuple(names),
        items,
        amount_path(entity),
    )


def arrays(sources: Iterable[Source]) -> Iterator[tuple[tuple[str | int, ...], int, bool]]:
    """Arrays of which columns take single positions: path of the array, positions that mean something, any text?"""
    found: dict[tuple[str | int, ...], list[Source]] = {}
    for source in sources:
        if isinstance(source.path.steps[-1], int):
            found.setdefault(source.path.steps[:-1], []).append(source)
    for steps, members in found.items():
        most = max(int(member.path.steps[-1]) for member in members) + 1
        yield steps, most, any(member.path.type == "string" for member in members)
