"""One self-contained HTML page on the platform's state: sales, proof of the figures, gates, quarantine, timings.

serving file + lake + gate results + run record ─► home/dashboard.html, written aside and renamed. The page carries its
own plotly.js and asks the network for nothing; its content security policy forbids it to, and allows the page's two
scripts by their hashes. Everything that comes from data is escaped by the template. Run it alone:
`write_dashboard(Home(Path(".deftunes")), settings, serving, None)`.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from deftunes_cli.dashboard import charts, quality, text
from deftunes_cli.dashboard.facts import added_facts
from deftunes_cli.dashboard.quarantine import Refused, read_quarantine
from deftunes_cli.dashboard.sales import NO_SALES, Sales, read_sales
from deftunes_cli.dashboard.timings import timings
from deftunes_cli.run_record import RunRecord
from deftunes_cli.workspace import Workspace
from deftunes_contract.atomic_file import AtomicFile
from deftunes_contract.errors import NothingToDo
from deftunes_contract.object_store import open_store
from deftunes_contract.redaction import printable, redact
from deftunes_contract.registry import registry
from deftunes_contract.settings import LakeSettings
from deftunes_serving.reader import NotBuilt, open_serving
from deftunes_serving.settings import ServingSettings
from deftunes_serving.verify import Verification, verify
from deftunes_serving.verify.published_tables import open_public

HOP_MONTHS_SHOWN = 12
"""Months of the reconciliation table per entity; a month that does not agree is always shown."""


@dataclass(frozen=True)
class _PageData:
    """All that the page is made of."""

    serving: str
    sales: Sales
    verification: Verification | None
    nothing: str
    results: dict[tuple[str, date], Any]
    refused: tuple[Refused, ...]


def write_dashboard(
    home: Workspace,
    settings: LakeSettings,
    serving: ServingSettings | Path,
    record: RunRecord | None,
    verification: Verification | None = None,
) -> Path:
    """Write the page of the home and return its path; an older page stays until the new one is whole.

    serving: the settings of the target in use, or a serving file. record: the run whose timings are shown, None when
    there was none. verification: what `verify` said, when the caller has it; else it is asked. An empty or half-built
    platform gives a page that says what is missing. Raises what `verify` raises, except NothingToDo.
    """
    data = _gather(settings, serving, verification)
    page = _render(data, home, settings, record)
    home.dashboard.parent.mkdir(parents=True, exist_ok=True)
    with AtomicFile(home.dashboard) as file:
        file.write_text(page, encoding="utf-8")
    return home.dashboard


def _gather(settings: LakeSettings, serving: ServingSettings | Path, verification: Verification | None) -> _PageData:
    nothing = ""
    if verification is None:
        try:
            verification = verify(settings, serving)
        except NothingToDo as empty:
            nothing = str(empty)
    where, sales = _sales(serving, verification)
    return _PageData(
        serving=where,
        sales=sales,
        verification=verification,
        nothing=nothing,
        results=quality.latest_results(open_store(settings.lake)),
        refused=() if verification is None else _refused(settings, verification),
    )


def _sales(serving: ServingSettings | Path, verification: Verification | None) -> tuple[str, Sales]:
    """Where the serving tables are, and the sales in them."""
    incomplete = verification is not None and any(fault.hop == "serving" for fault in verification.faults)
    try:
        with open_serving(serving) as reader:
            return reader.where, NO_SALES if incomplete else read_sales(reader)
    except NotBuilt as nothing:
        return nothing.where, NO_SALES


def _refused(settings: LakeSettings, verification: Verification) -> tuple[Refused, ...]:
    published = [(run.entity, run.ingest_on, run.published_run) for run in verification.runs if run.published_run]
    if not published:
        return ()
    with open_public(settings) as connection:
        return read_quarantine(connection, published)


def _render(data: _PageData, home: Workspace, settings: LakeSettings, record: RunRecord | None) -> str:
    package = files("deftunes_cli.dashboard")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_finalize
    )
    filters: dict[str, Callable[..., Any]] = {
        "count": text.count, "money": text.money, "seconds": text.seconds,
        "plural": text.plural, "month_name": charts.month_name,
    }  # fmt: skip
    environment.filters.update(filters)
    template = environment.from_string((package / "page.html.j2").read_text(encoding="utf-8"))
    sales, drawn = data.sales, _charts(data.sales)
    plotly, draw = (_plotly(), (package / "draw.js").read_text(encoding="utf-8")) if drawn else ("", "")
    return template.render(
        style=Markup((package / "style.css").read_text(encoding="utf-8")),
        script_sources=Markup(" ".join(_source(script) for script in (plotly, draw) if script) or "'none'"),
        draw=Markup(draw),
        plotly=Markup(plotly),
        charts=Markup(charts.to_json(drawn)),
        period=_period(sales),
        sales=sales,
        by_month=_by_month(sales),
        days=len(sales.days),
        verification=data.verification,
        nothing=data.nothing,
        hops=_hops(data.verification),
        provisional=_provisional(data.verification),
        gates=quality.gates(data.results, home.dashboard.parent),
        gates_judged=len(data.results),
        gates_passed=sum(result.passed for result in data.results.values()),
        refused=data.refused,
        quarantined_units=sum(refused.units for refused in data.refused),
        quarantined_amount=sum((refused.amount or Decimal() for refused in data.refused), Decimal()),
        record=record,
        timings=None if record is None else timings(record),
        home=home,
        lake=settings.lake_root,
        serving=data.serving,
        added_facts=added_facts(data.verification),
        written=datetime.now(UTC),
    )


def _finalize(value: Any) -> Any:
    """What the template prints: text without secrets and with its control characters as escapes."""
    return redact(printable(value)) if isinstance(value, str) and not isinstance(value, Markup) else value


def _source(script: str) -> str:
    """A script for the content security policy: its hash, so that no other script of the page runs."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _plotly() -> str:
    from plotly.offline import get_plotlyjs  # the import is only paid by a page that has charts

    script: str = get_plotlyjs()
    return script.replace("</script", "<\\/script")


def _charts(sales: Sales) -> dict[str, charts.Spec]:
    """Chart id → specification, without the charts that would be empty."""
    drawn: dict[str, charts.Spec] = {}
    if sales.by_country:
        drawn["sales-by-country"] = charts.sales_by_country(sales.by_country)
    if sales.artists:
        drawn["top-artists"] = charts.top_artists(sales.artists)
    if sales.days:
        drawn["sessions-per-day"] = charts.sessions_per_day(sales.days)
    if sales.liked:
        drawn["liked-tracks"] = charts.liked_tracks(sales.liked)
    return drawn


def _period(sales: Sales) -> str:
    months = sorted({sale.month for sale in sales.by_country})
    if not months:
        return "no sales yet"
    first, last = charts.month_name(months[0]), charts.month_name(months[-1])
    return first if first == last else f"{first} to {last}"


def _by_month(sales: Sales) -> dict[str, Any]:
    """The first chart as a table: countries by sales, months as columns."""
    months = sorted({sale.month for sale in sales.by_country})
    cells = {(sale.country, sale.month): sale.total for sale in sales.by_country}
    totals: dict[str, Decimal] = {}
    for sale in sales.by_country:
        totals[sale.country] = totals.get(sale.country, Decimal()) + sale.total
    return {
        "months": months,
        "rows": [
            (country, [cells.get((country, month)) for month in months], totals[country])
            for country in sorted(totals, key=lambda name: (-totals[name], name))
        ],
        "sums": [sum((s.total for s in sales.by_country if s.month == month), Decimal()) for month in months],
        "total": sum(totals.values(), Decimal()),
    }


def _provisional(verification: Verification | None) -> list[str]:
    """Months that were read before their end, and are public or wait."""
    return sorted({check.month for check in verification.intervals if check.provisional}) if verification else []


def _hops(verification: Verification | None) -> list[dict[str, Any]]:
    """Reconciliation by entity: the latest months, and every month that does not agree."""
    if verification is None:
        return []
    wrong = {fault.subject for fault in verification.faults}
    tables = []
    for entity in registry().names:
        checks = [check for check in verification.intervals if check.entity == entity]
        shown = [
            check
            for place, check in enumerate(checks, start=1)
            if place > len(checks) - HOP_MONTHS_SHOWN or f"{entity} {check.month}" in wrong
        ]
        if shown:
            lines = [(check, f"{entity} {check.month}" not in wrong) for check in shown]
            tables.append({"entity": entity, "lines": lines, "older": len(checks) - len(shown)})
    return tables
