"""Where in a landed record the value of a column is.

A column's `path` (default: its own name) is looked up in the exploded item first and then in the record: `price`,
`user_location[3]`, `customer.address.city`. Resolved against the declared record, never against data, so every reader
of a contract finds the same place.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from deftunes_contract.entity import Entity, Field

ITEM_NO = "item_no"
"""Column with the position of an item in its record, from 0; the transform sets it for exploded entities."""
_FORM = re.compile(r"[^.\[\]]+(\[\d+\])*(\.[^.\[\]]+(\[\d+\])*)*")
_STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")


@dataclass(frozen=True)
class RecordPath:
    """Names and array positions to follow, the declared type of what is there, and whether it starts at the item."""

    steps: tuple[str | int, ...]
    type: str
    in_item: bool

    @property
    def root(self) -> str:
        """The first name: a field of the item or of the record."""
        return str(self.steps[0])

    def find(self, node: Any) -> Any:
        """The value below a parsed JSON object; None where there is nothing of this form."""
        for step in self.steps:
            if isinstance(step, str):
                node = node.get(step) if isinstance(node, dict) else None
            else:
                node = node[step] if isinstance(node, list) and step < len(node) else None
        return node


def items_field(entity: Entity) -> Field | None:
    """The field of a record that holds its items. Raises ValueError when it is no array of objects."""
    if entity.explode is None:
        return None
    for field in entity.record:
        if field.name == entity.explode and field.type == "array" and field.children[0].type == "struct":
            return field
    raise ValueError(f"contract {entity.name}: explode: expected an array of objects in the record, {entity.explode!r}")


def parse_path(text: str) -> tuple[str | int, ...] | None:
    """The names and positions of a path, None when it has another form."""
    if not _FORM.fullmatch(text):
        return None
    return tuple(int(number) if number else name for number, name in _STEP.findall(text))


def find_path(entity: Entity, column: Field) -> RecordPath | None:
    """The path of a column, None when its value does not come from the record. Raises ValueError for a bad path."""
    text = column.path or column.name
    steps = parse_path(text)
    if steps is None:
        raise ValueError(f"contract {entity.name}: column {column.name}: expected a path as a.b[0], found {text!r}")
    items = items_field(entity)
    if items is not None and (found := descend(items.children[0].children, steps)):
        return RecordPath(steps, found.type, True)
    found = descend(entity.record, steps)
    if found is None and text != column.name:
        raise ValueError(f"contract {entity.name}: column {column.name}: the record has no {text!r}")
    return None if found is None else RecordPath(steps, found.type, False)


def amount_path(entity: Entity) -> RecordPath | None:
    """Where the money of a row is. Raises ValueError for an amount that cannot be summed from the landed records."""
    if entity.amount is None:
        return None
    column = entity.column(entity.amount)
    path = find_path(entity, column)
    where = f"contract {entity.name}: amount {entity.amount}"
    if path is None:
        raise ValueError(f"{where}: expected a field of the record, found none")
    if entity.explode and not path.in_item:
        raise ValueError(f"{where}: expected a field of the items of {entity.explode}, found one of the record")
    if column.type.replace(" ", "") != "decimal(10,2)":
        raise ValueError(f"{where}: expected physicalType decimal(10,2), found {column.type}")
    if entity.landing_format != "pgcopy" and path.type not in ("double", "string"):
        raise ValueError(f"{where}: expected double or string in the JSON record, found {path.type}")
    return path


def descend(fields: Sequence[Field], steps: Sequence[str | int]) -> Field | None:
    """The declared field below others, None when there is none."""
    found: Field | None = None
    for step in steps:
        if isinstance(step, int):
            found = found.children[0] if found is not None and found.type == "array" else None
        else:
            children = fields if found is None else found.children if found.type == "struct" else ()
            found = next((child for child in children if child.name == step), None)
        if found is None:
            return None
    return found
