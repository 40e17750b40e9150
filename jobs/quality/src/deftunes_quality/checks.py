"""What a check is, and what all checks are measured against.

A check is one Great Expectations expectation that stands for one rule of the contract, or for a part of it. The
modules row_checks.py and interval_checks.py make them, suites.py puts them together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import great_expectations.expectations as gxe
from great_expectations.expectations.metadata_types import FailureSeverity

from deftunes_contract.allowances import NONE_ALLOWED, Allowances
from deftunes_contract.entity import Entity, Rule, Severity
from deftunes_contract.interval import Interval
from deftunes_contract.load_metrics import LoadMetrics
from deftunes_quality.interval_under_test import PublicState
from deftunes_quality.metrics import Quarantined
from deftunes_quality.published_keys import Elsewhere, Unmatched
from deftunes_quality.restatement import Restatement


@dataclass(frozen=True)
class ValidationContext:
    """What the checks are measured against.

    faults: column → what is wrong with it; rules about such a column are skipped, while `conform` closes the gate.
    unmatched: by rule id; a rule that is not in it was not measured. public: what main shows. restatement: the
    interval's own public rows against the staged ones, None when there are none to compare. elsewhere: by rule
    id, months that show staged keys too. known: share of the staged keys that are public, where the source changed.
    allowances: the caller's.
    """

    entity: Entity
    interval: Interval
    staged: LoadMetrics
    previous: LoadMetrics | None
    quarantined: Quarantined
    faults: Mapping[str, str]
    unmatched: Mapping[str, Unmatched]
    public: PublicState = field(default_factory=PublicState)
    quarantine_examples: tuple[str, ...] = ()
    restatement: Restatement | None = None
    elsewhere: Mapping[str, tuple[Elsewhere, ...]] = field(default_factory=dict)
    known: float | None = None
    allowances: Allowances = NONE_ALLOWED

    @property
    def expected_rows(self) -> int:
        """Rows that must be on the branch: what landed without what was set aside."""
        return self.staged.landed_units - self.staged.quarantined_units


@dataclass(frozen=True)
class Check:
    """One expectation of one rule.

    expected: in words. metric: what is checked, None for the rows themselves. part: what of its rule it is, where a
    rule has several checks. found: what was found in words, where a metric alone is not enough. allowed: the flag
    that lifts a bound which does not hold. note: what a person should know although the rule holds.
    """

    rule: Rule
    expectation: gxe.Expectation
    expected: str
    metric: int | float | None = None
    part: str = ""
    found: str = ""
    allowed: str | None = None
    note: str | None = None
    failing: int = 0
    examples: tuple[str, ...] = ()


class SkipCheck(Exception):
    """A rule that cannot be checked on this interval, with the reason."""


def common(rule: Rule, part: str = "") -> dict[str, Any]:
    """What every expectation carries: the rule it stands for, and how bad its failure is in GX's words."""
    return {
        "meta": {"rule": rule.id, "severity": rule.severity.value, "original": rule.baseline, "kind": rule.kind},
        "severity": FailureSeverity.WARNING if rule.severity is Severity.WARN else FailureSeverity.CRITICAL,
        "description": f"{rule.id} ({rule.severity.value}){part and f', {part}'}: {rule.description}",
    }


def metric_check(rule: Rule, name: str, value: int | float, least: Any, most: Any, words: str) -> Check:
    """A check of one figure; its maximum is the figure itself, and GX returns it without asking for values."""
    part = "" if name == rule.id else name.replace("_", " ")
    expectation = gxe.ExpectColumnMaxToBeBetween(column=name, min_value=least, max_value=most, **common(rule, part))
    return Check(rule, expectation, f"{words} {bounds(least, most)}", value, part)


def bounds(least: Any, most: Any) -> str:
    """Two bounds in words; None is no bound."""
    if least is None:
        return f"at most {most}"
    if most is None:
        return f"at least {least}"
    return str(least) if least == most else f"from {least} to {most}"
