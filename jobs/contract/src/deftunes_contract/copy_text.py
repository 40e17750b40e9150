"""PostgreSQL's COPY text format, one line a record.

Fields are separated by tabs, `\\N` is null, and what would disturb that is escaped by a backslash (`\\t`, `\\n` …),
so a line is cut first and unescaped afterwards. A backslash before any other character stands for that character.
https://www.postgresql.org/docs/current/sql-copy.html
"""

from __future__ import annotations

import re
from typing import Final

NULL: Final = "\\N"
ESCAPES: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_ESCAPED = re.compile(r"\\(.?)", re.DOTALL)


def fields_of(line: bytes, count: int) -> list[str | None] | None:
    """The fields of a line without its line end; None when it has another number of them, is no UTF-8 or holds NUL."""
    try:
        fields = line.decode().split("\t")
    except UnicodeDecodeError:
        return None
    return None if len(fields) != count or b"\0" in line else [unescape(field) for field in fields]


def unescape(field: str) -> str | None:
    """One field without its escapes."""
    if field == NULL:
        return None
    if "\\" not in field:
        return field
    # a backslash at the end escapes nothing and is dropped
    return _ESCAPED.sub(lambda found: ESCAPES.get(found[1], found[1]), field)
