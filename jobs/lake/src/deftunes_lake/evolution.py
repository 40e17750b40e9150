"""What a table needs to follow its contract, and what no table with rows can follow (ADR 18).

Data flow: contract + schema of the table → DDL. Columns are compared by name; where one stands means nothing. Iceberg
keeps them by field id, so no statement here rewrites a file, and older rows show null in a column that is added.
"""

from __future__ import annotations

import re
from typing import Any

from deftunes_contract.entity import Entity, Field
from deftunes_contract.errors import DataRejected
from deftunes_lake.types import column_sql, quoted, spark_type

WIDENINGS = {("int", "long"), ("float", "double")}
"""Type changes that Iceberg makes without touching data, beside a decimal of more digits."""


def schema_changes(name: str, table: Any, entity: Entity) -> list[str]:
    """DDL that brings a loaded table to its contract, empty when there is nothing to do.

    Raises DataRejected, naming the contract's file, when the contract contradicts rows that are there already.
    """
    found = {column.name(): column for column in table.schema().columns()}
    wanted = {column.name for column in entity.columns}
    refused = [
        f"the table has a column {gone} that the contract lacks (put it back; it may be optional)"
        for gone in found
        if gone not in wanted
    ]
    statements: list[str] = []
    for column in entity.columns:
        try:
            if column.name in found:
                statements += _column_changes(name, column, found[column.name])
            else:
                statements += _added(name, column)
        except _ContradictionError as contradiction:
            refused.append(str(contradiction))
    partition = tuple(field.name() for field in table.spec().fields())
    if partition != entity.partition:
        refused.append(f"it is partitioned by {', '.join(partition)}, not by {', '.join(entity.partition)}")
    if refused:
        raise DataRejected(
            f"{name} holds rows that contract {entity.name} {entity.version} ({entity.file}) contradicts: "
            f"{'; '.join(refused)}. Nothing was changed: correct {entity.file}, or load into another DEFTUNES_DATABASE"
        )
    return statements


class _ContradictionError(Exception):
    """One column that no table with rows can follow, and what to write instead."""


def _added(name: str, column: Field) -> list[str]:
    if column.required:
        raise _ContradictionError(
            f"{column.name} is new and required, but older rows do not have it "
            "(make it optional and let a rule require it)"
        )
    return [f"ALTER TABLE {name} ADD COLUMNS ({column_sql(column)})"]


def _column_changes(name: str, column: Field, found: Any) -> list[str]:
    """The statements that one column needs. Raises _ContradictionError."""
    old, new = str(found.type().toString()).replace(" ", ""), column.type.replace(" ", "")
    alter = f"ALTER TABLE {name} ALTER COLUMN {quoted(column.name)}"
    statements = []
    if old != new:
        if (old, new) not in WIDENINGS and not _more_digits(old, new):
            raise _ContradictionError(
                f"{column.name} is {old}, the contract has {new} (write {old}, or add a column under another name)"
            )
        statements.append(f"{alter} TYPE {spark_type(column).simpleString()}")
    if column.required and found.isOptional():
        raise _ContradictionError(
            f"{column.name} may be null in older rows, the contract requires it "
            "(keep it optional and let a rule require it)"
        )
    if not column.required and found.isRequired():
        statements.append(f"{alter} DROP NOT NULL")
    return statements


def _more_digits(old: str, new: str) -> bool:
    forms = [re.fullmatch(r"decimal\((\d+),(\d+)\)", text) for text in (old, new)]
    if forms[0] is None or forms[1] is None:
        return False
    return forms[0].group(2) == forms[1].group(2) and int(forms[0].group(1)) < int(forms[1].group(1))
