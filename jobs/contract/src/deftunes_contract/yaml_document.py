"""A YAML file whose every value knows its line, so that an error in a contract can name FILE:LINE.

PyYAML keeps the position of each node; the values are made of the same nodes, by the safe constructor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

Path = tuple[str | int, ...]
"""Where in a document a value is: keys and list positions from the root."""
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, order=True)
class Problem:
    """One fault of a contract: `FILE:LINE` and what was expected, what was found, what to do."""

    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


class YamlDocument:
    """The mapping at the root of a YAML file: `value` is plain data, `where` finds the line of any part of it."""

    def __init__(self, file: str, value: dict[str, Any], marks: dict[Path, str]) -> None:
        self.file, self.value, self._marks = file, value, marks
        self.overlay: str | None = None
        """The file whose values replaced some of this one's."""
        self.replaced: dict[Path, Any] = {}
        """Path → the value that was there, of every value that `replace` changed; None where there was none."""

    @classmethod
    def parse(cls, file: str, text: str) -> tuple[YamlDocument, list[Problem]]:
        """Read a text; a document (an empty one when it is no mapping) and what is wrong with the text as YAML."""
        problems: list[Problem] = []
        marks: dict[Path, str] = {(): f"{file}:1"}
        loader = _LOADER(text)
        try:
            node = loader.get_single_node()
            if not isinstance(node, yaml.MappingNode):
                return cls(file, {}, marks), [Problem(f"{file}:1", "expected a mapping, found another kind of YAML")]
            _mark(file, node, (), marks, problems)
            value = loader.construct_document(node)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            mark = getattr(error, "problem_mark", None)
            found = getattr(error, "problem", None) or str(error) or type(error).__name__
            line = mark.line + 1 if mark else 1
            return cls(file, {}, marks), [Problem(f"{file}:{line}", f"expected YAML, found: {found}")]
        finally:
            loader.dispose()
        return cls(file, value, marks), problems

    def where(self, path: Path = ()) -> str:
        """`FILE:LINE` of a value, or of the nearest one around it."""
        while path not in self._marks:
            path = path[:-1]
        return self._marks[path]

    def get(self, path: Path) -> Any:
        """The value at a path. Raises KeyError or IndexError."""
        value: Any = self.value
        for step in path:
            value = value[step]
        return value

    def replace(self, path: Path, value: Any, where: str) -> None:
        """Put another value in, which comes from `where` (`FILE:LINE`)."""
        holder = self.get(path[:-1])
        self.replaced[path] = holder.get(path[-1])
        holder[path[-1]] = value
        self._marks = {mark: line for mark, line in self._marks.items() if mark[: len(path)] != path} | {path: where}

    def problem(self, path: Path, message: str) -> Problem:
        """A fault at a value."""
        return Problem(self.where(path), message)

    def to_yaml(self) -> str:
        """The document as it is now; a comment beside each replaced value names its line and what was there."""
        text = yaml.safe_dump(self.value, sort_keys=False, allow_unicode=True, width=100_000)
        shown, _ = YamlDocument.parse("", text)
        lines = text.splitlines()
        for path, was in self.replaced.items():
            line = int(shown.where(path).removeprefix(":")) - 1
            lines[line] += f"  # {self.where(path)}, was {'none' if was is None else was}"
        return "\n".join(lines) + "\n"


def _mark(file: str, node: yaml.Node, path: Path, marks: dict[Path, str], problems: list[Problem]) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            where, name = f"{file}:{key.start_mark.line + 1}", str(key.value)
            if (*path, name) in marks:
                problems.append(Problem(where, f"expected each key once, found {name!r} a second time; remove one"))
            marks[*path, name] = where
            _mark(file, value, (*path, name), marks, problems)
    elif isinstance(node, yaml.SequenceNode):
        for at, item in enumerate(node.value):
            marks[*path, at] = f"{file}:{item.start_mark.line + 1}"
            _mark(file, item, (*path, at), marks, problems)
