"""What a change does: nothing, an update in place, or a replacement; and whether the old one must go first.

Which properties force a replacement is replacement.toml's knowledge. What is not in it updates in place.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from .values import Properties, bare

TABLE = Path(__file__).with_name("replacement.toml")
Kind = Literal["add", "delete", "update"]


@dataclass(frozen=True)
class Rule:
    """Of one type. replace: dotted property paths; before: a second cannot stand beside it; source: who says so."""

    replace: frozenset[str]
    before: bool
    source: str


@dataclass(frozen=True)
class Change:
    """One property that differs. path: as the engine writes it, e.g. rules[0].status."""

    path: str
    kind: Kind
    replaces: bool


@dataclass(frozen=True)
class Difference:
    """All that differs between two sets of inputs."""

    changes: tuple[Change, ...]
    delete_first: bool

    @property
    def replaces(self) -> tuple[str, ...]:
        """Paths that force a replacement."""
        return tuple(change.path for change in self.changes if change.replaces)

    @property
    def keys(self) -> tuple[str, ...]:
        """Top-level properties that differ, each once."""
        return tuple(dict.fromkeys(re.split(r"[.\[]", change.path)[0] for change in self.changes))


@cache
def rules() -> dict[str, Rule]:
    """The table, read once."""
    table = tomllib.loads(TABLE.read_text())
    return {
        kind: Rule(frozenset(entry["replace"]), entry.get("before", False), entry["source"])
        for kind, entry in table.items()
    }


def difference(
    kind: str, old: Properties, new: Properties, named: str | None = None, ignored: Sequence[str] = ()
) -> Difference:
    """Compare two sets of inputs of a type. named: the property that holds a name which must be unique.

    A secret and its plain text are equal: only the value decides, as in the real provider.
    """
    rule = rules().get(kind, Rule(frozenset(), False, ""))
    found = [
        Change(path, change, _forces(path, rule.replace))
        for path, change in _walk("", bare(_public(old)), bare(_public(new)))
        if not any(path == skip or path.startswith((f"{skip}.", f"{skip}[")) for skip in ignored)
    ]
    replaced = any(change.replaces for change in found)
    return Difference(tuple(found), replaced and (rule.before or _name_is_taken(named, old, new)))


def _name_is_taken(named: str | None, old: Properties, new: Properties) -> bool:
    """A name that the program chose and keeps is held by the old resource; one that was made up is made up anew."""
    if named is None or named not in new or named in bare(new.get("__defaults") or []):
        return False
    return bool(bare(old.get(named)) == bare(new[named]))


def _public(properties: Properties) -> Properties:
    # __defaults and its like are the provider's own notes
    return {key: value for key, value in properties.items() if not key.startswith("__") and value is not None}


def _forces(path: str, replace: frozenset[str]) -> bool:
    plain = re.sub(r"\[\d+\]", "", path)
    parts = plain.split(".")
    above = any(".".join(parts[:length]) in replace for length in range(1, len(parts) + 1))
    # a whole block came or went: what forces inside it forces then too
    return above or any(forced.startswith(f"{plain}.") for forced in replace)


def _walk(path: str, old: Any, new: Any) -> Iterator[tuple[str, Kind]]:
    """Leaves that differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            name = f"{path}.{key}" if path else key
            if key not in new:
                yield name, "delete"
            elif key not in old:
                yield name, "add"
            else:
                yield from _walk(name, old[key], new[key])
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            name = f"{path}[{index}]"
            if index >= len(new):
                yield name, "delete"
            elif index >= len(old):
                yield name, "add"
            else:
                yield from _walk(name, old[index], new[index])
    elif old != new:
        yield path, "update"
