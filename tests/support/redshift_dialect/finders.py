"""How each gap is found: functions from a statement, or from a node of its tree, to what is wrong in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.tokens import Token, TokenType

from redshift_dialect.words import LEADER_ONLY, NO_FUNCTIONS, NO_TYPES, OPERATORS, RESERVED, VALUES, WITHOUT_BRACKETS

LEADER = ("pg_", "information_schema.")
"""Catalogs that the leader node reads alone; every other table makes compute nodes take part."""
SYSTEM = (*LEADER, "svv_", "svl_", "stv_", "stl_", "sys_")
FRAMED = (exp.Sum, exp.Count, exp.Avg, exp.Min, exp.Max, exp.FirstValue, exp.LastValue, exp.NthValue)


@dataclass(frozen=True)
class Statement:
    """One statement: its tree, and its words (the tree forgets by which name a function was called)."""

    tree: exp.Expression
    words: tuple[Token, ...]

    def reads_more_than(self, catalogs: tuple[str, ...]) -> bool:
        """Whether it names a table that does not begin with one of these."""
        steps = {cte.alias for cte in self.tree.find_all(exp.CTE)}
        tables = (table for table in self.tree.find_all(exp.Table) if table.name not in steps)
        return any(not f"{table.db}.{table.name}".lstrip(".").startswith(catalogs) for table in tables)

    def called(self, names: Iterable[str]) -> Iterator[str]:
        """Which of these functions it calls."""
        for word, after in zip(self.words, (*self.words[1:], None), strict=True):
            name = word.text.lower()
            brackets = after is not None and after.token_type is TokenType.L_PAREN
            if word.token_type in (TokenType.IDENTIFIER, TokenType.STRING) or name not in names:
                continue
            if brackets or name in WITHOUT_BRACKETS:
                yield name


Found = Iterator[exp.Expression | str]


def nodes(
    *kinds: type[exp.Expression], where: Callable[..., object] = lambda node: True
) -> Callable[[Statement], Found]:
    """Finds nodes of these kinds for which `where` holds."""
    return lambda statement: (node for node in statement.tree.find_all(*kinds) if where(node))


def functions(statement: Statement) -> Found:
    yield from statement.called(NO_FUNCTIONS)


def leader_only(statement: Statement) -> Found:
    if statement.reads_more_than(LEADER):
        yield from statement.called(LEADER_ONLY)


def operators(statement: Statement) -> Found:
    yield from (word.text for word in statement.words if word.token_type.name in OPERATORS)


def types(statement: Statement) -> Found:
    yield from (kind for kind in statement.tree.find_all(exp.DataType) if _type(kind) in NO_TYPES)
    # the tree takes it for Redshift's VARBYTE
    yield from (
        word.text for word in statement.words if word.text.lower() == "bytea" and word.token_type.name != "STRING"
    )


def _type(kind: exp.DataType) -> str:
    return str(getattr(kind.this, "name", kind.this))


def _size(kind: exp.DataType, place: int = 0) -> int:
    """Its length or precision (place 0) or its scale (place 1); 0 when not given in digits."""
    sizes = kind.expressions
    return int(sizes[place].name) if len(sizes) > place and sizes[place].name.isdigit() else 0


def lengthless(statement: Statement) -> Found:
    if statement.reads_more_than(SYSTEM):
        for kind in statement.tree.find_all(exp.DataType):
            # in an expression a bare VARCHAR is as long as what it is made of
            bare = _type(kind) in ("VARCHAR", "NVARCHAR") and not kind.expressions
            if _type(kind) == "TEXT" or (bare and isinstance(kind.parent, exp.ColumnDef)):
                yield _type(kind).lower()


def too_large(kind: exp.DataType) -> bool:
    most = {"VARCHAR": 65535, "NVARCHAR": 65535, "CHAR": 4096, "NCHAR": 4096, "DECIMAL": 38}
    return _size(kind) > most.get(_type(kind), 1 << 62) or (_type(kind) == "DECIMAL" and _size(kind, 1) > 37)


def reserved(name: exp.Identifier) -> bool:
    bare = isinstance(name.parent, exp.Column) and not name.parent.table
    return not name.args.get("quoted") and name.name.upper() in RESERVED and not (bare and name.name.upper() in VALUES)


def unordered(window: exp.Window) -> bool:
    return isinstance(_inner(window), exp.Lag | exp.Lead) and not window.args.get("order")


def unframed(window: exp.Window) -> bool:
    ordered = window.args.get("order") and not window.args.get("spec")
    return bool(ordered) and isinstance(_inner(window), FRAMED)


def _inner(window: exp.Window) -> exp.Expression:
    """The function of a window without IGNORE NULLS around it."""
    function = window.this
    return function.this if isinstance(function, exp.IgnoreNulls | exp.RespectNulls) else function


def uneven(join: exp.Join) -> bool:
    condition = join.args.get("on")
    if join.side != "FULL" or condition is None:
        return False
    parts = condition.flatten() if isinstance(condition, exp.And) else [condition]
    return not all(isinstance(part.unnest(), exp.EQ) and len(_tables(part)) == 2 for part in parts)


def _tables(part: exp.Expression) -> set[str]:
    return {column.table for column in part.find_all(exp.Column)}


def recursive(step: exp.CTE) -> bool:
    if not (isinstance(step.parent, exp.With) and step.parent.recursive):
        return False
    recursive = any(table.name == step.alias for table in step.this.find_all(exp.Table))
    all_rows = isinstance(step.this, exp.Union) and not step.this.args.get("distinct")
    return recursive and not (step.args["alias"].columns and all_rows)


def _correlations(statement: Statement) -> Iterator[tuple[exp.Select, exp.Column, int]]:
    """(block, column in it that an outer block has, how many blocks further out)."""
    for column in statement.tree.find_all(exp.Column):
        block, out = column.parent_select, 0
        first = block
        while column.table and isinstance(block, exp.Select) and column.table not in _sources(block):
            block, out = block.parent_select, out + 1
        if out and isinstance(block, exp.Select) and isinstance(first, exp.Select):
            yield first, column, out


def _sources(block: exp.Select) -> set[str]:
    start = [block.args["from_"].this] if block.args.get("from_") else []
    return {source.alias_or_name for source in (*start, *(join.this for join in block.args.get("joins") or []))}


def correlated(statement: Statement) -> Found:
    for block, column, out in _correlations(statement):
        inside = block.parent
        while isinstance(inside, exp.Subquery | exp.Paren):
            inside = inside.parent
        grouped = isinstance(inside, exp.In) and block.args.get("group")
        aggregates = [node for node in block.find_all(exp.AggFunc) if not isinstance(node, exp.Min | exp.Max)]
        join = block.find_ancestor(exp.Join, exp.Select)
        on_outer = isinstance(join, exp.Join) and join.side in ("LEFT", "RIGHT", "FULL")
        if out > 1 or on_outer or block.find(exp.Window) or (grouped and aggregates):
            yield column
