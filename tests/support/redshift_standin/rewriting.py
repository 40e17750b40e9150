"""What Redshift's SQL says and PostgreSQL's does not: clauses that only place data are dropped, the rest is translated.

Literals, quoted names and comments are left alone: the text is cut at them first.
"""

from __future__ import annotations

import re

_APART = re.compile(r"('(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/)", re.DOTALL)
_PARTS = "year|quarter|month|week|day|hour|minute|second|millisecond|microsecond"

_CLAUSES: tuple[tuple[str, str], ...] = (
    (r"\bdiststyle\s+(all|even|auto|key)\b", ""),
    (r"\bdistkey\s*\([^)]*\)", ""),
    (r"\b(compound\s+|interleaved\s+)?sortkey\s*(auto\b|\([^)]*\))", ""),
    (r"\bencode\s+\w+", ""),
    (r"\bbackup\s+(yes|no)\b", ""),
    (r"\bwith\s+no\s+schema\s+binding\b", ""),
    (r"\bvarchar\s*\(\s*max\s*\)", "varchar(65535)"),
    (rf"\b(dateadd|datediff|date_part)\s*\(\s*({_PARTS})\s*,", r"\1('\2',"),
)
_STATEMENTS: tuple[tuple[str, str], ...] = (
    # in PostgreSQL a schema stands for the external one; tests fill its tables
    (r"^\s*create\s+external\s+schema\s+if\s+not\s+exists\s+(\w+).*$", r"create schema if not exists \1"),
    # an unknown setting must have a dot
    (r"^\s*set\s+query_group\s+to\b", "set redshift.query_group to"),
    (r"^\s*reset\s+query_group\b", "reset redshift.query_group"),
    (r"^(\s*(?:grant|revoke)\b.*?\b(?:to|from)\s+)role\s+", r"\1"),
)


def rewrite(sql: str) -> str:
    """The statement as PostgreSQL takes it."""
    for pattern, replacement in _STATEMENTS:
        sql = re.sub(pattern, replacement, sql, flags=re.IGNORECASE | re.DOTALL)
    pieces = _APART.split(sql)
    for number in range(0, len(pieces), 2):
        for pattern, replacement in _CLAUSES:
            pieces[number] = re.sub(pattern, replacement, pieces[number], flags=re.IGNORECASE)
    return "".join(pieces)
