"""Taking a month back on both sides: the lake's published tables, then the serving tables that are made of them.

    before_<D> ─► partition D of main, facts first ─► dbt build of the month ─► serving

What protects the readers: each side changes in one step of its own (a commit per table, one rename or one transaction),
and serving is only ever built from what the lake shows. A rollback that was killed in between, or whose build failed,
is finished by calling it again: the lake then has nothing to take back, and the build runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from deftunes_cli import stages
from deftunes_cli.stages import StageCall
from deftunes_contract.allowances import Allowances
from deftunes_contract.errors import NothingToDo, StageError
from deftunes_contract.interval import Interval
from deftunes_contract.registry import registry


@dataclass(frozen=True)
class RollbackResult:
    """What a rollback did: a sentence of the lake, and one of serving. `moved` tells whether the lake changed."""

    lake: str
    serving: str
    moved: bool


def rollback_month(pipelines: Sequence[str], month: Interval, begin: Callable[[StageCall], None]) -> RollbackResult:
    """Roll a month back to what it showed before it was last published; serving follows.

    `begin` is told of each step. Raises StageError of the step that failed, with what stands now in its sentence.
    """
    entities = tuple(entity for pipeline in pipelines for entity in registry().pipelines[pipeline])
    lake = stages.rollback(entities, month)
    begin(lake)
    moved = True
    try:
        said = lake.run()
    except NothingToDo as nothing:
        said, moved = str(nothing), False
    serving = stages.build([month], Allowances(), full_refresh=False)
    begin(serving)
    try:
        return RollbackResult(said, serving.run(), moved)
    except StageError as error:
        raise type(error)(f"the lake: {said}. Serving still shows the state before: {error}") from error
