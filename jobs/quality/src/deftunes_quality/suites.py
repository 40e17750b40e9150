"""The expectation suite of an interval, derived from the contract: no rule is written down a second time here.

Data flow: contract rules + facts of the interval → `Suite` (pure: nothing is read). Every rule of the contract becomes
one or more checks, or is skipped for a reason that is told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from deftunes_contract.entity import Entity, Rule
from deftunes_quality import interval_checks, public_checks, row_checks
from deftunes_quality.checks import Check, Facts, Skip

CHECKS: Mapping[str, Callable[[Rule, Facts], list[Check]]] = {
    "complete": row_checks.complete,
    "length": row_checks.length,
    "pattern": row_checks.pattern,
    "allowed": row_checks.allowed,
    "range": row_checks.within,
    "in_interval": row_checks.in_interval,
    "unique": row_checks.unique,
    "conform": row_checks.conform,
    "uniqueness": interval_checks.uniqueness,
    "volume": interval_checks.volume,
    "freshness": interval_checks.freshness,
    "reconcile": interval_checks.reconcile,
    "quarantine_share": interval_checks.quarantine_share,
    "arrived": interval_checks.arrived,
    "reference": interval_checks.reference,
    "restatement": public_checks.restatement,
    "same_source": public_checks.same_source,
    "unique_across_intervals": public_checks.unique_across_intervals,
}
"""Kind of rule → what makes its checks."""


@dataclass(frozen=True)
class Suite:
    """All checks of an interval, and why the other rules are skipped (rule id → reason)."""

    entity: Entity
    checks: tuple[Check, ...]
    skipped: Mapping[str, str]


def build_suite(facts: Facts) -> Suite:
    """The suite of an interval. Raises ValueError when a rule's kind has no expectation."""
    checks: list[Check] = []
    skipped: dict[str, str] = {}
    for rule in facts.entity.rules:
        if rule.kind not in CHECKS:
            raise ValueError(f"contract {facts.entity.name}: no expectation is known for kind {rule.kind!r}")
        try:
            if wrong := [facts.faults[name] for name in rule.columns if name in facts.faults]:
                raise Skip("; ".join(wrong))
            checks += CHECKS[rule.kind](rule, facts)
        except Skip as reason:
            skipped[rule.id] = str(reason)
    return Suite(facts.entity, tuple(checks), skipped)
