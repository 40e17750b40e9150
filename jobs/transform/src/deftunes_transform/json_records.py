"""JSON records → validated rows: one a record, or one an item where the contract explodes a field.

Data flow: `line` → contract columns + `failed_rules` (bits of the failed rules) + `line_hash` + `line` (null where all
is well); for exploded entities `item_no` too. Pure: no reading, no writing, no clock.

A record conforms when it is a JSON object whose fields have the declared types (null is of every type), arrays have no
more positions than the contract names, and no text holds an object, an array or a NUL. An exploded record has at least
one item besides. One bad item does not condemn its neighbours: where anything in such a record could not be read as
declared, its items are parsed one by one. A fault outside the items condemns all of them. A record without items (no
JSON object; the field missing, null, empty or no array) is one row without `item_no`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as f
from pyspark.sql import types as t

from deftunes_contract.entity import Entity, Field
from deftunes_contract.record_path import ITEM_NO
from deftunes_lake.tables import spark_schema
from deftunes_transform import json_parsing, values
from deftunes_transform.record_layout import RecordLayout, Source, arrays, layout_of
from deftunes_transform.rules import VALID, QuarantineRules, bit_if, bit_or

_LINE = ("line", "line_hash")
_TIMES = frozenset({"timestamp", "timestamptz", "date"})


def validate(lines: DataFrame, entity: Entity, rules: QuarantineRules) -> DataFrame:
    """Validated rows of landed lines."""
    layout = layout_of(entity)
    parsed = _parsed(lines, layout)
    if layout.items is None:
        return _flat_rows(_flat_values(parsed, layout), layout, rules)
    envelopes = _envelope_rules(_envelopes(_reparsed(parsed, layout), layout), layout, rules)
    return _item_rows(_items(envelopes, layout), layout, rules)


def _parsed(lines: DataFrame, layout: RecordLayout) -> DataFrame:
    stored = lines.select(*_LINE, json_parsing.escape_lone_surrogates(f.col("line")).alias("stored"))
    text = f.coalesce("stored", "line")
    return stored.select(
        *_LINE,
        json_parsing.escapes_nul(f.col("stored")).alias("nul"),
        text.alias("text"),
        json_parsing.parsed(text, _schema(layout.entity.record)).alias("parsed"),
    )


# flat records


def _flat_values(parsed: DataFrame, layout: RecordLayout) -> DataFrame:
    record = f.col("parsed.record")
    malformed = json_parsing.is_malformed(f.col("parsed"))
    found = {source.name: _at(record, source.path.steps) for source in layout.record}
    if layout.amount is not None and layout.entity.amount is not None:
        # the money of a bad record counts too, and only of what is JSON to its end
        again = json_parsing.reread(f.col("text"), layout.amount.root, _schema(layout.entity.record))
        found[layout.entity.amount] = f.when(malformed, _at(again, layout.amount.steps)).otherwise(
            found[layout.entity.amount]
        )
    raw = parsed.select(
        *_LINE,
        "nul",
        malformed.alias("unreadable"),
        *(column.alias(name) for name, column in found.items()),
        _too_long(record, layout.record).alias("too_long"),
    )
    variant = f.try_parse_json("line")
    flawed = f.col("unreadable") | f.col("too_long") | _flawed(layout.entity, layout.record, variant)
    return raw.select(*_LINE, "unreadable", flawed.alias("flawed"), *_read(layout.record))


def _flat_rows(typed: DataFrame, layout: RecordLayout, rules: QuarantineRules) -> DataFrame:
    read = values.from_columns(source.name for source in layout.record)
    nonconform = reduce(or_, (value.invalid for value in read.values()), f.col("flawed"))
    failed = (
        bit_if(rules.kind("conform"), nonconform),
        rules.failed_rules(values.mark_invalid(f.col("unreadable"), read)),
    )
    return _with_line(typed.select(*_LINE, *layout.names, bit_or(failed).alias("failed_rules")), layout)


# records whose items are the rows


def _reparsed(parsed: DataFrame, layout: RecordLayout) -> DataFrame:
    """`apart`: of a record that could not be read as declared, the fields that say where the fault is."""
    one_by_one = json_parsing.is_malformed(f.col("parsed"))
    names = [layout.entity.explode or "", *(field.name for field in _strict_fields(layout))]
    return parsed.select(
        *_LINE,
        "nul",
        f.col("parsed.record").alias("record"),
        one_by_one.alias("one_by_one"),
        f.when(one_by_one, json_parsing.parse_as_variant(f.col("text"), *names)).alias("apart"),
    )


def _strict_fields(layout: RecordLayout) -> list[Field]:
    """Fields beside the items that cannot hold every JSON value; a text can."""
    return [field for field in layout.entity.record if field.name != layout.entity.explode and not _is_text(field)]


def _envelopes(apart: DataFrame, layout: RecordLayout) -> DataFrame:
    """One row a record: `items` as declared, and `flaws`, which says of items read one by one whether they conform."""
    items = layout.entity.explode or ""
    schema = _schema(layout.item_fields)
    no_object = f.col("one_by_one") & json_parsing.is_malformed(f.col("apart"))
    elements = f.when(~no_object, f.try_variant_get(f.col("apart.record")[items], "$", "array<variant>"))
    record = f.col("record")
    nonconform = _too_long(record, layout.record)
    if strict := _strict_fields(layout):
        beside = f.struct(*(f.col("apart.record")[field.name].alias(field.name) for field in strict))
        nonconform = nonconform | f.coalesce(
            f.col("one_by_one") & ~no_object & json_parsing.is_nonconform(beside, _schema(strict)), f.lit(False)
        )
    return apart.select(
        *_LINE,
        "nul",
        no_object.alias("no_object"),
        nonconform.alias("nonconform"),
        *(_at(record, source.path.steps).alias(source.name) for source in layout.record),
        f.when(f.col("one_by_one"), f.transform(elements, lambda element: json_parsing.as_declared(element, schema)))
        .otherwise(record[items])
        .alias("items"),
        f.when(
            f.col("one_by_one"), f.transform(elements, lambda element: json_parsing.is_nonconform(element, schema))
        ).alias("flaws"),
    )


def _envelope_rules(envelopes: DataFrame, layout: RecordLayout, rules: QuarantineRules) -> DataFrame:
    names = [source.name for source in layout.record]
    flawed = f.col("nonconform") | _flawed(layout.entity, layout.record, f.try_parse_json("line"))
    typed = envelopes.select(
        *_LINE, "nul", "no_object", flawed.alias("flawed"), "items", "flaws", *_read(layout.record)
    )
    read = values.from_columns(names)
    nonconform = reduce(or_, (value.invalid for value in read.values()), f.col("flawed"))
    failed = (
        bit_if(rules.kind("conform"), nonconform),
        rules.failed_rules(values.mark_invalid(f.col("no_object"), read)),
    )
    return typed.select(*_LINE, "nul", *names, bit_or(failed).alias("envelope"), "items", "flaws")


def _items(envelopes: DataFrame, layout: RecordLayout) -> DataFrame:
    """One row an item; one row with `item_no` null where there is none."""
    names = [source.name for source in layout.record]
    exploded = envelopes.select(
        *_LINE, "nul", *names, "envelope", "flaws", f.posexplode_outer("items").alias(ITEM_NO, "item")
    )
    item = f.col("item")
    return exploded.select(
        *_LINE,
        "nul",
        *names,
        "envelope",
        ITEM_NO,
        (item.isNull() | f.coalesce(f.get("flaws", f.col(ITEM_NO)), f.lit(False))).alias("unreadable"),
        _too_long(item, layout.item).alias("too_long"),
        *(_at(item, source.path.steps).alias(source.name) for source in layout.item),
    )


def _item_rows(items: DataFrame, layout: RecordLayout, rules: QuarantineRules) -> DataFrame:
    names = [source.name for source in layout.record]
    elements = f.try_variant_get(f.try_parse_json("line"), f"$.{layout.entity.explode}", "array<variant>")
    flawed = (
        f.col("unreadable") | f.col("too_long") | _flawed(layout.entity, layout.item, f.get(elements, f.col(ITEM_NO)))
    )
    typed = items.select(*_LINE, *names, "envelope", ITEM_NO, "unreadable", flawed.alias("flawed"), *_read(layout.item))
    read = values.from_columns(source.name for source in layout.item)
    nonconform = reduce(or_, (value.invalid for value in read.values()), f.col("flawed"))
    failed = (
        f.col("envelope"),
        bit_if(rules.kind("conform"), nonconform),
        rules.failed_rules(values.mark_invalid(f.col("unreadable"), read)),
    )
    columns = dict.fromkeys((*layout.names, ITEM_NO))
    return _with_line(typed.select(*_LINE, *columns, bit_or(failed).alias("failed_rules")), layout)


# what both have in common


def _read(sources: Sequence[Source]) -> list[Column]:
    read = {s.name: values.read(f.col(s.name), s.path.type, s.column, is_text=False) for s in sources}
    return values.to_columns(read)


def _with_line(validated: DataFrame, layout: RecordLayout) -> DataFrame:
    names = [name for name in validated.columns if name not in _LINE]
    return validated.select(*names, *json_parsing.raw_line_columns(f.col("failed_rules") != VALID))


def _flawed(entity: Entity, sources: Sequence[Source], variant: Column) -> Column:
    """Whether a text of these columns holds what no text is; `variant` is the JSON value that the columns came from."""
    free = json_parsing.unconstrained_text_columns(entity, (source.name for source in sources))
    paths = [source.path for source in sources if source.name in free]
    texts = [f.col(name) for name in free]
    nested = json_parsing.is_nested(variant, [str(path.steps[-1]) for path in paths if isinstance(path.steps[-1], str)])
    for steps, _, any_text in arrays(sources):
        if any_text:
            elements = f.try_variant_get(variant, json_parsing.variant_path(steps), "array<variant>")
            nested = nested | f.exists(elements, json_parsing.is_nested_value)
    return f.when(f.col("nul"), json_parsing.has_nul(texts)).otherwise(False) | f.when(
        json_parsing.may_be_nested(texts), f.coalesce(nested, f.lit(False))
    ).otherwise(False)


def _too_long(record: Column, sources: Sequence[Source]) -> Column:
    """Whether an array has more positions than the contract names."""
    found = (f.coalesce(f.size(_at(record, steps)), f.lit(0)) > most for steps, most, _ in arrays(sources))
    return reduce(or_, found, f.lit(False))


def _at(node: Column, steps: Sequence[str | int]) -> Column:
    """The value below a struct; null where there is nothing."""
    for step in steps:
        node = node[step] if isinstance(step, str) else f.get(node, f.lit(step))
    return node


def _is_text(field: Field) -> bool:
    return field.type == "string" or field.type in _TIMES


def _schema(fields: Sequence[Field]) -> t.StructType:
    """What the JSON reader is to make of a record; times are read as texts, because Spark's own reader is lenient."""
    return t.StructType([t.StructField(field.name, _json_type(field)) for field in fields])


def _json_type(field: Field) -> t.DataType:
    if field.type == "struct":
        return _schema(field.children)
    if field.type == "array":
        return t.ArrayType(_json_type(field.children[0]))
    return t.StringType() if _is_text(field) else spark_schema((field,))[0].dataType
