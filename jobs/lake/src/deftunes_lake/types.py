"""Contract types (Iceberg type names) as Spark types and as Spark SQL."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pyspark.sql import types as t

from deftunes_contract.entity import Field

_PLAIN: dict[str, t.DataType] = {
    "boolean": t.BooleanType(),
    "int": t.IntegerType(),
    "long": t.LongType(),
    "float": t.FloatType(),
    "double": t.DoubleType(),
    "date": t.DateType(),
    # Iceberg's timestamp has no zone; ours holds UTC
    "timestamp": t.TimestampNTZType(),
    "timestamptz": t.TimestampType(),
    "string": t.StringType(),
    "binary": t.BinaryType(),
}


def spark_type(field: Field) -> t.DataType:
    """Spark type of a contract field, nested ones included. Raises ValueError for a type that no contract may have."""
    if field.type == "struct":
        return spark_schema(field.children)
    if field.type == "array":
        (item,) = field.children
        return t.ArrayType(spark_type(item), containsNull=True)
    if decimal := re.fullmatch(r"decimal\(\s*(\d+)\s*,\s*(\d+)\s*\)", field.type):
        return t.DecimalType(int(decimal.group(1)), int(decimal.group(2)))
    if field.type not in _PLAIN:
        raise ValueError(f"contract field {field.name}: unknown type {field.type!r}, known: {', '.join(_PLAIN)}")
    return _PLAIN[field.type]


def spark_schema(fields: Sequence[Field]) -> t.StructType:
    """Spark schema of contract fields; only required ones refuse null."""
    return t.StructType([t.StructField(field.name, spark_type(field), not field.required) for field in fields])


def column_sql(field: Field) -> str:
    """One column of a CREATE TABLE, with its description."""
    parts = [quoted(field.name), spark_type(field).simpleString()]
    if field.required:
        parts.append("NOT NULL")
    if field.description:
        parts.append(f"COMMENT {literal(field.description)}")
    return " ".join(parts)


def quoted(name: str) -> str:
    """A name as Spark SQL takes any."""
    return f"`{name.replace('`', '``')}`"


def literal(text: str) -> str:
    """A text as Spark SQL literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
