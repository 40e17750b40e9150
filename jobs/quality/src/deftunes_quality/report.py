"""The report of a gate: one page of ours with every rule, and the Data Docs pages of Great Expectations behind it.

Data flow: `GateResult` + GX results → `quality/<entity>/ingest_on=D/run=R/data_docs/{index,rows,figures}.html`. The
names do not change, so judging again replaces the report. Pages ask nothing of the network: what Data Docs would load
from content networks is taken out, with the scripts that would need it (a lake has readers who are cut off, and a
report tells nobody who reads it), and the few styles that they need are inside.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from great_expectations.core.expectation_validation_result import ExpectationSuiteValidationResult
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.render.renderer import ValidationResultsPageRenderer
from great_expectations.render.view import DefaultJinjaPageView

from deftunes_contract.gate import GateResult, RuleResult
from deftunes_contract.shelf import Shelf
from deftunes_contract.zones import quality_report

_LIVELY = re.compile(r"<(script|style|footer)\b.*?</\1>|<(link|img)\b[^>]*>", re.DOTALL)
"""What would fetch something, or would need what was to be fetched."""
_ELSEWHERE = re.compile(r'href="\.\./[^"]*"')
"""Links to pages of a whole Data Docs site, of which there is only this part."""
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 1.5rem; color: #1b1f24; background: #fff; }
table { border-collapse: collapse; width: 100%; margin: .6rem 0; }
td, th { border: 1px solid #d0d7de; padding: .3rem .55rem; text-align: left; vertical-align: top; }
th { background: #f6f8fa; } code { font-size: 90%; } h1 { font-size: 1.4rem; } h5, h6 { font-size: 1rem; }
.ok, .fa-check-circle::before { color: #1a7f37; } .bad, .fa-times::before { color: #b42318; font-weight: 600; }
.warned, .fa-exclamation-triangle::before { color: #9a6700; font-weight: 600; } .skipped { color: #57606a; }
.fa-check-circle::before { content: "\\2714"; } .fa-times::before { content: "\\2718"; }
.fa-exclamation-triangle::before { content: "\\26A0"; } .far, .fas { font-style: normal; }
.card, .modal, nav, [data-toggle="collapse"] { display: none; }
"""


def build_report(result: GateResult, pages: Mapping[str, ExpectationSuiteValidationResult], folder: Path) -> list[Path]:
    """Write the pages into a local folder; returns them, the index last."""
    files = []
    for name, page in pages.items():
        file = folder / f"{name}.html"
        file.write_text(_data_docs(result, page), encoding="utf-8")
        files.append(file)
    index = folder / "index.html"
    index.write_text(_index(result, list(pages)), encoding="utf-8")
    return [*files, index]


def publish_report(shelf: Shelf, result: GateResult, pages: Mapping[str, ExpectationSuiteValidationResult]) -> str:
    """Build the report and put it beside the result; returns the full name of its index."""
    target = f"{quality_report(result.entity, result.ingest_on, result.run_id)}/data_docs"
    with tempfile.TemporaryDirectory(prefix="deftunes-data-docs-") as folder:
        for file in build_report(result, pages, Path(folder)):
            shelf.upload(f"{target}/{file.name}", file)
    return shelf.uri(f"{target}/index.html")


def _data_docs(result: GateResult, page: ExpectationSuiteValidationResult) -> str:
    page.meta |= {
        "run_id": RunIdentifier(run_name=result.run_id, run_time=result.judged_at),
        "validation_time": result.judged_at,
    }
    html = str(_view().render(ValidationResultsPageRenderer().render(page)))
    plain = _ELSEWHERE.sub('href="index.html"', _LIVELY.sub("", html))
    return plain.replace("</head>", f"<style>{_STYLE}</style></head>", 1)


@cache
def _view() -> Any:
    """GX's page view. Each one compiles its twenty templates anew, which takes longer than to fill them in."""
    return DefaultJinjaPageView()


def _index(result: GateResult, pages: list[str]) -> str:
    title = f"{result.entity}, ingest_on {result.ingest_on}: gate {'open' if result.passed else 'CLOSED'}"
    links = " · ".join(f'<a href="{name}.html">Great Expectations on {name}</a>' for name in pages)
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>"
        f"<p>Run {escape(result.run_id)}, table {escape(result.table)}, snapshot {result.snapshot_id}, judged "
        f"{result.judged_at:%Y-%m-%d %H:%M:%S} UTC. {links}</p><table><tr><th>rule</th><th>severity</th>"
        "<th>result</th><th>expected</th><th>found</th><th>rows</th><th>examples</th><th>why</th></tr>"
        f"{''.join(map(_line, sorted(result.rules, key=_broken_first)))}</table></body></html>\n"
    )


def _broken_first(rule: RuleResult) -> int:
    return 1 if rule.passed else 0


def _line(rule: RuleResult) -> str:
    if rule.skipped:
        outcome, look = f"skipped: {rule.skipped}", "skipped"
    elif rule.passed:
        outcome, look = "holds", "ok"
    else:
        outcome, look = "broken", "warned" if rule.severity == "warn" else "bad"
    observed = f"{rule.observed:.6g}" if isinstance(rule.observed, float) else rule.observed or ""
    examples = "<br>".join(f"<code>{escape(text)}</code>" for text in rule.examples)
    cells = (rule.id, rule.severity.value, outcome, rule.expected, observed, rule.failing_count or "")
    texts = [f"<td>{escape(str(cell))}</td>" for cell in cells]
    texts[2] = f'<td class="{look}">{escape(outcome)}</td>'
    return f"<tr>{''.join(texts)}<td>{examples}</td><td>{escape(rule.description)}</td></tr>"
