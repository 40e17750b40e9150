"""One run: pipelines over whole months, in one process, with a record of every step.

    extract (runs ahead in a thread) ─► per month and pipeline: transform ─► quality ─► publish ─► one dbt build

A pipeline that fails stops at that month; what was published before it is still served, and the other pipelines
go on, just as their DAGs would. Nothing here validates data: the stages' own exit codes decide.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import structlog

from deftunes_cli import stages
from deftunes_cli.run_record import RunRecord, Step
from deftunes_cli.stages import StageCall
from deftunes_cli.workspace import Workspace
from deftunes_contract.allowances import NONE_ALLOWED, Allowances, checked
from deftunes_contract.errors import ExitCode, NothingToDo, StageError, UsageError
from deftunes_contract.interval import Interval
from deftunes_contract.names import clean_run_id
from deftunes_contract.provisional import running, utc_now
from deftunes_contract.registry import registry

ALL = "all"
"""`--pipeline all`: every pipeline of the registry."""


class Progress(Protocol):
    """Who is told of steps: a bar on a terminal, plain lines elsewhere."""

    def expect(self, steps: int) -> None:
        """How many steps there will be."""

    def begin(self, call: StageCall) -> None:
        """A step begins."""

    def end(self, step: Step) -> None:
        """A step ended."""


@dataclass(frozen=True)
class Plan:
    """What to run: pipelines, months oldest first, the run's id, and what the caller allows.

    provisional: those of the months that are not over.
    """

    pipelines: tuple[str, ...]
    months: tuple[Interval, ...]
    run_id: str
    allowances: Allowances = NONE_ALLOWED
    full_refresh: bool = False
    provisional: tuple[Interval, ...] = ()

    @property
    def entities(self) -> tuple[str, ...]:
        """All entities of the pipelines."""
        return tuple(entity for pipeline in self.pipelines for entity in registry().pipelines[pipeline])

    def extract(self, pipeline: str, month: Interval) -> StageCall:
        """The first step of a month."""
        return stages.extract(pipeline, month, self.run_id, self.allowances, month in self.provisional)


def execute(plan: Plan, home: Workspace, progress: Progress) -> RunRecord:
    """Run the plan; the saved record, whose exit_code is DONE or that of the first step that failed."""
    record = RunRecord(
        run_id=plan.run_id,
        pipelines=plan.pipelines,
        months=tuple(month.month for month in plan.months),
        provisional=tuple(month.month for month in plan.provisional),
        contract_digests={entity: registry().entity(entity).digest for entity in plan.entities},
        started_at=datetime.now(UTC),
    )
    record.save(home)
    progress.expect(len(plan.months) * len(plan.pipelines) * 4 + 1)
    published = _publish_all(plan, record, home, progress)
    if published:
        _step(stages.build(published, plan.allowances, plan.full_refresh), record, home, progress)
    failed = (step.exit_code for step in record.steps if step.exit_code not in (0, ExitCode.NOTHING_TO_DO))
    record.exit_code = next(failed, int(ExitCode.DONE))
    record.finished_at = datetime.now(UTC)
    record.save(home)
    return record


def _publish_all(plan: Plan, record: RunRecord, home: Workspace, progress: Progress) -> list[Interval]:
    """Bring every month as far as `main`; the months of which something was published, oldest first."""
    # One thread reads the sources ahead while Spark works on an earlier month; more would only fight for the cores.
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="extract") as ahead:
        deliveries = {
            (pipeline, month): ahead.submit(_timed, plan.extract(pipeline, month))
            for month in plan.months
            for pipeline in plan.pipelines
        }
        stages.warm_up()
        stopped: set[str] = set()
        published: list[Interval] = []
        for (pipeline, month), delivery in deliveries.items():
            if pipeline in stopped:
                delivery.cancel()
            elif _month(pipeline, month, delivery, plan, record, home, progress):
                published.append(month)
            else:
                stopped.add(pipeline)
                _cancel(future for (other, _), future in deliveries.items() if other == pipeline)
    return sorted(set(published))


def _cancel(futures: Iterable[Future[Step]]) -> None:
    for future in futures:
        future.cancel()


def _month(
    pipeline: str,
    month: Interval,
    delivery: Future[Step],
    plan: Plan,
    record: RunRecord,
    home: Workspace,
    show: Progress,
) -> bool:
    """Bring one month of one pipeline to `main`; whether it got there."""
    show.begin(plan.extract(pipeline, month))
    landed = delivery.result()
    _note(landed, record, home, show)
    if landed.exit_code:
        return False
    calls = (
        stages.transform(pipeline, month, plan.run_id),
        stages.quality(pipeline, month, plan.run_id, plan.allowances),
        stages.publish(pipeline, month, plan.run_id),
    )
    return all(_step(call, record, home, show) for call in calls)


def _step(call: StageCall, record: RunRecord, home: Workspace, progress: Progress) -> bool:
    progress.begin(call)
    step = _timed(call)
    _note(step, record, home, progress)
    return step.exit_code in (ExitCode.DONE, ExitCode.NOTHING_TO_DO)


def _note(step: Step, record: RunRecord, home: Workspace, progress: Progress) -> None:
    record.steps.append(step)
    record.save(home)
    progress.end(step)


def _timed(call: StageCall) -> Step:
    """Call a stage and say how it ended. Faults that nobody foresaw are logged with their trace and end with 1."""
    started, clock = datetime.now(UTC), time.monotonic()
    code, sentence = ExitCode.DONE, ""
    try:
        sentence = call.run()
    except NothingToDo as nothing:
        code, sentence = nothing.exit_code, str(nothing)
    except StageError as foreseen:
        code, sentence = foreseen.exit_code, str(foreseen)
    except Exception as bug:
        structlog.get_logger(call.stage).exception("a stage failed in a way nobody foresaw", argv=call.argv)
        code, sentence = ExitCode.BUG, f"{call.stage}: {bug!r}; please report it with the trace above"
    return Step(
        stage=call.stage,
        entities=call.entities,
        month=call.month,
        started_at=started,
        seconds=round(time.monotonic() - clock, 3),
        exit_code=int(code),
        sentence=sentence,
    )


def new_run_id(now: datetime, pid: int) -> str:
    """An id that two runs never share: the branches of concurrent runs must not meet."""
    return f"run-{now:%Y%m%dt%H%M%S}-{pid}"


def plan_of(
    pipeline: str,
    months: Sequence[Interval],
    run_id: str,
    allowances: Allowances,
    full_refresh: bool,
    partial: bool = False,
    now: datetime | None = None,
) -> Plan:
    """The plan for `--pipeline NAME` or `all`. now: with its zone, the machine's clock when not given.

    Raises UsageError when an allowance concerns nothing in it, or when a month is not over and `partial` is not given.
    """
    early = running(months, now or utc_now(), partial)
    plan = Plan(pipelines_of(pipeline), tuple(months), clean_run_id(run_id), allowances, full_refresh, early)
    checked(allowances, plan.entities, months)
    return plan


def pipelines_of(pipeline: str) -> tuple[str, ...]:
    """What `--pipeline` names: one of the registry's pipelines, or `all` of them. Raises UsageError."""
    known = tuple(registry().pipelines)
    if pipeline not in (*known, ALL):
        raise UsageError(f"--pipeline: expected {', '.join((*known, ALL))}, found {pipeline!r}")
    return known if pipeline == ALL else (pipeline,)
