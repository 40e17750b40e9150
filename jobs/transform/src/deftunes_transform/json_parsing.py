"""JSON records: landed lines as typed structs, and what in them could not be read.

Data flow: `line` → `record`, a struct with the contract's fields. Types come from the contract and are never inferred,
so a month whose `liked_since` is all null has the types of any other.

What is not lenient: numbers in quotes and words like NaN are no numbers, names are told apart by case, what follows a
record is a fault. What is: a text field takes any scalar as its text, unknown fields are ignored, and of a field given
twice the last one counts, as in every JSON reader that extract uses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import reduce
from operator import or_

from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as f
from pyspark.sql import types as t

from deftunes_contract.entity import Entity, Severity

UNREADABLE = "unreadable"
"""Column beside a record that Spark fills with the text when any of it could not be read as declared."""
OPTIONS = {
    "mode": "PERMISSIVE",
    "columnNameOfCorruptRecord": UNREADABLE,
    "allowSingleQuotes": "false",
    "allowNonNumericNumbers": "false",
    # an unknown field may hold anything, and is skipped without recursion
    "maxNestingDepth": "100000",
    "maxNumLen": str(16 << 20),
    "maxStringLen": str(16 << 20),
}
_VARIANT_OPTIONS = OPTIONS | {"maxNestingDepth": "1000"}
"""Variants are built by recursion: deeper ones would break the task's stack."""
_LONE_SURROGATE = (
    r"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
_NUL = "\0"
_OPENING = (ord("{"), ord("["))


def prepare(spark: SparkSession) -> None:
    """Let variants, too, take the last of a field given twice; Spark has no option of a reader for it."""
    spark.conf.set("spark.sql.variant.allowDuplicateKeys", "true")


def escape_lone_surrogates(line: Column) -> Column:
    """The line with every escaped character that no table can hold (half a surrogate pair) made a NUL; null if plain.

    Java would put a question mark in its place, and nobody would know.
    """
    # \\ becomes \u005c, so that every backslash that is left begins an escape
    escapes = f.replace(line, f.lit("\\\\"), f.lit("\\u005c"))
    return f.when(line.contains("\\u"), f.regexp_replace(escapes, _LONE_SURROGATE, r"\\u0000"))


def escapes_nul(stored: Column) -> Column:
    """Whether what `escape_lone_surrogates` gave has an escaped NUL anywhere, so that texts must be looked at."""
    return stored.isNotNull() & stored.contains("\\u0000")


def parsed(text: Column, schema: t.StructType) -> Column:
    """Struct of `record` (null where the text is no JSON object) and `unreadable` (null where all could be read).

    Where something could not be read, what could be is there, even of a text that is cut short.
    """
    return _read(text, schema, OPTIONS)


def parse_as_variant(text: Column, *fields: str) -> Column:
    """The same with some fields, taken as they are (variants), so that nothing is unreadable but what is no JSON."""
    return _read(text, t.StructType([t.StructField(field, t.VariantType()) for field in fields]), _VARIANT_OPTIONS)


def is_malformed(parsed: Column) -> Column:
    """Whether a text that was `parsed`, or parsed as variants, gave no record that was read in full."""
    return parsed["record"].isNull() | parsed[UNREADABLE].isNotNull()


def reread(text: Column, field: str, schema: t.StructType) -> Column:
    """Struct of one field of a record, whatever its other fields hold; null where the text is no JSON object."""
    apart = parse_as_variant(text, field)
    return f.when(~is_malformed(apart), as_declared(apart["record"], t.StructType([schema[field]])))


def as_declared(value: Column, schema: t.StructType) -> Column:
    """A variant, or a struct of variants, as a struct of declared types; what cannot be read becomes null."""
    return f.from_json(f.to_json(value), schema, OPTIONS)


def is_nonconform(value: Column, schema: t.StructType) -> Column:
    """Whether any of such a value cannot be read as declared."""
    flagged = t.StructType([*schema.fields, t.StructField(UNREADABLE, t.StringType())])
    return f.from_json(f.to_json(value), flagged, OPTIONS)[UNREADABLE].isNotNull()


def variant_path(steps: Sequence[str | int]) -> str:
    """The JSON path of a place below a variant."""
    return "$" + "".join(f"['{step}']" if isinstance(step, str) else f"[{step}]" for step in steps)


def _read(text: Column, schema: t.StructType, options: dict[str, str]) -> Column:
    """The text is read as the value of a field, so that anything after the record makes it no JSON."""
    around = t.StructType([t.StructField("record", schema), t.StructField(UNREADABLE, t.StringType())])
    return f.from_json(f.concat(f.lit('{"record":'), text, f.lit("}")), around, options)


def unconstrained_text_columns(entity: Entity, names: Iterable[str]) -> list[str]:
    """Those of these columns that may hold any text: no quarantine rule holds them to a pattern or to a list.

    Only they need a look at what JSON had there; an object or a NUL in the others breaks their rule anyway.
    """
    rules = [rule for rule in entity.rules_of("pattern", "allowed") if rule.severity is Severity.QUARANTINE]
    bound = {rule.column for rule in rules}
    texts = {column.name for column in entity.columns if column.type == "string"}
    return [name for name in names if name in texts - bound]


def may_be_nested(texts: Sequence[Column]) -> Column:
    """Whether any of these texts begins like an object or an array, which only a look at the record can decide."""
    return reduce(or_, (f.ascii(text).isin(*_OPENING) for text in texts), f.lit(False))


def is_nested_value(value: Column) -> Column:
    """Whether a variant is an object or an array itself."""
    return f.schema_of_variant(value).rlike(r"\A(?:OBJECT|ARRAY)<")


def is_nested(value: Column, names: Sequence[str]) -> Column:
    """Whether a variant has an object or an array in any of these fields; null where it is no object."""
    if not names:
        return f.lit(False)
    # one look at the whole shape, OBJECT<name: STRING, …>, keeps the generated code small
    return f.schema_of_variant(value).rlike(rf"[<\s](?:{'|'.join(map(re.escape, names))}): (?:OBJECT|ARRAY)<")


def has_nul(texts: Sequence[Column]) -> Column:
    """Whether any of these texts holds a NUL, which PostgreSQL and Redshift cannot store."""
    return f.concat_ws("", *texts).contains(_NUL)


def raw_line_columns(bad: Column) -> list[Column]:
    """What every validated row keeps of its landed line: a hash of it, and the line itself where the row is bad."""
    return [f.col("line_hash"), f.when(bad, f.col("line")).alias("line")]
