"""The report of a gate: one page for people, made from the gate's result.

Data flow: `GateResult` + `LoadMetrics` → `quality/<entity>/ingest_on=D/run=R/data_docs/index.html`.
What protects the reader: values of failing rows come from unmatched, so every text passes `printable`, the redactor
and the template's escaping, and the page's content security policy allows one style sheet, known by its hash, and
nothing else: no script, no request, no form. The name does not change, so a second judgement replaces the report.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from deftunes_contract.entity import Severity
from deftunes_contract.gate import GateResult, RuleResult
from deftunes_contract.layout import quality_report
from deftunes_contract.load_metrics import LoadMetrics
from deftunes_contract.object_store import ObjectStore
from deftunes_contract.redaction import printable, redact

OUTCOMES = ("failed", "warned", "passed", "skipped")
"""Outcomes of a rule, in the order of the page: what needs a reader's attention comes first."""


def publish_report(store: ObjectStore, result: GateResult, summary: LoadMetrics) -> str:
    """Put the page beside the result; returns its full name."""
    folder = f"{quality_report(result.entity, result.ingest_on, result.run_id)}/data_docs"
    page, index = render_report(result, summary).encode(), f"{folder}/index.html"
    # pages that an older version wrote beside the index held foreign text unescaped; the gate may write, not delete
    for path in {*store.list(folder), index}:
        store.write(path, page)
    return store.uri(index)


def render_report(result: GateResult, summary: LoadMetrics) -> str:
    """The page as HTML, complete in itself."""
    rules = sorted(result.rules, key=lambda rule: OUTCOMES.index(outcome(rule)))
    style = _style()
    return _template().render(
        style=Markup(style),
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        result=result,
        summary=summary,
        rules=[(rule, outcome(rule)) for rule in rules],
        counts=_counts(rules),
    )


def outcome(rule: RuleResult) -> str:
    """One of OUTCOMES."""
    if rule.skipped is not None:
        return "skipped"
    if rule.passed:
        return "warned" if rule.allowed else "passed"
    return "warned" if rule.severity is Severity.WARN else "failed"


def _counts(rules: Sequence[RuleResult]) -> list[tuple[str, int]]:
    found = [outcome(rule) for rule in rules]
    return [(name, found.count(name)) for name in OUTCOMES if name in found]


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_finalize
    )
    return environment.from_string((files("deftunes_quality") / "report.html.j2").read_text(encoding="utf-8"))


@cache
def _style() -> str:
    return (files("deftunes_quality") / "report.css").read_text(encoding="utf-8")


def _finalize(value: Any) -> Any:
    """What the template prints: numbers shortened, text without secrets and with control characters as escapes."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return redact(printable(value)) if isinstance(value, str) and not isinstance(value, Markup) else value
