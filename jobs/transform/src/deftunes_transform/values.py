"""Texts and numbers of a source as the contract's types; what cannot be read becomes null and is marked invalid.

Data flow: one column of a parsed record → `Value`. Strict on purpose: Spark's own casts take `2020-1-1`, drop a zone
without a word and read `12d` as a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from pyspark.sql import Column
from pyspark.sql import functions as f

from deftunes_contract.entity import Field
from deftunes_contract.landed_record import NUMBER
from deftunes_contract.normalise import BLANKS, LOWER_LETTERS, UPPER_LETTERS, Step
from deftunes_transform.rules import Value

_DAY = r"(?!0000)[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
_ZONE = r"(Z|[+-][0-9]{2}(:?[0-9]{2})?)"
_TIMESTAMPS = {
    # ISO 8601, UTC by agreement and therefore without zone: with one, even `Z`, the source has changed its meaning
    "string": rf"\A{_DAY}T{_TIME}\z",
    # of a record that declares a time: ISO 8601 or PostgreSQL's own form
    "timestamp": rf"\A{_DAY}[T ]{_TIME}\z",
    "timestamptz": rf"\A{_DAY}[T ]{_TIME}{_ZONE}\z",
}
"""Declared type in the record → form of a time."""
_NUMBER = rf"\A{NUMBER}\z"
_INTEGER = r"\A-?[0-9]+\z"
_NOT_ASCII = r"[^\x00-\x7f]"
_INVALID = "invalid_"
_EXACT_DIGITS = 15
"""Digits of a decimal that a double tells apart."""


def read(column: Column, record_type: str, field: Field, is_text: bool) -> Value:
    """A value of a record as the column's type. record_type: what the record declares it to be.

    is_text: every value is a text, as in COPY, whatever the record declares. Raises ValueError where the contract asks
    for a conversion that does not exist.
    """
    text_given = is_text or record_type == "string"
    decimal = re.fullmatch(r"decimal\(\s*(\d+)\s*,\s*(\d+)\s*\)", field.type)
    if field.type == "string" and text_given:
        return text(column, field.normalise)
    if field.type == "timestamp" and (is_text or record_type in _TIMESTAMPS):
        return timestamp(column, record_type)
    if field.type == "date" and (is_text or record_type in ("string", "date")):
        return _read(column, f.when(column.rlike(rf"\A{_DAY}\z"), column.try_cast("date")))
    if decimal and int(decimal[1]) <= _EXACT_DIGITS and (text_given or record_type == "double"):
        return fixed(_double(column) if text_given else column, column, int(decimal[1]), int(decimal[2]))
    if field.type == "double" and text_given:
        return number(column)
    if field.type == "double" and record_type == "double":
        return _read(column, f.when(_finite(column), column))
    if field.type in ("int", "long") and text_given:
        return integer(column, field.type)
    if field.type == "boolean" and is_text:
        return _read(column, f.when(column == "t", f.lit(True)).when(column == "f", f.lit(False)))
    if field.type == record_type and field.type in ("int", "long", "boolean"):
        return Value(column, f.lit(False))
    raise ValueError(f"column {field.name}: a {record_type} of a record cannot become {field.type}")


def text(column: Column, normalise: Sequence[Step] = ()) -> Value:
    """A text after the contract's steps, as it is without any."""
    for step in normalise:
        column = _STEPS[step](column)
    return Value(column, f.lit(False))


def _composed(column: Column) -> Column:
    """In Unicode's form NFC. Spark has no function for it, but brings ICU; plain ASCII needs no look at it."""
    composed = f.reflect(f.lit("com.ibm.icu.text.Normalizer"), f.lit("compose"), column, f.lit(False))
    return f.when(column.rlike(_NOT_ASCII), composed).otherwise(column)


def _trimmed(column: Column) -> Column:
    return f.nullif(f.btrim(column, f.lit(BLANKS)), f.lit(""))


def _upper(column: Column) -> Column:
    return f.translate(column, LOWER_LETTERS, UPPER_LETTERS)


_STEPS = {Step.NFC: _composed, Step.TRIM: _trimmed, Step.UPPER: _upper}


def timestamp(column: Column, record_type: str = "string") -> Value:
    """A text as TIMESTAMP_NTZ in UTC; impossible dates and times are invalid."""
    if record_type == "timestamptz":
        # the session's time zone is UTC (deftunes_lake.session)
        moment = column.try_cast("timestamp").cast("timestamp_ntz")
    else:
        moment = column.try_cast("timestamp_ntz")
    return _read(column, f.when(column.rlike(_TIMESTAMPS.get(record_type, _TIMESTAMPS["string"])), moment))


def fixed(value: Column, source: Column, precision: int, scale: int) -> Value:
    """A double as DECIMAL, if it is the number nearest to one of so many decimals and below 10^(precision - scale).

    `rint(p * 100) / 100 == p` says the same as `round(p, 2) == p`, without a detour over decimal digits.
    """
    unit, most = 10**scale, float(10 ** (precision - scale))
    readable = (f.abs(value) < f.lit(most)) & (f.rint(value * unit) / unit == value)
    return _read(source, f.when(readable, value.cast(f"decimal({precision},{scale})")))


def number(column: Column) -> Value:
    """A decimal text as a finite DOUBLE."""
    parsed = _double(column)
    return _read(column, f.when(_finite(parsed), parsed))


def integer(column: Column, kind: str = "int") -> Value:
    """A decimal text as INT or LONG."""
    return _read(column, f.when(column.rlike(_INTEGER), column.try_cast(kind)))


def to_columns(values: Mapping[str, Value]) -> list[Column]:
    """Columns that hold these values for the next step, which takes them up with `from_columns`."""
    columns = [value.column.alias(name) for name, value in values.items()]
    return columns + [value.invalid.alias(_INVALID + name) for name, value in values.items()]


def from_columns(names: Iterable[str]) -> dict[str, Value]:
    """The values that an earlier step put into columns of these names."""
    return {name: Value(f.col(name), f.col(_INVALID + name)) for name in names}


def mark_invalid(unknown: Column, values: Mapping[str, Value]) -> dict[str, Value]:
    """The same values, invalid as well where nothing is known of them."""
    return {name: Value(value.column, value.invalid | unknown) for name, value in values.items()}


def _double(column: Column) -> Column:
    return f.when(column.rlike(_NUMBER), column.try_cast("double"))


def _finite(column: Column) -> Column:
    return f.abs(column) < f.lit(float("inf"))


def _read(source: Column, read: Column) -> Value:
    return Value(read, source.isNotNull() & read.isNull())
