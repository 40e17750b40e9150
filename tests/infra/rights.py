"""What IAM would say to a call: identity policies evaluated as AWS does, for the part of IAM that our documents use.

    decide([document], Call("s3:GetObject", "arn:aws:s3:::lake/landing_zone/a"))      # -> "allowed"

Anything it does not know (an operator, a policy variable, a principal) is an error, never a guess. It looks at identity
policies only: a bucket's or key's own policy, boundaries, and what an organization forbids are somewhere else.
Checked against another's simulator: rights_conformance.json.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

Verdict = Literal["allowed", "not allowed", "forbidden"]
"""not allowed: nothing says yes; forbidden: something says no."""
Document = Mapping[str, Any]


@dataclass(frozen=True)
class Call:
    """An action on one resource. context: condition keys (s3:prefix, kms:ViaService) as the service would set them."""

    action: str
    resource: str = "*"
    context: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        told = "".join(f" {key}={value}" for key, value in self.context.items())
        return f"{self.action} {self.resource}{told}"


def decide(documents: Iterable[Document], call: Call) -> Verdict:
    """The verdict over all documents: a Deny beats every Allow. Raises ValueError for what it cannot evaluate."""
    verdict: Verdict = "not allowed"
    for document in documents:
        for statement in _listed(document["Statement"]):
            if _concerns(statement, call):
                if statement["Effect"] == "Deny":
                    return "forbidden"
                if statement["Effect"] != "Allow":
                    raise ValueError(f"expected Effect Allow or Deny, found {statement['Effect']!r}")
                verdict = "allowed"
    return verdict


def _concerns(statement: Document, call: Call) -> bool:
    unknown = statement.keys() - {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"}
    if unknown:
        raise ValueError(f"expected a statement of an identity's policy, found {', '.join(sorted(unknown))} in it")
    if "${" in str(statement):
        raise ValueError("policy variables are not evaluated here")
    return (
        _named(statement, "Action", lambda pattern: _like(pattern.lower(), call.action.lower()))
        and _named(statement, "Resource", lambda pattern: _is_arn_like(pattern, call.resource))
        and all(
            _holds(operator, key, _listed(wanted), call.context)
            for operator, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
    )


def _named(statement: Document, element: str, matches: Callable[[str], bool]) -> bool:
    if element in statement:
        return any(matches(pattern) for pattern in _listed(statement[element]))
    return not any(matches(pattern) for pattern in _listed(statement[f"Not{element}"]))


def _is_arn_like(pattern: str, arn: str) -> bool:
    """Wildcards stay within their part of the ARN; the last part, the resource, may hold colons of its own."""
    if pattern == "*":
        return True
    patterns, parts = pattern.split(":", 5), arn.split(":", 5)
    return len(patterns) == len(parts) and all(map(_like, patterns, parts))


def _holds(operator: str, key: str, wanted: Sequence[Any], context: Mapping[str, str]) -> bool:
    """A condition. A key that the call does not have meets only what is negative, or is said to hold in that case."""
    found = {name.lower(): value for name, value in context.items()}.get(key.lower())
    if operator == "Null":
        return any((str(value).lower() == "true") is (found is None) for value in wanted)
    if_exists, name = operator.endswith("IfExists"), operator.removesuffix("IfExists")
    is_negative = "Not" in name
    compare = _OPERATORS.get(name.replace("Not", ""))
    if compare is None:
        raise ValueError(f"condition operator {operator} is not evaluated here")
    if found is None:
        return if_exists or is_negative
    return any(compare(str(value), found) for value in wanted) is not is_negative


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else [value]


def _like(pattern: str, text: str) -> bool:
    return _compiled(pattern).fullmatch(text) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    # not fnmatch: in IAM a bracket is a bracket
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)


_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda wanted, found: wanted == found,
    "StringEqualsIgnoreCase": lambda wanted, found: wanted.lower() == found.lower(),
    "StringLike": _like,
    "ArnLike": _is_arn_like,
    "ArnEquals": _is_arn_like,
    "Bool": lambda wanted, found: wanted.lower() == found.lower(),
}
