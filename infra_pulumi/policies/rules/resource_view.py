"""What a rule is shown, what a rule is, and how it complains. Knows nothing of Pulumi, so that a test needs none.

A preview does not know every value yet. `UNKNOWN` stands for such a one: no rule complains about it, because the engine
asks again, before anything is made, when the value is known.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final


class Unknown:
    """A value that only the update will know; there is one of it, UNKNOWN."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()


@dataclass(frozen=True)
class ResourceView:
    """A resource. uses: property -> URNs of the resources that its value comes from (known to stack rules only)."""

    kind: str
    name: str
    props: Mapping[str, Any]
    urn: str = ""
    is_protected: bool = False
    provider: Mapping[str, Any] | None = None
    uses: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.kind} {self.name!r}"


@dataclass(frozen=True)
class Rule:
    """One thing that is refused. Exactly one of the checks is there: of each resource, or of the stack as a whole.

    `of_stack` answers with the URN of the culprit beside each violation. A stack is looked at after the last resource
    was made, so only what a single resource cannot tell belongs there; a preview sees both.
    """

    name: str
    why: str
    of_resource: Callable[[ResourceView], Iterator[str]] | None = None
    of_stack: Callable[[Sequence[ResourceView]], Iterator[tuple[str, str]]] | None = None


def violation(resource: ResourceView, *, where: str, expected: str, found: object, do: str) -> str:
    """The sentence of every refusal. where: the property, or what is missing beside the resource."""
    return f"{resource}, {where}: expected {expected}, found {found}. {do}"


def blocks(value: Any) -> list[Mapping[str, Any]]:
    """A block or a list of blocks as a list; what is not known, or is not there, as none."""
    if isinstance(value, Mapping):
        return [value]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [entry for entry in value if isinstance(entry, Mapping)]
    return []


def texts(value: Any) -> list[str]:
    """A string or a list of strings as a list; what is not known, or is not there, as none."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Sequence):
        return [entry for entry in value if isinstance(entry, str)]
    return []


def is_on(value: Any) -> bool:
    """Whether a switch is on, or may be: some of AWS's switches are strings."""
    return value is UNKNOWN or value is True or (isinstance(value, str) and value.lower() == "true")


def is_set(value: Any) -> bool:
    """Whether there is a value, or will be."""
    return value is UNKNOWN or bool(value)


def from_json(value: Any) -> Any:
    """A document or a block that travels as JSON, or as what it is. None when it is neither."""
    if not isinstance(value, str):
        return value if isinstance(value, Mapping) else None
    try:
        return json.loads(value)
    except ValueError:
        return None
