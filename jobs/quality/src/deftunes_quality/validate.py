"""The validation of one staged interval: what it is measured against, its suite, results and report.

Data flow: Iceberg branch at one snapshot (+ quarantine, + main of referenced tables) → `GateResult` + report files. The
suite is derived from the contract: every rule becomes one or more checks, or is skipped for a reason.
Importing this module imports Great Expectations (5 s), so gate.py does it late, once there is something to validate.
What protects the output: the rows are read at the snapshot that the result names, and the result is written last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import structlog
from pyspark.sql import DataFrame

from deftunes_contract.entity import Rule
from deftunes_contract.gate import GateResult
from deftunes_contract.heartbeat import heartbeat
from deftunes_quality import interval_checks, row_checks
from deftunes_quality.checks import Check, SkipCheck, ValidationContext
from deftunes_quality.gate import GateContext
from deftunes_quality.gate_decision import gate_result, rule_results
from deftunes_quality.gx_runner import run_checks
from deftunes_quality.interval_under_test import StagedInterval
from deftunes_quality.metrics import column_faults, count_quarantined, quarantine_examples, quarantine_rows
from deftunes_quality.published_keys import find_elsewhere, find_unmatched, known_share
from deftunes_quality.report import publish_report
from deftunes_quality.restatement import compare

CHECKS: Mapping[str, Callable[[Rule, ValidationContext], list[Check]]] = {
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
    "restatement": interval_checks.restatement,
    "same_source": interval_checks.same_source,
    "unique_across_intervals": interval_checks.unique_across_intervals,
}
"""Kind of rule → what makes its checks."""


def validate_interval(gate: GateContext, staged: StagedInterval) -> GateResult:
    """Validate one interval and write its report; the caller writes the result. Raises StageError when GX failed."""
    log = structlog.get_logger("deftunes-quality")
    rows = staged.rows(gate.spark)
    with heartbeat(log, f"{staged.name}: measuring quarantine and references ({staged.summary.rows:,} rows)"):
        context = measure(gate, staged, rows)
    checks, skipped = build_suite(context)
    with heartbeat(log, f"{staged.name}: {len(checks)} expectations, {len(skipped)} skipped"):
        results = run_checks(staged.entity, checks, rows)
    result = gate_result(staged, rule_results(staged, results, skipped))
    data_docs = publish_report(gate.store, result, staged.summary)
    return result.model_copy(update={"data_docs": data_docs})


def measure(gate: GateContext, staged: StagedInterval, rows: DataFrame) -> ValidationContext:
    """Everything that the checks are measured against."""
    quarantine = quarantine_rows(gate.spark, gate.settings, staged)
    quarantined = count_quarantined(quarantine)
    restated = compare(gate.spark, staged, rows)
    limits = [rule.parameters["max"] for rule in staged.entity.rules_of("quarantine_share")]
    shown = limits and staged.summary.quarantined_units > min(limits) * staged.summary.landed_units
    return ValidationContext(
        entity=staged.entity,
        interval=staged.interval,
        staged=staged.summary,
        previous=staged.previous,
        quarantined=quarantined,
        quarantine_examples=quarantine_examples(staged.entity, quarantine, quarantined) if shown else (),
        faults=column_faults(staged.entity, rows.schema),
        unmatched=find_unmatched(gate.spark, gate.settings, staged, rows),
        public=staged.public,
        restatement=restated,
        known=known_share(gate.spark, staged, rows, restated),
        elsewhere=find_elsewhere(gate.spark, staged, rows),
        allowances=gate.allowances,
    )


def build_suite(context: ValidationContext) -> tuple[tuple[Check, ...], dict[str, str]]:
    """All checks of an interval, and why the other rules are skipped: rule id → reason. Reads nothing.

    Raises ValueError when a rule's kind has no expectation.
    """
    checks: list[Check] = []
    skipped: dict[str, str] = {}
    for rule in context.entity.rules:
        if rule.kind not in CHECKS:
            raise ValueError(f"contract {context.entity.name}: no expectation is known for kind {rule.kind!r}")
        try:
            if wrong := [context.faults[name] for name in rule.columns if name in context.faults]:
                raise SkipCheck("; ".join(wrong))
            checks += CHECKS[rule.kind](rule, context)
        except SkipCheck as reason:
            skipped[rule.id] = str(reason)
    return tuple(checks), skipped
