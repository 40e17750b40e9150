"""What the gates said: the latest decision of each entity and month, as a grid of rules by months.

quality/<entity>/ingest_on=D/run=<run id>/result.json ─► `Gate` per entity. Reads only.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from urllib.parse import quote

from deftunes_cli.dashboard.text import plural
from deftunes_contract.gate import ALLOWED_BY, GateResult, RuleResult, read_gate_result
from deftunes_contract.interval import Interval
from deftunes_contract.object_store import ObjectStore
from deftunes_contract.registry import registry

MONTHS_SHOWN = 12
"""Columns of a grid; older months are counted in a sentence."""
LONGEST_CELL = 19
"""Characters of a cell: a time to the second fits."""


@dataclass(frozen=True)
class Cell:
    """One rule in one month: status is passed, warned, failed, skipped or absent; note says more."""

    status: str
    observed: str
    note: str


@dataclass(frozen=True)
class RuleLine:
    """One rule over the months shown."""

    id: str
    severity: str
    expected: str
    description: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Month:
    """One column of a grid. report: link to its Data Docs, None when a browser cannot open them."""

    name: str
    report: str | None


@dataclass(frozen=True)
class Gate:
    """All rules of one entity. closed: sentences on months whose gate is closed. older: months not shown."""

    entity: str
    months: tuple[Month, ...]
    rules: tuple[RuleLine, ...]
    closed: tuple[str, ...]
    warned: int
    older: int


def latest_results(store: ObjectStore) -> dict[tuple[str, date], GateResult]:
    """The decision that was taken last on each entity and month."""
    found: dict[tuple[str, date], GateResult] = {}
    for path in store.list("quality"):
        if not path.endswith("/result.json"):
            continue
        content = store.read(path)
        if content is None:
            continue
        result = read_gate_result(content, store.uri(path))
        key = (result.entity, result.ingest_on)
        if key not in found or found[key].judged_at < result.judged_at:
            found[key] = result
    return found


def gates(results: Mapping[tuple[str, date], GateResult], page_folder: Path) -> tuple[Gate, ...]:
    """The grid of each entity that was judged at all; links are relative to the folder of the page."""
    return tuple(
        _gate(entity, results, page_folder) for entity in registry().names if any(k[0] == entity for k in results)
    )


def _gate(entity: str, results: Mapping[tuple[str, date], GateResult], page_folder: Path) -> Gate:
    days = sorted(day for name, day in results if name == entity)
    shown = [results[entity, day] for day in days[-MONTHS_SHOWN:]]
    by_rule: dict[str, dict[date, RuleResult]] = {}
    for result in shown:
        for rule in result.rules:
            by_rule.setdefault(rule.id, {})[result.ingest_on] = rule
    lines = tuple(_line(found, [result.ingest_on for result in shown]) for found in by_rule.values())
    return Gate(
        entity=entity,
        months=tuple(Month(_month(r.ingest_on), _link(r.data_docs, page_folder)) for r in shown),
        rules=lines,
        closed=tuple(_closed(results[entity, day]) for day in days if not results[entity, day].passed),
        warned=sum(cell.status == "warned" for line in lines for cell in line.cells),
        older=len(days) - len(shown),
    )


def _line(found: Mapping[date, RuleResult], days: Sequence[date]) -> RuleLine:
    latest = found[max(found)]
    cells = tuple(_cell(found.get(day)) for day in days)
    return RuleLine(latest.id, latest.severity, latest.expected, latest.description, cells)


def _cell(rule: RuleResult | None) -> Cell:
    if rule is None:
        return Cell("absent", "–", "not part of the contract when this month was judged")
    if rule.skipped is not None:
        return Cell("skipped", "–", f"not judged: {rule.skipped}")
    observed = "–" if rule.observed is None else _observed(rule.observed)
    if rule.passed:
        note = f"expected {rule.expected}; observed {observed}"
        if rule.allowed:
            return Cell("warned", "allowed", f"{note}; {ALLOWED_BY}{rule.allowed}")
        more = f"; {rule.note}" if rule.note else ""
        return Cell("passed", _fitting(observed, "as expected"), note + more)
    broken = plural(rule.failing_count, "row") + " broke it" if rule.failing_count else "broken"
    examples = f", e.g. {', '.join(rule.examples[:3])}" if rule.examples else ""
    note = f"expected {rule.expected}; observed {observed}; {broken}{examples}"
    return Cell("warned" if rule.severity == "warn" else "failed", _fitting(observed, "otherwise"), note)


def _observed(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if value == int(value) else f"{value:,.4g}"


def _fitting(observed: str, otherwise: str) -> str:
    """What was observed, or in a word how it went when that would not fit a cell; the note has it whole."""
    return observed if len(observed) <= LONGEST_CELL else otherwise


def _closed(result: GateResult) -> str:
    rules = ", ".join(
        f"{rule.id} (observed {'–' if rule.observed is None else _observed(rule.observed)}, expected {rule.expected})"
        for rule in result.failed_rules
    )
    return f"{result.entity} {_month(result.ingest_on)}, run {result.run_id}: {rules or 'no rule was judged'}"


def _link(address: str | None, page_folder: Path) -> str | None:
    """A report beside the page by its relative path, so that the home can be moved; s3:// opens in no browser."""
    if address is None or not Path(address).is_absolute():
        return None
    return quote(os.path.relpath(address, page_folder))


def _month(ingest_on: date) -> str:
    return Interval.of_ingest_on(ingest_on).month
