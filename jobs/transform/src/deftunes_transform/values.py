"""Texts and numbers of a source as the contract's types; what cannot be read becomes null and is marked invalid.

Data flow: one column of a parsed record → `Value`. Strict on purpose: Spark's own casts take `2020-1-1`, drop a zone
without a word and read `12d` as a number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from pyspark.sql import Column
from pyspark.sql import functions as f

from deftunes_contract.normalise import BLANKS, LOWER_LETTERS, UPPER_LETTERS, Step
from deftunes_transform.rules import Value

_TIMESTAMP = r"\A(?!0000)[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?\z"
"""ISO 8601, UTC by agreement and therefore without zone: with one, even `Z`, the source has changed its meaning."""
_NUMBER = r"\A[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?\z"
_INTEGER = r"\A-?[0-9]+\z"
_NOT_ASCII = r"[^\x00-\x7f]"
_INVALID = "invalid_"
_LARGEST_PRICE = Decimal(10) ** 8


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


def timestamp(column: Column) -> Value:
    """A zone-less ISO text as TIMESTAMP_NTZ; impossible dates and times are invalid."""
    return _read(column, f.when(column.rlike(_TIMESTAMP), column.try_cast("timestamp_ntz")))


def price(column: Column) -> Value:
    """A double as DECIMAL(10, 2), if it is the number nearest to a whole number of cents and below 10^8.

    `rint(p * 100) / 100 == p` says the same as `round(p, 2) == p`, without a detour over decimal digits.
    """
    readable = (f.abs(column) < f.lit(float(_LARGEST_PRICE))) & (f.rint(column * 100) / 100 == column)
    return _read(column, f.when(readable, column.cast("decimal(10,2)")))


def number(column: Column) -> Value:
    """A decimal text as a finite DOUBLE."""
    parsed = f.when(column.rlike(_NUMBER), column.try_cast("double"))
    return _read(column, f.when(f.abs(parsed) < f.lit(float("inf")), parsed))


def integer(column: Column) -> Value:
    """A decimal text as INT."""
    return _read(column, f.when(column.rlike(_INTEGER), column.try_cast("int")))


def to_columns(values: Mapping[str, Value]) -> list[Column]:
    """Columns that hold these values for the next step, which takes them up with `from_columns`."""
    columns = [value.column.alias(name) for name, value in values.items()]
    return columns + [value.invalid.alias(_INVALID + name) for name, value in values.items()]


def from_columns(names: Iterable[str]) -> dict[str, Value]:
    """The values that an earlier step staged under these names."""
    return {name: Value(f.col(name), f.col(_INVALID + name)) for name in names}


def mark_invalid(unknown: Column, values: Mapping[str, Value]) -> dict[str, Value]:
    """The same values, invalid as well where nothing is known of them."""
    return {name: Value(value.column, value.invalid | unknown) for name, value in values.items()}


def _read(source: Column, read: Column) -> Value:
    return Value(read, source.isNotNull() & read.isNull())
