"""PostgreSQL COPY lines → validated rows, one a record.

Data flow: `line` → contract columns + `failed_rules` (bits of the failed rules) + `line_hash` + `line` (null where
all is well). Pure: no reading, no writing, no clock.

The format: deftunes_contract.copy_text. A record conforms when it has as many fields as the contract, its fields have
the declared types (NaN and infinities, which no sum survives, are no numbers) and it is UTF-8 without NUL.
"""

from __future__ import annotations

from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as f

from deftunes_contract.copy_text import ESCAPES, NULL
from deftunes_contract.entity import Entity
from deftunes_transform import json_parsing, values
from deftunes_transform.record_layout import RecordLayout, Source, layout_of
from deftunes_transform.rules import VALID, QuarantineRules, Value, bit_if, bit_or

_ESCAPED = r"\\(?:(?!N(?:\t|\z))|(?<=[^\t]\\)N)"
"""What only lines have in which something other than null is escaped: few, and only they are parsed in full."""
_SENTINEL = "\0"
"""Stands for an escaped backslash while the other escapes are undone; PostgreSQL's text cannot hold it."""


def validate(lines: DataFrame, entity: Entity, rules: QuarantineRules) -> DataFrame:
    """Validated rows of landed lines."""
    layout = layout_of(entity)
    return _apply_rules(_typed(_split(lines), layout), layout, rules)


def _split(lines: DataFrame) -> DataFrame:
    """`fields`: unescaped, null where COPY says so, if the line is `escaped`; else as they stand in the line."""
    escaped = f.col("line").rlike(_ESCAPED)
    fields = f.split("line", "\t", -1)
    return lines.select(
        "line",
        "line_hash",
        escaped.alias("escaped"),
        f.when(escaped, f.transform(fields, unescaped)).otherwise(fields).alias("fields"),
    )


def _typed(split: DataFrame, layout: RecordLayout) -> DataFrame:
    record = [field.name for field in layout.entity.record]
    whole = (f.size("fields") == len(record)) & f.is_valid_utf8("line") & ~f.col("line").contains(_SENTINEL)
    fields = split.select(
        "line",
        "line_hash",
        "escaped",
        whole.alias("whole"),
        *(f.get("fields", f.lit(record.index(source.path.root))).alias(source.name) for source in layout.record),
    )
    read = {source.name: _value(source) for source in layout.record}
    return fields.select("line", "line_hash", "whole", *values.to_columns(read))


def _value(source: Source) -> Value:
    column = f.col(source.name)
    # nothing is known of the fields of a line that has another number of them
    found = f.when(f.col("whole") & (f.col("escaped") | (column != NULL)), column)
    return values.read(found, source.path.type, source.column, is_text=True)


def unescaped(text: Column) -> Column:
    """One COPY field without its escapes. A backslash before any other character stands for that character."""
    plain = f.replace(text, f.lit("\\\\"), f.lit(_SENTINEL))
    for letter, character in ESCAPES.items():
        plain = f.replace(plain, f.lit(f"\\{letter}"), f.lit(character))
    plain = f.replace(plain, f.lit("\\"), f.lit(""))
    return f.when(text != NULL, f.replace(plain, f.lit(_SENTINEL), f.lit("\\")))


def _apply_rules(typed: DataFrame, layout: RecordLayout, rules: QuarantineRules) -> DataFrame:
    read = values.from_columns(layout.names)
    nonconform = reduce(or_, (value.invalid for value in read.values()), ~f.col("whole"))
    failed = (
        bit_if(rules.kind("conform"), nonconform),
        rules.failed_rules(values.mark_invalid(~f.col("whole"), read)),
    )
    validated = typed.select("line", "line_hash", *layout.names, bit_or(failed).alias("failed_rules"))
    return validated.select(
        *layout.names, "failed_rules", *json_parsing.raw_line_columns(f.col("failed_rules") != VALID)
    )
