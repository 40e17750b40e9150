"""The parameters of each kind of rule: which there are, and which values they may have."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Check = Callable[[Any], str | None]
"""What is expected of a value, None when it is right."""


def _number(least: float = -float("inf"), most: float = float("inf")) -> Check:
    bounds = (f" of at least {least:g}" if least > -float("inf") else "") + (
        f" and at most {most:g}" if most < float("inf") else ""
    )

    def check(value: Any) -> str | None:
        right = isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most
        return None if right else f"a number{bounds}"

    return check


def _whole(least: int, most: int = 2**31) -> Check:
    def check(value: Any) -> str | None:
        right = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
        return None if right else f"a whole number from {least} to {most}"

    return check


def _pattern(value: Any) -> str | None:
    try:
        re.compile(value)
    except (re.error, TypeError):
        return "a regular expression"
    return None


def _values(value: Any) -> str | None:
    right = isinstance(value, list) and value and all(isinstance(one, str) for one in value)
    return None if right and len(set(value)) == len(value) else "a list of different texts (quote NO, ON and numbers)"


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) and value else "a text"


def _allowed(value: Any) -> str | None:
    return None if value == "allowed" else "allowed"


_SHARE = _number(0, 1)
_RATIO = _number(0)

PARAMETERS: dict[str, dict[str, Check]] = {
    "complete": {"blank": _allowed},
    "length": {"length": _whole(1)},
    "pattern": {"pattern": _pattern},
    "allowed": {"values": _values},
    "range": {"min": _number(), "max": _number()},
    "in_interval": {},
    "unique": {},
    "conform": {},
    "arrived": {"minRows": _whole(0), "minRatio": _SHARE},
    "uniqueness": {"moreThan": _SHARE},
    "reconcile": {},
    "quarantine_share": {"max": _SHARE},
    "reference": {"entity": _text, "references": _text, "maxUnmatched": _SHARE},
    "volume": {"minRatio": _RATIO, "maxRatio": _RATIO},
    "freshness": {"maxDays": _number(0)},
    "restatement": {"maxLoss": _SHARE, "retentionDays": _whole(1)},
    "unique_across_intervals": {"months": _whole(1, 120)},
    "same_source": {"minKnown": _SHARE},
}
"""Kind → parameter → its check. Every kind of rule is a key here."""
OPTIONAL = frozenset({"blank", "min", "max", "minRatio", "retentionDays"})
"""Parameters that some rule of their kind goes without; the kinds in `_NEEDED` need theirs."""
_NEEDED = {"quarantine_share": {"max"}, "volume": {"minRatio"}}
_ORDERED = (("min", "max"), ("minRatio", "maxRatio"))


def parameter_faults(kind: str, parameters: Mapping[str, Any]) -> list[tuple[tuple[str, ...], str]]:
    """(parameters at fault, what is wrong) for each fault; no parameter where one is missing."""
    known = PARAMETERS[kind]
    faults: list[tuple[tuple[str, ...], str]] = []
    for name, value in parameters.items():
        if name not in known:
            faults.append(((name,), f"{name}: expected a parameter of kind {kind} ({', '.join(known) or 'none'})"))
        elif expected := known[name](value):
            faults.append(((name,), f"{name}: expected {expected}, found {value!r}"))
    needed = (set(known) - OPTIONAL) | _NEEDED.get(kind, set())
    if missing := needed - set(parameters):
        faults.append(((), f"expected {', '.join(sorted(missing))} for kind {kind}, found none"))
    if kind == "range" and not {"min", "max"} & set(parameters):
        faults.append(((), "expected min or max for kind range, found none"))
    if not faults:
        for low, high in _ORDERED:
            if low in parameters and high in parameters and parameters[low] > parameters[high]:
                found = f"{high}: expected at least {low} ({parameters[low]}), found {parameters[high]}"
                faults.append(((low, high), found))
    return faults
