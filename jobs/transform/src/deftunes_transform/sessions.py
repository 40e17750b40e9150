"""Sessions: landed JSON lines → validated rows, one an item sold.

Data flow: `line` → contract columns + `failed_rules` (bits of the failed rules) + `line_hash` + `line` (null where
all is well). Pure: no reading, no writing, no clock.

One bad item does not condemn its neighbours: where anything in a record could not be read as declared, its items are
taken apart and read one by one. A fault of the envelope (the fields around the items) condemns all of them. A record
of which no item can be made (no JSON object; `session_items` missing, null, empty or no array) is one row without
`item_no`.

A record conforms when it is a JSON object with at least one item and `session_start_time` is an ISO timestamp without
zone; an item conforms when it is an object with a number for `price` (at most two decimals, below 10^8), a boolean for
`liked`, an ISO timestamp for `liked_since`, each of them or null. No text field holds an object, an array or a NUL.
"""

from __future__ import annotations

from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as f
from pyspark.sql import types as t

from deftunes_contract.entity import Entity
from deftunes_lake.tables import spark_schema
from deftunes_transform import json_parsing, values
from deftunes_transform.rules import VALID, QuarantineRules, bit_if, bit_or

_ITEMS = "session_items"
_ENVELOPE = ("user_id", "session_id", "user_agent", "session_start_time")
_ITEM = ("song_id", "song_name", "artist_id", "artist_name", "price", "currency", "liked", "liked_since")


def validate(lines: DataFrame, entity: Entity, rules: QuarantineRules) -> DataFrame:
    """Judged rows of landed lines."""
    envelopes = _envelopes(_apart(_parsed(lines, entity)), entity)
    return _validate(_items(_envelopes_judged(envelopes, entity, rules)), entity, rules)


def _parsed(lines: DataFrame, entity: Entity) -> DataFrame:
    stored = lines.select("line", "line_hash", json_parsing.escape_lone_surrogates(f.col("line")).alias("stored"))
    text = f.coalesce("stored", "line")
    return stored.select(
        "line",
        "line_hash",
        json_parsing.escapes_nul(f.col("stored")).alias("nul"),
        text.alias("text"),
        json_parsing.parsed(text, spark_schema(entity.record)).alias("parsed"),
    )


def _apart(parsed: DataFrame) -> DataFrame:
    one_by_one = json_parsing.is_malformed(f.col("parsed"))
    return parsed.select(
        "line",
        "line_hash",
        "nul",
        f.col("parsed.record").alias("record"),
        one_by_one.alias("one_by_one"),
        f.when(one_by_one, json_parsing.parse_as_variant(f.col("text"), _ITEMS)).alias("apart"),
    )


def _envelopes(apart: DataFrame, entity: Entity) -> DataFrame:
    """One row a record: `items` as declared, and `flaws`, which says of items read one by one whether they conform."""
    (schema,) = (spark_schema(field.children[0].children) for field in entity.record if field.name == _ITEMS)
    flagged = t.StructType([*schema.fields, t.StructField(json_parsing.UNREADABLE, t.StringType())])
    no_object = f.col("one_by_one") & json_parsing.is_malformed(f.col("apart"))
    elements = f.when(~no_object, f.try_variant_get(f.col("apart.record")[_ITEMS], "$", "array<variant>"))

    def item(element: Column) -> Column:
        return f.from_json(f.to_json(element), schema, json_parsing.OPTIONS)

    def flaw(element: Column) -> Column:
        return f.from_json(f.to_json(element), flagged, json_parsing.OPTIONS)[json_parsing.UNREADABLE].isNotNull()

    return apart.select(
        "line",
        "line_hash",
        "nul",
        no_object.alias("no_object"),
        *(f.col("record")[name].alias(name) for name in _ENVELOPE),
        f.when(f.col("one_by_one"), f.transform(elements, item)).otherwise(f.col("record")[_ITEMS]).alias("items"),
        f.when(f.col("one_by_one"), f.transform(elements, flaw)).alias("flaws"),
    )


def _envelopes_judged(envelopes: DataFrame, entity: Entity, rules: QuarantineRules) -> DataFrame:
    flawed = _flawed(json_parsing.unconstrained_text_columns(entity, _ENVELOPE), f.try_parse_json("line"))
    read = {name: values.text(f.col(name), entity.column(name).normalise) for name in _ENVELOPE} | {
        "session_start_time": values.timestamp(f.col("session_start_time"))
    }
    staged = envelopes.select(
        "line", "line_hash", "nul", "no_object", flawed.alias("flawed"), "items", "flaws", *values.to_columns(read)
    )
    read = values.from_columns(_ENVELOPE)
    nonconform = reduce(or_, (value.invalid for value in read.values()), f.col("flawed"))
    return staged.select(
        "line",
        "line_hash",
        "nul",
        *_ENVELOPE,
        bit_or(
            (
                bit_if(rules.kind("conform"), nonconform),
                rules.failed_rules(values.mark_invalid(f.col("no_object"), read)),
            )
        ).alias("envelope"),
        "items",
        "flaws",
    )


def _items(envelopes: DataFrame) -> DataFrame:
    """One row an item; one row with `item_no` null where there is none."""
    exploded = envelopes.select(
        "line",
        "line_hash",
        "nul",
        *_ENVELOPE,
        "envelope",
        "flaws",
        f.posexplode_outer("items").alias("item_no", "item"),
    )
    return exploded.select(
        "line",
        "line_hash",
        "nul",
        *_ENVELOPE,
        "envelope",
        "item_no",
        (f.col("item").isNull() | f.coalesce(f.get("flaws", f.col("item_no")), f.lit(False))).alias("unreadable"),
        *(f.col("item")[name].alias(name) for name in _ITEM),
    )


def _validate(items: DataFrame, entity: Entity, rules: QuarantineRules) -> DataFrame:
    element = f.get(f.try_variant_get(f.try_parse_json("line"), f"$.{_ITEMS}", "array<variant>"), f.col("item_no"))
    flawed = f.col("unreadable") | _flawed(json_parsing.unconstrained_text_columns(entity, _ITEM), element)
    read = {name: values.text(f.col(name), entity.column(name).normalise) for name in _ITEM} | {
        "price": values.price(f.col("price")),
        "liked_since": values.timestamp(f.col("liked_since")),
    }
    staged = items.select(
        "line",
        "line_hash",
        *_ENVELOPE,
        "envelope",
        "item_no",
        "unreadable",
        flawed.alias("flawed"),
        *values.to_columns(read),
    )
    read = values.from_columns(_ITEM)
    nonconform = reduce(or_, (value.invalid for value in read.values()), f.col("flawed"))
    names = [column.name for column in entity.columns if column.name in (*_ENVELOPE, "item_no", *_ITEM)]
    validated = staged.select(
        "line",
        "line_hash",
        *names,
        bit_or(
            (
                f.col("envelope"),
                bit_if(rules.kind("conform"), nonconform),
                rules.failed_rules(values.mark_invalid(f.col("unreadable"), read)),
            )
        ).alias("failed_rules"),
    )
    return validated.select(*names, "failed_rules", *json_parsing.raw_line_columns(f.col("failed_rules") != VALID))


def _flawed(unconstrained_text_columns: list[str], value: Column) -> Column:
    """Whether a text of an envelope or item holds what no text is; `value` is the variant it came from."""
    texts = [f.col(name) for name in unconstrained_text_columns]
    structured = f.coalesce(json_parsing.is_nested(value, unconstrained_text_columns), f.lit(False))
    return f.when(f.col("nul"), json_parsing.has_nul(texts)).otherwise(False) | f.when(
        json_parsing.may_be_nested(texts), structured
    ).otherwise(False)
