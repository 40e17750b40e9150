"""What Redshift's SQL says and PostgreSQL's does not: clauses that only place data are dropped, the rest is translated.

Literals, quoted names and comments are left alone: they are taken out first and put back at the end.
"""

from __future__ import annotations

import re

_APART = re.compile(
    r"""(?P<comment>--[^\n]*|/\*.*?\*/)
    |(?P<text>\be'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(?P<tag>(?:[a-z_]\w*)?)\$.*?\$(?P=tag)\$)""",
    re.DOTALL | re.IGNORECASE | re.VERBOSE,
)
_BACK = re.compile(r"\0[ct](\d+)\0")
_GAP = r"(?:\s|\0c\d+\0)*"
"""White space and comments: dbt puts one before its statements."""
_NAME = r"(?:\w+|\0t\d+\0)"
_KEY = r"\([^)]*\)"

_PARTS = {
    "year": "y|yr|yrs|years",
    "quarter": "qtr|qtrs|quarters",
    "month": "mon|mons|months",
    "week": "w|weeks",
    "day": "d|days",
    "hour": "h|hr|hrs|hours",
    "minute": "m|min|mins|minutes",
    "second": "s|sec|secs|seconds",
    "millisecond": "ms|msec|msecs|milliseconds",
    "microsecond": "us|usec|usecs|microseconds",
}
_PART_OF = {short: part for part, others in _PARTS.items() for short in (part, *others.split("|"))}
_CODECS = "auto|raw|az64|bytedict|delta|delta32k|lzo|mostly8|mostly16|mostly32|runlength|text255|text32k|zstd"

_ANYWHERE: tuple[tuple[str, str], ...] = ((r"\bvarchar\s*\(\s*max\s*\)", "varchar(65535)"),)
_DEFINITIONS: tuple[tuple[str, str], ...] = (
    # no change of placement is one in PostgreSQL; this asks for the same lock and the same owner, and changes nothing
    (
        rf"^({_GAP}alter\s+table\s+\S+)\s+alter\s+(?:diststyle|distkey|(?:compound\s+)?sortkey|encode)\b.*$",
        r"\1 set (fillfactor = 100)",
    ),
    (r"\bdiststyle\s+(all|even|auto|key)\b", ""),
    (rf"\bdistkey\b(?:\s*{_KEY})?", ""),
    (rf"\b(?:compound\s+|interleaved\s+)?sortkey\b(?:\s*(?:auto\b|{_KEY}))?", ""),
    (rf"\bencode\s+(?:{_CODECS})\b", ""),
    (r"\bbackup\s+(yes|no)\b", ""),
    (r"\bwith\s+no\s+schema\s+binding\b", ""),
    # in PostgreSQL a schema stands for the external one; tests fill its tables
    (
        rf"^({_GAP})create\s+external\s+schema\s+(?:if\s+not\s+exists\s+)?({_NAME}).*$",
        r"\1create schema if not exists \2",
    ),
)
_STATEMENTS: dict[str, tuple[tuple[str, str], ...]] = {
    "create": _DEFINITIONS,
    "alter": _DEFINITIONS,
    # an unknown setting must have a dot
    "set": ((rf"^({_GAP})set\s+query_group\s*(?:=|\bto\b)", r"\1set redshift.query_group to"),),
    "reset": ((rf"^({_GAP})reset\s+query_group\b", r"\1reset redshift.query_group"),),
    # roles are PostgreSQL's, and named without the word
    **dict.fromkeys(("grant", "revoke"), ((r"(\b(?:to|from)\b\s*|,\s*)role\s+", r"\1"),)),
}
"""By a statement's first word, so that a column may have the name of a clause."""


def rewrite(sql: str) -> str:
    """The statement as PostgreSQL takes it."""
    apart: list[str] = []

    def put_away(found: re.Match[str]) -> str:
        apart.append(found[0])
        # no statement holds \0: the protocol ends one with it
        return f"\0{'c' if found['comment'] else 't'}{len(apart) - 1}\0"

    statements = [_translated(one) for one in _APART.sub(put_away, sql).split(";")]
    return _BACK.sub(lambda found: apart[int(found[1])], ";".join(statements))


def _translated(statement: str) -> str:
    verb = re.match(rf"{_GAP}(\w+)", statement)
    rules = _STATEMENTS.get(verb[1].lower(), ()) if verb else ()
    for pattern, replacement in (*rules, *_ANYWHERE):
        statement = re.sub(pattern, replacement, statement, flags=re.IGNORECASE | re.DOTALL)
    parts = "|".join(_PART_OF)
    return re.sub(
        rf"\b(dateadd|datediff|date_part)\s*\(\s*({parts})\s*,",
        lambda found: f"{found[1]}('{_PART_OF[found[2].lower()]}',",
        statement,
        flags=re.IGNORECASE,
    )
