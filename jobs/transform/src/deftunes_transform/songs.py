"""Songs: landed PostgreSQL COPY lines → validated rows, one a record.

Data flow: `line` → contract columns + `failed_rules` (bits of the failed rules) + `line_hash` + `line` (null where
all is well). Pure: no reading, no writing, no clock.

COPY text: fields are separated by tabs, `\\N` is null, and what would disturb that is escaped by a backslash (`\\t`,
`\\n`, `\\\\` …), so a line is cut first and unescaped afterwards. A record conforms when it has as many fields as the
contract, its numbers are numbers (NaN and infinities, which no sum survives, are none) and it is UTF-8 without NUL.
"""

from __future__ import annotations

from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as f

from deftunes_contract.entity import Entity, Field
from deftunes_transform import json_parsing, values
from deftunes_transform.rules import VALID, QuarantineRules, Value, bit_if, bit_or

_READERS = {"double": values.number, "int": values.integer}
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_NULL = "\\N"
_ESCAPED = r"\\(?:(?!N(?:\t|\z))|(?<=[^\t]\\)N)"
"""What only lines have in which something other than null is escaped: few, and only they are taken apart."""
_SENTINEL = "\0"
"""Stands for an escaped backslash while the other escapes are undone; PostgreSQL's text cannot hold it."""


def validate(lines: DataFrame, entity: Entity, rules: QuarantineRules) -> DataFrame:
    """Judged rows of landed lines."""
    return _validate(_typed(_cut(lines), entity), entity, rules)


def _cut(lines: DataFrame) -> DataFrame:
    """`fields`: unescaped, null where COPY says so, if the line is `escaped`; else as they stand in the line."""
    escaped = f.col("line").rlike(_ESCAPED)
    fields = f.split("line", "\t", -1)
    return lines.select(
        "line",
        "line_hash",
        escaped.alias("escaped"),
        f.when(escaped, f.transform(fields, unescaped)).otherwise(fields).alias("fields"),
    )


def _typed(cut: DataFrame, entity: Entity) -> DataFrame:
    whole = (f.size("fields") == len(entity.record)) & f.is_valid_utf8("line") & ~f.col("line").contains(_SENTINEL)
    fields = cut.select(
        "line",
        "line_hash",
        "escaped",
        whole.alias("whole"),
        *(f.get("fields", f.lit(place)).alias(field.name) for place, field in enumerate(entity.record)),
    )
    read = {field.name: _value(entity.column(field.name)) for field in entity.record}
    return fields.select("line", "line_hash", "whole", *values.to_columns(read))


def _value(field: Field) -> Value:
    column = f.col(field.name)
    # a line of another number of fields has none that can be told
    found = f.when(f.col("whole") & (f.col("escaped") | (column != _NULL)), column)
    return values.text(found, field.normalise) if field.type == "string" else _READERS[field.type](found)


def unescaped(text: Column) -> Column:
    """One COPY field without its escapes. A backslash before any other character stands for that character."""
    plain = f.replace(text, f.lit("\\\\"), f.lit(_SENTINEL))
    for letter, character in _ESCAPES.items():
        plain = f.replace(plain, f.lit(f"\\{letter}"), f.lit(character))
    plain = f.replace(plain, f.lit("\\"), f.lit(""))
    return f.when(text != _NULL, f.replace(plain, f.lit(_SENTINEL), f.lit("\\")))


def _validate(typed: DataFrame, entity: Entity, rules: QuarantineRules) -> DataFrame:
    names = [field.name for field in entity.record]
    read = values.from_columns(names)
    nonconform = reduce(or_, (value.invalid for value in read.values()), ~f.col("whole"))
    validated = typed.select(
        "line",
        "line_hash",
        *names,
        bit_or(
            (bit_if(rules.kind("conform"), nonconform), rules.failed_rules(values.mark_invalid(~f.col("whole"), read)))
        ).alias("failed_rules"),
    )
    return validated.select(*names, "failed_rules", *json_parsing.raw_line_columns(f.col("failed_rules") != VALID))
