"""A verification as text for a terminal: one line per entity and month, every hop side by side."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

from deftunes_cli.terminal import in_markup
from deftunes_serving.verify.model import Figures, IntervalCheck, State, Verification

HOPS = ("source", "landed", "published", "quarantined", "fact")
_STYLES = {State.PUBLISHED: "green", State.PENDING: "yellow", State.UNEXPLAINED: "red"}


def render(verification: Verification, console: Console) -> None:
    """Print the hops, what waits, what does not agree, and the verdict."""
    # no rules between columns: seven figures of a million USD fit 80 columns
    table = Table(
        title="Rows and USD at every hop", title_justify="left", title_style="bold", box=box.SIMPLE_HEAD,
        show_edge=False, padding=0,
    )  # fmt: skip
    table.add_column("entity", no_wrap=True)
    table.add_column("month", no_wrap=True)
    for hop in HOPS:
        table.add_column(hop, justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    entity = None
    for check in verification.intervals:
        if entity not in (None, check.entity):
            table.add_section()
        entity = check.entity
        table.add_row(
            in_markup(check.entity),
            check.month,
            *(_cell(hop_figures(check, hop)) for hop in HOPS),
            f"[{_STYLES[check.state]}]{check.state}[/]" + ("\n[yellow]provisional[/]" if check.provisional else ""),
        )
    console.print(table)
    console.print()
    for said in verification.pending:
        console.print(f"[yellow]waiting[/] {in_markup(said)}", soft_wrap=True)
    for said in verification.provisional:
        console.print(f"[yellow]not whole[/] {in_markup(said)}", soft_wrap=True)
    for fault in verification.faults:
        console.print(f"[red]fault[/] {in_markup(fault.sentence)}", soft_wrap=True)
    if verification.reconciled:
        console.print(f"[green]reconciled[/] {in_markup(verification.sentence)}", soft_wrap=True)
    else:
        number = len(verification.faults)
        console.print(f"[red]not reconciled[/] {number} fault{'' if number == 1 else 's'}, see above", soft_wrap=True)


def hop_figures(check: IntervalCheck, hop: str) -> Figures | None:
    """The figures of one hop by its name."""
    found: Figures | None = getattr(check, hop)
    return found


def _cell(found: Figures | None) -> str:
    if found is None:
        return "[dim]–[/]"
    return f"{found.units:,}" if found.amount is None else f"{found.units:,}\n[dim]{found.amount:,}[/]"
