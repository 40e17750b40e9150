"""The end of a run, for a person: what happened, what it adds up to, where to look next."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from deftunes_cli.run_record import RunRecord
from deftunes_cli.terminal import in_markup, plain
from deftunes_contract.gate import ALLOWED_BY
from deftunes_contract.interval import Interval


def render_run(record: RunRecord, console: Console, dashboard: Path | None) -> None:
    """Print steps that need attention, seconds by stage, and where to look next."""
    failed = [step for step in record.steps if step.exit_code]
    for step in failed:
        console.print(f"exit {step.exit_code}: {plain(step.sentence)}", style="bold red", markup=False, highlight=False)
    for step in record.steps:
        if step.stage == "quality" and not step.exit_code and ALLOWED_BY in step.sentence:
            console.print(plain(step.sentence), style="yellow", markup=False, highlight=False)
    seconds: dict[str, float] = defaultdict(float)
    for step in record.steps:
        seconds[step.stage] += step.seconds
    took = Table(title="Seconds by stage", title_justify="left")
    took.add_column("stage")
    took.add_column("calls", justify="right")
    took.add_column("seconds", justify="right")
    for stage, spent in seconds.items():
        took.add_row(stage, str(sum(step.stage == stage for step in record.steps)), f"{spent:.1f}")
    console.print(took)
    if record.finished_at:
        whole = (record.finished_at - record.started_at).total_seconds()
        verdict = "every gate passed" if not failed else f"ended with exit code {record.exit_code}"
        console.print(f"{len(record.months)} months, {', '.join(record.pipelines)}: {whole:.1f} s, {verdict}")
    for month in record.provisional:
        console.print(
            f"{month} is provisional: it was not over when it was read; run it again from "
            f"{Interval.of_month(month).end} on",
            style="yellow", markup=False, highlight=False, soft_wrap=True,
        )  # fmt: skip
    if dashboard:
        console.print(f"look at  {in_markup(dashboard)}", soft_wrap=True, highlight=False)
    console.print("next     deftunes verify · deftunes status · deftunes run --help", highlight=False)
