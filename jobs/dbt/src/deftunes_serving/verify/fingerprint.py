"""A fingerprint of a table's content: equal for equal rows in any order, different for any other content.

Every row becomes one canonical text: for each column, sorted by name, the length of its text in bytes (-1 for null), a
colon and the text, so nothing can be mistaken for a separator or for null. The fingerprint is the number of rows and
the sum of the low 64 bits of each text's md5; a sum, unlike exclusive or, counts duplicates. DuckDB's own `hash()` is
not used: it changes between versions. The tests compute the same value in plain Python.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import duckdb

from deftunes_contract.errors import StageError
from deftunes_serving.verify.model import TableHash

_PLAIN = frozenset(
    {"VARCHAR", "BOOLEAN", "DATE", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"}
    | {"UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"}
)


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def fingerprint(
    connection: duckdb.DuckDBPyConnection, relation: str, content: Iterable[str] | None = None, where: str = "true"
) -> TableHash:
    """Rows and fingerprint of a relation (SQL name or subquery in parentheses).

    content: the columns that count (default: all). where: SQL condition. Runs inside DuckDB in bounded memory. Raises
    StageError for a column that is missing or whose type has no canonical text.
    """
    types = {name: kind for name, kind, *_ in connection.execute(f"describe select * from {relation}").fetchall()}
    names = sorted(types if content is None else content)
    if missing := [name for name in names if name not in types]:
        raise StageError(
            f"expected the columns {', '.join(missing)} in {relation}, found {', '.join(types)}; "
            "the table was made by another version of its contract: build it again"
        )
    text = row_text({name: types[name] for name in names})
    found = connection.execute(
        f"select count(*), coalesce(sum(md5_number_lower({text})), 0) from {relation} where {where}"
    ).fetchone()
    rows, total = found if found else (0, 0)
    return TableHash(rows=rows, fingerprint=f"{rows:x}.{total % 2**128:032x}")


def row_text(types: Mapping[str, str]) -> str:
    """SQL expression: the canonical text of a row with these columns (name → DuckDB type), in this order."""
    if not types:
        raise StageError("a fingerprint needs at least one column, found none")
    # concat reads null as '', which is what follows the length -1
    texts = [_text(quoted(name), kind, name) for name, kind in types.items()]
    fields = ", ".join(f"coalesce(strlen({text}), -1), ':', {text}" for text in texts)
    return f"concat({fields})"


def _text(column: str, kind: str, name: str) -> str:
    """SQL expression: one value as text that depends on the value only, not on versions or declared precision."""
    if kind in _PLAIN:
        return column if kind == "VARCHAR" else f"{column}::varchar"
    if kind.startswith("DECIMAL"):
        # 1.50 and 1.5 are one value: the scale is the column's, not the content's
        plain = f"{column}::varchar"
        return plain if kind.endswith(",0)") else f"rtrim(rtrim({plain}, '0'), '.')"
    if kind in ("FLOAT", "DOUBLE"):
        # 17 digits give a double back exactly; adding 0 makes -0 one with 0
        return f"format('{{:.17g}}', {column}::double + 0.0)"
    if kind.startswith("TIMESTAMP"):
        return f"epoch_us({column})::varchar"
    raise StageError(f"column {name} is {kind}, which has no canonical text; add it to the fingerprint's types")
