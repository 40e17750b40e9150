"""What Redshift would refuse or quietly change, found in SQL that PostgreSQL or DuckDB take.

SQL ─► sqlglot's Redshift grammar ─► walked for the gaps below ─► one sentence each, with the page of AWS's guide.
A list of known gaps is no emulator: what is not listed may still be refused, and numbers are not looked at.

Looked up and let through: `::`, `date '...' - 1`, interval literals (months too), ANY_VALUE, NULLS FIRST and LAST in a
window (the window syntax names them, though the page of unsupported features does too), several COUNT(DISTINCT) in
one SELECT, a NOT EXISTS that names the block around it (an anti-join, as in relationships_where.sql), ROW_NUMBER and
RANK without ORDER BY. QUALIFY, GROUP BY ALL and EXCLUDE are Redshift's too, but not PostgreSQL's, on which the
project's SQL is rehearsed: they are found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokens import Token, TokenType

from redshift_dialect.finders import Statement
from redshift_dialect.gaps import GAPS
from redshift_dialect.words import RESERVED

__all__ = ["GAPS", "RESERVED", "findings"]

GUIDE = "https://docs.aws.amazon.com/redshift/latest/dg/"


def findings(sql: str) -> list[str]:
    """A sentence for everything in these statements that Redshift is known to refuse or change; empty when sound."""
    try:
        parsed = sqlglot.parse(sql, read="redshift")
        words = sqlglot.tokenize(sql, read="redshift")
    except (ParseError, TokenError) as error:
        return [f"grammar: {str(error).splitlines()[0]} ({GUIDE}c_SQL_commands.html)"]
    found = []
    # a comment after the last semicolon makes a tree without words
    trees = [tree for tree in parsed if not (tree is None or isinstance(tree, exp.Semicolon))]
    for tree, own in zip(trees, _per_statement(words), strict=True):
        statement = Statement(tree, own)
        for gap in GAPS:
            for what in dict.fromkeys(x if isinstance(x, str) else x.sql("redshift") for x in gap.find(statement)):
                found.append(f"{gap.name}: {' '.join(what.split())[:120]}: {gap.reason} ({GUIDE}{gap.page}.html)")
    return found


def _per_statement(words: Iterable[Token]) -> Iterator[tuple[Token, ...]]:
    own: list[Token] = []
    for word in words:
        if word.token_type is not TokenType.SEMICOLON:
            own.append(word)
        elif own:
            yield tuple(own)
            own = []
    if own:
        yield tuple(own)
