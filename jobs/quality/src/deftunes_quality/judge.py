"""The judgement of one staged interval: facts, suite, results, report.

Data flow: Iceberg branch at one snapshot (+ quarantine, + main of referenced tables) → `GateResult` + report files.
Importing this module imports Great Expectations (5 s), so gate.py does it late, once something is there to judge.
What protects the output: the rows are read at the snapshot that the result names, and the result is written last.
"""

from __future__ import annotations

import structlog
from pyspark.sql import DataFrame

from deftunes_contract.gate import GateResult
from deftunes_contract.heartbeat import heartbeat
from deftunes_quality.checks import Facts
from deftunes_quality.decision import gate_result
from deftunes_quality.desk import Desk
from deftunes_quality.elsewhere import find_elsewhere
from deftunes_quality.figures import (
    Quarantined,
    column_faults,
    count_quarantined,
    quarantine_examples,
    quarantine_rows,
)
from deftunes_quality.outcomes import rule_results
from deftunes_quality.privacy import EXAMPLES
from deftunes_quality.references import find_unmatched
from deftunes_quality.report import publish_report
from deftunes_quality.restatement import compare
from deftunes_quality.source_change import known_share
from deftunes_quality.staged import Staged
from deftunes_quality.suites import build_suite
from deftunes_quality.validation import Judged, run_suite


def judge_staged(desk: Desk, staged: Staged) -> GateResult:
    """Judge one interval and write its report; the caller writes the result. Raises StageError when GX failed."""
    log = structlog.get_logger("deftunes-quality")
    rows = staged.rows(desk.spark)
    with heartbeat(log, f"{staged.name}: measuring quarantine and references ({staged.summary.rows:,} rows)"):
        quarantine = quarantine_rows(desk.spark, desk.settings, staged)
        facts = gather_facts(desk, staged, rows, count_quarantined(quarantine))
    suite = build_suite(facts)
    with heartbeat(log, f"{staged.name}: {len(suite.checks)} expectations, {len(suite.skipped)} skipped"):
        judged = run_suite(suite, rows)
    examples = figure_examples(facts, judged, quarantine)
    result = gate_result(staged, rule_results(facts, suite, judged, examples))
    data_docs = publish_report(desk.store, result, staged.summary)
    return result.model_copy(update={"data_docs": data_docs})


def gather_facts(desk: Desk, staged: Staged, rows: DataFrame, quarantined: Quarantined) -> Facts:
    """Everything that the suite is measured against."""
    restated = compare(desk.spark, staged, rows)
    return Facts(
        entity=staged.entity,
        interval=staged.interval,
        staged=staged.summary,
        previous=staged.previous,
        quarantined=quarantined,
        faults=column_faults(staged.entity, rows.schema),
        unmatched=find_unmatched(desk.spark, desk.settings, staged, rows),
        public=staged.public,
        restatement=restated,
        known=known_share(desk.spark, staged, rows, restated),
        elsewhere=find_elsewhere(desk.spark, staged, rows),
        allowances=desk.allowances,
    )


def figure_examples(
    facts: Facts, judged: tuple[Judged, ...], quarantine: DataFrame | None
) -> dict[str, tuple[str, ...]]:
    """Examples for broken rules that are judged by figures, by rule id."""
    examples: dict[str, tuple[str, ...]] = {}
    for rule in {one.check.rule.id: one.check.rule for one in judged if not one.passed}.values():
        if rule.kind == "reference":
            examples[rule.id] = facts.unmatched[rule.id].examples
        elif rule.kind == "conform":
            examples[rule.id] = tuple(facts.faults.values())
        elif rule.kind == "restatement" and facts.restatement is not None:
            examples[rule.id] = facts.restatement.examples
        elif rule.kind == "unique_across_intervals":
            examples[rule.id] = tuple(text for one in facts.elsewhere[rule.id] for text in one.examples)[:EXAMPLES]
        elif rule.kind == "quarantine_share":
            examples[rule.id] = quarantine_examples(facts.entity, quarantine, facts.quarantined)
    return examples
