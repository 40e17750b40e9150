"""Telling people how a run goes: a bar on a terminal, one quiet line a step elsewhere."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from deftunes_cli.run_record import Step
from deftunes_cli.stages import StageCall
from deftunes_cli.terminal import plain


def _title(stage: str, entities: tuple[str, ...], month: str | None) -> str:
    return " ".join(filter(None, (month, stage, ", ".join(entities))))


class Lines:
    """One line a step, for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def expect(self, steps: int) -> None:
        """See run.Progress."""

    def begin(self, call: StageCall) -> None:
        """See run.Progress."""

    def end(self, step: Step) -> None:
        """See run.Progress."""
        mark = "ok  " if step.exit_code == 0 else f"{step.exit_code:<4}"
        self.console.print(
            f"{mark}{step.seconds:6.1f} s  {plain(step.sentence)}", markup=False, highlight=False, soft_wrap=True
        )

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        return


class Bar:
    """A bar with the running step, for terminals; steps that failed stay on the screen."""

    def __init__(self, console: Console) -> None:
        self.bar = Progress(
            SpinnerColumn(), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"),
            console=console, transient=True,
        )  # fmt: skip
        self.task = self.bar.add_task("starting", total=None)

    def expect(self, steps: int) -> None:
        """See run.Progress."""
        self.bar.update(self.task, total=steps)

    def begin(self, call: StageCall) -> None:
        """See run.Progress."""
        self.bar.update(self.task, description=_title(call.stage, call.entities, call.month))

    def end(self, step: Step) -> None:
        """See run.Progress."""
        self.bar.advance(self.task)
        if step.exit_code:
            self.bar.console.print(plain(step.sentence), style="bold red", markup=False, highlight=False)

    def __enter__(self) -> Bar:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()


def progress_for(console: Console) -> Bar | Lines:
    """The fitting kind."""
    return Bar(console) if console.is_terminal else Lines(console)
