"""Users: landed JSON lines → validated rows, one a record.

Data flow: `line` → contract columns + `failed_rules` (bits of the failed rules) + `line_hash` + `line` (null where
all is well). Pure: no reading, no writing, no clock.

A record conforms when it is a JSON object whose fields have the declared types: `user_location` is null or an array of
at most five scalars, the first two of them numbers (as text); `user_since` is an ISO timestamp without zone; no text
field holds an object, an array or a NUL.
"""

from __future__ import annotations

from functools import reduce
from operator import or_

from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from deftunes_contract.entity import Entity
from deftunes_lake.tables import spark_schema
from deftunes_transform import json_parsing, values
from deftunes_transform.rules import VALID, QuarantineRules, bit_if, bit_or

_PLACES = ("latitude", "longitude", "place_name", "country_code", "timezone")
"""What the positions of user_location mean."""
_TEXTS = ("user_id", "user_lastname", "user_name", "user_since")


def validate(lines: DataFrame, entity: Entity, rules: QuarantineRules) -> DataFrame:
    """Judged rows of landed lines."""
    return _validate(_conforming(_typed(_parsed(lines, entity)), entity), entity, rules)


def _parsed(lines: DataFrame, entity: Entity) -> DataFrame:
    stored = lines.select("line", "line_hash", json_parsing.escape_lone_surrogates(f.col("line")).alias("stored"))
    return stored.select(
        "line",
        "line_hash",
        json_parsing.escapes_nul(f.col("stored")).alias("nul"),
        json_parsing.parsed(f.coalesce("stored", "line"), spark_schema(entity.record)).alias("parsed"),
    )


def _typed(parsed: DataFrame) -> DataFrame:
    record = f.col("parsed.record")
    location = record["user_location"]
    return parsed.select(
        "line",
        "line_hash",
        "nul",
        json_parsing.is_malformed(f.col("parsed")).alias("unreadable"),
        *(record[name].alias(name) for name in _TEXTS),
        *(f.get(location, f.lit(index)).alias(name) for index, name in enumerate(_PLACES)),
        (f.coalesce(f.size(location), f.lit(0)) > len(_PLACES)).alias("too_long"),
    )


def _conforming(typed: DataFrame, entity: Entity) -> DataFrame:
    names = (*_TEXTS, *_PLACES)
    read = {name: values.text(f.col(name), entity.column(name).normalise) for name in names} | {
        "latitude": values.number(f.col("latitude")),
        "longitude": values.number(f.col("longitude")),
        "user_since": values.timestamp(f.col("user_since")),
    }
    free = [f.col(name) for name in json_parsing.unconstrained_text_columns(entity, names)]
    record = f.try_parse_json("line")
    places = f.try_variant_get(record, "$.user_location", "array<variant>")
    structured = json_parsing.is_nested(record, _TEXTS) | f.exists(places, json_parsing.is_nested_value)
    flawed = (
        f.col("unreadable")
        | f.col("too_long")
        | f.when(f.col("nul"), json_parsing.has_nul(free)).otherwise(False)
        | f.when(json_parsing.may_be_nested(free), f.coalesce(structured, f.lit(False))).otherwise(False)
    )
    return typed.select("line", "line_hash", "unreadable", flawed.alias("flawed"), *values.to_columns(read))


def _validate(conforming: DataFrame, entity: Entity, rules: QuarantineRules) -> DataFrame:
    names = [column.name for column in entity.columns if column.name in (*_TEXTS, *_PLACES)]
    read = values.from_columns(names)
    nonconform = reduce(or_, (value.invalid for value in read.values()), f.col("flawed"))
    validated = conforming.select(
        "line",
        "line_hash",
        *names,
        bit_or(
            (
                bit_if(rules.kind("conform"), nonconform),
                rules.failed_rules(values.mark_invalid(f.col("unreadable"), read)),
            )
        ).alias("failed_rules"),
    )
    return validated.select(*names, "failed_rules", *json_parsing.raw_line_columns(f.col("failed_rules") != VALID))
