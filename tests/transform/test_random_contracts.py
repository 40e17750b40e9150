"""Whatever the contract and the records: extract, transform and verify count alike, and nothing is lost or doubled.

Contracts are drawn: flat or exploded, JSON or COPY, with or without money, columns of any type and from any place of a
record; records are mostly valid. Landed rows and money must be those of extract's and verify's readers, and equal to
what is published and quarantined together.
"""

from __future__ import annotations

import json
import os
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyspark.sql import functions as f

from deftunes_contract.entity import Entity, Field, Role, Rule, Severity
from deftunes_contract.interval import Interval
from deftunes_contract.landed_record import RecordMeasure
from deftunes_contract.registry import registry
from deftunes_extract.metrics import RecordMetrics
from deftunes_serving.verify.landing_recount import _Tally
from deftunes_transform.output_rows import AuditColumns, quarantined_rows, staged_rows
from deftunes_transform.rules import QuarantineRules
from deftunes_transform.run import FORMATS, _deduplicated

MONTH = Interval(date(2020, 1, 1), date(2020, 2, 1))
AUDIT = AuditColumns(MONTH.ingest_on, "r1", datetime(2020, 2, 1))
KINDS = {
    # column type, types that a JSON record may declare, types that COPY may declare
    "note": ("string", ["string"], ["string"]),
    "since": ("timestamp", ["string", "timestamp", "timestamptz"], ["timestamp", "timestamptz"]),
    "flag": ("boolean", ["boolean"], ["boolean"]),
    "count": ("long", ["long", "string"], ["long"]),
    "score": ("double", ["double", "string"], ["double"]),
    "day": ("date", ["string", "date"], ["date"]),
}
VALID: dict[str, list[Any]] = {
    "string": ["a", "Zoë", "", " x "],
    "timestamp": ["2020-01-05T10:00:00", "2020-01-31 23:59:59.999999"],
    "timestamptz": ["2020-01-05T10:00:00Z", "2020-01-05 10:00:00+00"],
    "boolean": [True, False],
    "long": [1, -7, 2**40],
    "double": [1.5, 0.25, -3],
    "date": ["2020-01-05"],
}
MONEY = [1.03, 2, 0.0, -5.5, 99999999.99]
ODD = [None, "x", "", "12d", 1.005, 1e8, True, [], {}, [1], {"amount": 5}, "1.50", "[", 10**30, 0.1 + 0.2, "\\", "a\tb"]


def field(name: str, kind: str, **facts: Any) -> Field:
    children = facts.pop("children", ())
    facts = {"required": False, "key": False, "pii": False, "audit": False, "description": ""} | facts
    return Field(name, kind, **facts, children=tuple(children))


@st.composite
def contracts(draw: st.DrawFn, copy: bool, nested: bool, money: bool) -> Entity:
    columns = [field("id", "string", key=True, path="id")]
    record, item = [field("id", "string")], []
    here = item if nested else record
    for name in draw(st.lists(st.sampled_from(list(KINDS)), max_size=4, unique=True)):
        kind, in_json, in_copy = KINDS[name]
        declared = draw(st.sampled_from(in_copy if copy else in_json))
        where = "root" if copy else draw(st.sampled_from(["root", "here", "struct", "array"]))
        target = record if where == "root" else here
        if where == "struct":
            target.append(field(f"in_{name}", "struct", children=[field(name, declared)]))
            columns.append(field(name, kind, path=f"in_{name}.{name}"))
        elif where == "array":
            target.append(field(f"all_{name}", "array", children=[field("item", declared)]))
            columns.append(field(name, kind, path=f"all_{name}[1]"))
        else:
            target.append(field(name, declared))
            columns.append(field(name, kind, path=name))
    if money:
        inside = not copy and draw(st.booleans())
        declared = draw(st.sampled_from(["decimal(10,2)", "double", "string"] if copy else ["double", "string"]))
        amount = field("amount", declared)
        here.append(field("total", "struct", children=[amount]) if inside else amount)
        columns.append(field("amount", "decimal(10,2)", path="total.amount" if inside else "amount"))
    if nested:
        record.append(
            field("items", "array", children=[field("item", "struct", children=item or [field("a", "string")])])
        )
        columns.append(field("item_no", "int", key=True, path="item_no"))
    columns += [field("ingest_on", "date", path="ingest_on"), field("origin", "string", path="origin", constant="here")]
    rules = [
        rule("conform", Severity.QUARANTINE),
        rule("complete", Severity.QUARANTINE, "id", blank="allowed"),
        rule("unique", Severity.QUARANTINE, *(column.name for column in columns if column.key)),
    ]
    return Entity(
        name="random", file="random.yaml", version="1.0.0", purpose="", usage="", limitations="", grain="",
        columns=tuple(columns),
        record=tuple(record), record_name="", rules=tuple(rules), partition=("ingest_on",), landing_folder="x",
        landing_format="pgcopy" if copy else "jsonl", pipeline="p", event_time=None, amount="amount" if money else None,
        server="s", source=None, explode="items" if nested else None, role=Role.FACT, serving_table=None, digest="",
    )  # fmt: skip


def rule(kind: str, severity: Severity, *columns: str, **parameters: Any) -> Rule:
    return Rule(f"random_{kind}", kind, severity, columns, parameters, "", False)


@st.composite
def values(draw: st.DrawFn, one: Field) -> Any:
    """A value of a declared field; one in five is anything."""
    if draw(st.integers(0, 4)) == 0:
        return draw(st.sampled_from(ODD))
    if one.type == "struct":
        return {child.name: draw(values(child)) for child in one.children if draw(st.integers(0, 9))}
    if one.type == "array":
        return draw(st.lists(values(one.children[0]), max_size=3))
    if one.name == "amount":
        price = draw(st.sampled_from(MONEY))
        return price if one.type == "double" else str(price)
    if one.name == "id":
        return draw(st.sampled_from(["a", "b", "c", "d", "e", "f"]))
    return draw(st.sampled_from(VALID[one.type] if one.type in VALID else VALID["string"]))


@st.composite
def lines(draw: st.DrawFn, entity: Entity) -> str:
    if entity.landing_format == "pgcopy":
        texts = [draw(values(one)) for one in entity.record]
        line = "\t".join(copied(value) for value in texts)
        return draw(st.sampled_from([line] * 9 + [line + "\t1", line.replace("\t", " ", 1), ""]))
    record = {one.name: draw(values(one)) for one in entity.record if draw(st.integers(0, 9))}
    text = json.dumps(record, ensure_ascii=draw(st.booleans()))
    return draw(st.sampled_from([text] * 12 + [text[:-1], f"[{text}]", text + "x", "null", text[:-1] + ',"amount":7}']))


def copied(value: Any) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, bool):
        return "t" if value else "f"
    text = value if isinstance(value, str) else json.dumps(value)
    return text.replace("\\", "\\\\").replace("\t", "\\t")


def read_by_verify(entity: Entity, landed: list[str]) -> tuple[int, Decimal | None]:
    tally = _Tally(entity)
    tally.add(iter([f"{line}\n".encode() for line in landed]))
    return tally.figures.units, tally.figures.amount


def read_by_extract(entity: Entity, landed: list[str]) -> tuple[int, Decimal | None]:
    metrics = RecordMetrics(entity)
    metrics.add([line.encode() for line in landed])
    return metrics.totals.units, metrics.totals.amount


SHAPES = [("jsonl", False), ("jsonl", True), ("pgcopy", False)]
EXAMPLES = int(os.environ.get("DEFTUNES_TEST_CONTRACTS", "4"))
"""Contracts of a shape; more than these find nothing that these do not, and take Spark a second each."""


@pytest.mark.parametrize("money", [False, True], ids=["rows", "money"])
@pytest.mark.parametrize(("form", "nested"), SHAPES, ids=["flat", "exploded", "copy"])
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_landed_is_published_and_quarantined(
    spark, validator, form: str, nested: bool, money: bool, data: st.DataObject
) -> None:
    entity = data.draw(contracts(form == "pgcopy", nested, money))
    landed = data.draw(st.lists(lines(entity), min_size=20, max_size=60))
    expected = read_by_verify(entity, landed)
    if entity.landing_format == "jsonl":
        assert read_by_extract(entity, landed) == expected
    rules = QuarantineRules(entity, MONTH)
    validated = FORMATS[entity.landing_format](validator.lines(landed), entity, rules).localCheckpoint()
    measure = RecordMeasure(entity)
    total = f.sum("amount") if entity.amount else f.lit(None)
    by_hash = {row[0]: (row[1], row[2]) for row in validated.groupBy("line_hash").agg(f.count("*"), total).collect()}
    hashes = {row.line: row.line_hash for row in validator.lines(landed).collect()}
    for line in set(landed):
        units, cents = measure.of_line(line.encode())
        found = tuple(part / landed.count(line) for part in (by_hash[hashes[line]][0], by_hash[hashes[line]][1] or 0))
        assert found == (units, Decimal(cents) / 100), (entity, line)
    settled, counts, _ = _deduplicated(validated, entity, rules)
    assert (counts.rows + counts.quarantined_units, counts.records) == (expected[0], len(landed))
    if counts.amount is not None and counts.quarantined_amount is not None:
        assert counts.amount + counts.quarantined_amount == expected[1]
    published = staged_rows(settled, entity, AUDIT)
    keys = published.select(*entity.key).collect()
    assert len(keys) == len(set(keys)) == counts.rows
    quarantined = quarantined_rows(settled, entity, rules, registry().quarantine, AUDIT)
    assert quarantined.count() == counts.quarantined_units
