"""What was set aside: quarantined rows by rule, with examples that name no person.

`quarantine` on `main`, rows of published runs ─► counts and a few masked records. A field is shown only when the
contract has a column of its name that is not personal, and the value is of that column's kind (a text in `price` may be
anything, so also a name); everything else is replaced by what kind of value it is, so that "null" and "empty" still
explain why a rule broke.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb

from deftunes_cli.dashboard.text import plural
from deftunes_contract.entity import Entity
from deftunes_contract.interval import Interval
from deftunes_contract.registry import load
from deftunes_serving.verify.published_tables import SCHEMA, QuarantineKey

MASK = "•••"
EXAMPLES = 2
"""Per rule: one may be odd, two show a pattern."""
LONGEST = 220
"""Characters of an example."""


@dataclass(frozen=True)
class Refused:
    """All rows that one rule set aside. units: table rows they stand for. amount: USD, None where there is no money."""

    entity: str
    rule: str
    description: str
    units: int
    amount: Decimal | None
    months: tuple[str, ...]
    examples: tuple[str, ...]


def read_quarantine(connection: duckdb.DuckDBPyConnection, published: Collection[QuarantineKey]) -> tuple[Refused, ...]:
    """Quarantine of the published runs, largest first. The connection has the view of `attach`."""
    if not published:
        return ()
    connection.execute("create or replace temp table shown_run (entity text, ingest_on date, run_id text)")
    connection.executemany("insert into shown_run values (?, ?, ?)", [list(key) for key in sorted(published)])
    rows = f"{SCHEMA}.quarantine semi join shown_run using (entity, ingest_on, run_id)"
    groups = connection.execute(
        f"select entity, rule, sum(units)::bigint, sum(amount), list(distinct ingest_on order by ingest_on) from {rows}"
        " group by all order by 3 desc, 1, 2"
    ).fetchall()
    examples: dict[tuple[str, str], list[str]] = {}
    for entity, rule, item_no, raw in connection.execute(
        f"select entity, rule, item_no, raw_record from {rows} qualify row_number() over"
        f" (partition by entity, rule order by ingest_on, record_hash, item_no) <= {EXAMPLES} order by all"
    ).fetchall():
        examples.setdefault((entity, rule), []).append(masked(load(entity), raw, item_no, rule))
    return tuple(
        Refused(
            entity=entity,
            rule=rule,
            description=_description(load(entity), rule),
            units=units,
            amount=None if load(entity).amount is None else amount or Decimal("0.00"),
            months=tuple(_month(day) for day in days),
            examples=tuple(dict.fromkeys(examples.get((entity, rule), []))),
        )
        for entity, rule, units, amount, days in groups
    )


def masked(contract: Entity, raw: str, item_no: int | None, rule: str) -> str:
    """A landed record, shortened, with nothing in it that could tell who it is about; what the rule is on comes first.

    Fields that the contract does not know are only counted: nobody has said that they are not personal.
    """
    fields = _pgcopy(contract, raw) if contract.landing_format == "pgcopy" else _json(raw)
    if not isinstance(fields, Mapping):
        return f"{plural(len(raw), 'character')}, no {'row' if contract.landing_format == 'pgcopy' else 'JSON object'}"
    first = _columns(contract, rule)
    is_text = contract.landing_format == "pgcopy"
    open_types = {column.name: column.type for column in contract.columns if not column.pii}
    known = {field.name: field for field in contract.record}
    shown = {name: _value(value, open_types.get(name), is_text) for name, value in fields.items() if name in known}
    for name, field in known.items():
        parts = {part.name for child in field.children for part in child.children}
        items = fields.get(name)
        if parts and isinstance(items, list):
            shown[name] = _item(items, item_no, parts, open_types, first)
            first = (*first, name) if set(first) & parts else first
    if more := len(fields) - len(shown):
        shown["…"] = plural(more, "field") + " the contract does not know"
    text = _line(shown, first)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _columns(contract: Entity, rule: str) -> tuple[str, ...]:
    try:
        return contract.rule(rule).columns
    except KeyError:
        return ()


def _line(shown: Mapping[str, str], first: tuple[str, ...]) -> str:
    """`name: value` after `name: value`; these first, the others in their own order."""
    names = sorted(shown, key=lambda name: name not in first)
    return ", ".join(f"{name}: {shown[name]}" for name in names)


def _item(
    items: list[Any], item_no: int | None, known: set[str], open_types: Mapping[str, str], first: tuple[str, ...]
) -> str:
    """The refused item of a record, or only how many there are when the record was refused as a whole."""
    if item_no is None or not 0 <= item_no < len(items):
        return plural(len(items), "item")
    item = items[item_no]
    if not isinstance(item, Mapping):
        return f"item {item_no} of {len(items)} is {_kind(item)}"
    shown = {name: _value(value, open_types.get(name), False) for name, value in item.items() if name in known}
    return f"item {item_no} of {len(items)} ({_line(shown, first)})"


def _value(value: Any, open_type: str | None, is_text: bool) -> str:
    """The value when it may be seen: in a column that is open (has a type here), and of the column's kind."""
    if value is None:
        return "null"
    if open_type is not None and _fits(value, open_type, is_text):
        return json.dumps(value, ensure_ascii=False)
    return _kind(value)


def _fits(value: Any, kind: str, is_text: bool) -> bool:
    """Whether a landed value is of a column's kind. is_text: it landed as COPY text, so numbers are texts too."""
    if kind == "string":
        return isinstance(value, str)
    if kind == "boolean":
        return isinstance(value, bool)
    if kind in ("timestamp", "date"):
        return isinstance(value, str) and _reads(datetime.fromisoformat, value)
    if is_text:
        return _reads(float, value)
    return isinstance(value, int | float) and not isinstance(value, bool)


def _reads(parse: Callable[[str], object], text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


def _kind(value: Any) -> str:
    """What kind of value it is, without the value."""
    if isinstance(value, str):
        return f"{MASK} ({len(value)} characters)" if value else '""'
    if isinstance(value, list):
        return f"{MASK} ({len(value)} values)"
    return MASK


def _json(raw: str) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def _pgcopy(contract: Entity, raw: str) -> Mapping[str, str | None] | None:
    """A line of COPY text by the record's field names; None when it has another number of fields."""
    values = raw.split("\t")
    if len(values) != len(contract.record):
        return None
    return {field.name: None if v == r"\N" else v for field, v in zip(contract.record, values, strict=True)}


def _description(contract: Entity, rule: str) -> str:
    try:
        return contract.rule(rule).description
    except KeyError:
        return "a rule of an older contract"


def _month(ingest_on: date) -> str:
    return Interval.of_ingest_on(ingest_on).month
