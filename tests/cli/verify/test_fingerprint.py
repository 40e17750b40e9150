"""A fingerprint must see every change of content and no change of order; it must be the same in every DuckDB."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deftunes_contract.errors import StageError
from deftunes_serving.verify.fingerprint import fingerprint
from deftunes_serving.verify.model import TableHash

COLUMNS = {"b_text": "varchar", "a_price": "decimal(10,2)", "c_at": "timestamp", "d_ratio": "double", "e_ok": "boolean"}

rows = st.tuples(
    # few and short texts, so that neighbours such as null, '' and '-' meet often
    st.none() | st.text(alphabet="-:01a|'é\x01", max_size=3),
    st.none() | st.integers(-300, 300).map(lambda cents: Decimal(cents).scaleb(-2)),
    st.none() | st.datetimes(datetime(1969, 1, 1), datetime(2030, 1, 1)),
    st.none() | st.floats(allow_nan=False),
    st.none() | st.booleans(),
)
Row = tuple[Any, ...]


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def of(connection: duckdb.DuckDBPyConnection, content: list[Row], types: dict[str, str] = COLUMNS) -> TableHash:
    connection.execute(f"create or replace table t ({', '.join(f'{n} {t}' for n, t in types.items())})")
    if content:
        connection.executemany(f"insert into t values ({', '.join('?' for _ in types)})", [list(r) for r in content])
    return fingerprint(connection, "t")


def by_hand(content: list[Row]) -> str:
    """The same in plain Python: what another version of DuckDB would have to say as well."""
    total = 0
    for text, price, at, ratio, ok in content:
        fields = [
            None if price is None else f"{price.normalize():f}" if price else "0",
            text,
            None if at is None else str((at - datetime(1970, 1, 1)) // timedelta(microseconds=1)),
            None if ratio is None else f"{ratio + 0.0:.17g}",
            None if ok is None else str(ok).lower(),
        ]  # fmt: skip
        line = "".join("-1:" if field is None else f"{len(field.encode())}:{field}" for field in fields)
        total += int.from_bytes(hashlib.md5(line.encode()).digest()[8:], "little")
    return f"{len(content):x}.{total:032x}"


@settings(max_examples=60, deadline=None)
@given(content=st.lists(rows, max_size=4))
def test_equals_the_definition_computed_without_duckdb(
    connection: duckdb.DuckDBPyConnection, content: list[Row]
) -> None:
    assert of(connection, content).fingerprint == by_hand(content)


@settings(max_examples=60, deadline=None)
@given(content=st.lists(rows, min_size=1, max_size=5), data=st.data())
def test_order_does_not_count_and_everything_else_does(
    connection: duckdb.DuckDBPyConnection, content: list[Row], data: st.DataObject
) -> None:
    before = of(connection, content)
    assert of(connection, data.draw(st.permutations(content))) == before

    victim = data.draw(st.integers(0, len(content) - 1))
    assert of(connection, [*content, content[victim]]) != before, "a doubled row"
    assert of(connection, content[:victim] + content[victim + 1 :]) != before, "a lost row"

    column = data.draw(st.integers(0, len(COLUMNS) - 1))
    other = data.draw(rows.filter(lambda row: row[column] != content[victim][column]))[column]
    changed = [*content]
    changed[victim] = (*content[victim][:column], other, *content[victim][column + 1 :])
    assert of(connection, changed) != before, "a changed cell"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((None, "a"), ("", "a")),
        ((None, None), ("-", None)),
        ((None, "1:a"), ("1:a", None)),
        (("a", "b"), ("b", "a")),
        (("ab", "c"), ("a", "bc")),
        (("a1:b", ""), ("a", "b")),
        (("NULL", None), (None, "NULL")),
    ],
)
def test_no_value_can_pose_as_another_or_as_a_separator(
    connection: duckdb.DuckDBPyConnection, one: Row, other: Row
) -> None:
    types = {"x": "varchar", "y": "varchar"}
    assert of(connection, [one], types) != of(connection, [other], types)


def test_moving_values_between_rows_is_seen(connection: duckdb.DuckDBPyConnection) -> None:
    types = {"x": "varchar", "y": "varchar"}
    assert of(connection, [("a", "1"), ("b", "2")], types) != of(connection, [("a", "2"), ("b", "1")], types)


def test_two_equal_rows_do_not_cancel_out(connection: duckdb.DuckDBPyConnection) -> None:
    types = {"x": "varchar"}
    assert of(connection, [("a",), ("a",)], types) != of(connection, [("b",), ("b",)], types)


def test_equal_values_of_other_declared_types_are_equal(connection: duckdb.DuckDBPyConnection) -> None:
    narrow = of(connection, [(Decimal("1.50"), date(2020, 1, 1), 7)], {"x": "decimal(10,2)", "y": "date", "z": "int"})
    wide = of(connection, [(Decimal("1.5"), date(2020, 1, 1), 7)], {"x": "decimal(38,6)", "y": "date", "z": "bigint"})
    assert narrow == wide
    assert of(connection, [(Decimal("100"),)], {"x": "decimal(10,0)"}) == of(
        connection, [(Decimal("100"),)], {"x": "decimal(10,2)"}
    )
    assert of(connection, [(-0.0,)], {"x": "double"}) == of(connection, [(0.0,)], {"x": "double"})


def test_order_of_columns_does_not_count(connection: duckdb.DuckDBPyConnection) -> None:
    one = of(connection, [("a", "b")], {"x": "varchar", "y": "varchar"})
    assert of(connection, [("b", "a")], {"y": "varchar", "x": "varchar"}) == one


def test_only_content_columns_count(connection: duckdb.DuckDBPyConnection) -> None:
    of(connection, [("a", "noise")], {"x": "varchar", "audit": "varchar"})
    assert fingerprint(connection, "t", ["x"]) == of(connection, [("a",)], {"x": "varchar"})


def test_an_empty_table_has_one_too(connection: duckdb.DuckDBPyConnection) -> None:
    assert of(connection, []) == TableHash(rows=0, fingerprint="0." + "0" * 32)


def test_a_missing_column_or_unknown_type_is_said(connection: duckdb.DuckDBPyConnection) -> None:
    of(connection, [("a",)], {"x": "varchar"})
    with pytest.raises(StageError, match="expected the columns y"):
        fingerprint(connection, "t", ["x", "y"])
    with pytest.raises(StageError, match="column v is INTEGER\\[\\]"):
        fingerprint(connection, "(select [1] as v)")
