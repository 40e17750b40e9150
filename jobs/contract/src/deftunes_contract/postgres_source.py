"""How a PostgreSQL database is read, as data: the options that a contract gives for one relation.

contract (servers, relation) ─► PostgresSource (validated, frozen) ─► deftunes_extract.postgres

Where the database is, and its secrets, are never options: they come from `DEFTUNES_<SERVER>_DSN` or
`DEFTUNES_<SERVER>_DSN_FILE`. docs/sources.md explains the options.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from deftunes_contract.interval import Interval

_LONGEST = 63
"""Bytes of an identifier (NAMEDATALEN - 1): PostgreSQL cuts off the rest without an error."""
_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_QUALIFIED = re.compile(rf"(?:({_NAME})\.)?({_NAME})")
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"")
_FORBIDDEN = re.compile(r";|--|/\*|\\|\$|['\"]|[^\x20-\x7e\t\n]")


def _is_identifier(text: str) -> str:
    if not text or "\0" in text or len(text.encode()) > _LONGEST:
        raise ValueError(f"expected a name of 1 to {_LONGEST} bytes, found {text!r}")
    return text


def _is_condition(text: str) -> str:
    """One closed condition: it cannot end the query, leave its parentheses or hide what follows it."""
    bare = _QUOTED.sub("q", text)
    # a backslash or a NUL is refused between quotes too: what E'\\'' ends with depends on the kind of string
    if found := re.search(r"[\\\0]", text) or _FORBIDDEN.search(bare):
        raise ValueError(
            f"expected one SQL condition without ; -- /* $ \\ and with closed quotes, found {found[0]!r} in {text!r}"
        )
    depth = 0
    for sign in re.findall(r"[()]", bare):
        depth += 1 if sign == "(" else -1
        if depth < 0:
            break
    if depth or not bare.strip():
        raise ValueError(f"expected one SQL condition with closed parentheses, found {text!r}")
    return text


Identifier = Annotated[str, AfterValidator(_is_identifier)]
"""A name as the database has it, in its own spelling: it is always quoted, so `Order Lines` is not `order lines`."""


class _Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Incremental(_Options):
    """Only rows whose `column` lies in [start - lookback, end) of the interval are read.

    column: a timestamp, a timestamp with time zone, or a date; times without a zone are UTC. A fact takes its event
    time: it never changes, so the month is the same whenever it is read. A column that says when a row was last changed
    gives the rows that changed in the interval; read again later, rows that changed since are no longer among them.
    lookback: an ISO 8601 duration (P1D, PT6H) for rows that become visible later than their time says. slice_days:
    how many days are read at once; an extract that fails or is killed goes on with the slices that it lacks.
    """

    column: Identifier
    lookback: Annotated[timedelta, Field(ge=timedelta(0))] = timedelta(0)
    slice_days: int | None = Field(None, ge=1)

    def bounds(self, interval: Interval) -> tuple[datetime, datetime]:
        """First moment, and the first moment after, in UTC."""
        start, end = (datetime.combine(day, time(), UTC) for day in (interval.start, interval.end))
        return start - self.lookback, end

    def slices(self, interval: Interval) -> list[tuple[datetime, datetime]]:
        """The bounds of each slice, in order: together they are the interval's. One without `slice_days`."""
        start, end = self.bounds(interval)
        step = timedelta(days=self.slice_days) if self.slice_days else end - start
        cuts = [start]
        while cuts[-1] < end:
            cuts.append(min(cuts[-1] + step, end))
        return list(pairwise(cuts))


class PostgresSource(_Options):
    """One table, partitioned table, view or materialized view: the custom property `relation`.

    columns: record field → column of the relation, where the two differ; a list of names says that they do not. The
    fields of the contract's record are read, in the record's order. where: a condition in SQL that each row must meet.
    It is part of the query as it stands, because a contract is reviewed like code; it must be one closed condition, and
    the query runs in a read-only transaction. incremental: see there. key_check: what happens when the key of the
    contract is null or stands twice in what is read, where no unique index of the database rules that out: a warning in
    the receipt (rows are set aside later), the end of the extract, or nothing, and then nothing is counted.
    """

    server: str = Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")
    schema_: Annotated[Identifier, Field(alias="schema")] = "public"
    table: Identifier
    columns: dict[str, Identifier] = {}
    where: Annotated[str, AfterValidator(_is_condition)] | None = None
    incremental: Incremental | None = None
    key_check: Literal["warn", "fail", "off"] = "warn"

    @field_validator("columns", mode="before")
    @classmethod
    def _as_mapping(cls, value: Any) -> Any:
        return {name: name for name in value} if isinstance(value, list | tuple) else value

    @property
    def name(self) -> str:
        """Schema and table, for messages and receipts."""
        return f"{self.schema_}.{self.table}"

    def column_of(self, field: str) -> str:
        """The column of the relation that holds a field of the record."""
        return self.columns.get(field, field)


def postgres_source(
    server: str, server_options: Mapping[str, Any], relation: str | Mapping[str, Any]
) -> PostgresSource:
    """A relation (`schema.table`, or its options) of a server with these options.

    Raises pydantic's ValidationError, which names every option that is unknown or wrong.
    """
    if isinstance(relation, str):
        found = _QUALIFIED.fullmatch(relation)
        schema, table = found.groups() if found else (None, relation)
        relation = {"table": table} | ({"schema": schema} if schema else {})
    return PostgresSource.model_validate({**server_options, **relation, "server": server})
