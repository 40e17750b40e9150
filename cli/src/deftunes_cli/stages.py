"""The stages as `deftunes` calls them: in this process, with the arguments that anybody would type.

Imports happen late: pyspark, Great Expectations and dbt cost seconds, and `deftunes --help` needs none of them.
`warm_up` pays them while the first extract runs.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from deftunes_contract.allowances import GUARDS, Allowances
from deftunes_contract.interval import Interval
from deftunes_contract.provisional import FLAG as PARTIAL
from deftunes_contract.registry import registry


@dataclass(frozen=True)
class StageCall:
    """One call of a stage: where its `run` is, and its arguments."""

    stage: str
    module: str
    entities: tuple[str, ...]
    argv: tuple[str, ...]
    month: str | None

    def run(self) -> str:
        """Run the stage; its sentence. Raises StageError."""
        run: Callable[[Sequence[str]], str] = importlib.import_module(self.module).run
        return run(self.argv)


def extract(pipeline: str, month: Interval, run_id: str, allowances: Allowances, partial: bool = False) -> StageCall:
    """Sources → landing zone. partial: the month may not be over."""
    entities = registry().pipelines[pipeline]
    allowed = allowances.select(GUARDS["extract"], entities, [month.month])
    flags = (*allowed.argv, *([PARTIAL] if partial else []))
    return _call("extract", "deftunes_extract.__main__", (), entities, month, run_id, flags)


def transform(pipeline: str, month: Interval, run_id: str) -> StageCall:
    """Landing zone → branch and quarantine."""
    return _call("transform", "deftunes_transform.__main__", (), registry().pipelines[pipeline], month, run_id)


def quality(pipeline: str, month: Interval, run_id: str, allowances: Allowances) -> StageCall:
    """The gate."""
    entities = registry().pipelines[pipeline]
    allowed = allowances.select(GUARDS["quality"], entities, [month.month])
    return _call("quality", "deftunes_quality.__main__", (), entities, month, run_id, allowed.argv)


def publish(pipeline: str, month: Interval, run_id: str) -> StageCall:
    """Branch → main."""
    return _call("publish", "deftunes_lake.__main__", ("publish",), registry().pipelines[pipeline], month, run_id)


def rollback(entities: Sequence[str], month: Interval) -> StageCall:
    """Main of a month → what it was before it was last published."""
    when = ("--start", str(month.start), "--end", str(month.end))
    return StageCall("rollback", "deftunes_lake.__main__", tuple(entities), ("rollback", *entities, *when), month.month)


def build(months: Sequence[Interval], allowances: Allowances, full_refresh: bool) -> StageCall:
    """Main → serving, all published months in one build: start-up is paid once."""
    allowed = allowances.select(GUARDS["dbt"], registry().names, [month.month for month in months])
    argv = ["build", "--start", str(months[0].start), "--end", str(months[-1].end), *allowed.argv]
    if full_refresh:
        argv.append("--full-refresh")
    return StageCall("dbt", "deftunes_serving.__main__", (), tuple(argv), None)


def _call(
    stage: str,
    module: str,
    verb: tuple[str, ...],
    entities: tuple[str, ...],
    month: Interval,
    run_id: str,
    flags: Sequence[str] = (),
) -> StageCall:
    when = ("--start", str(month.start), "--end", str(month.end), "--run-id", run_id)
    return StageCall(stage, module, entities, (*verb, *entities, *when, *flags), month.month)


def warm_up() -> None:
    """Import the heavy packages, and let the JVM start in the background meanwhile.

    The imports run here, one after the other, while extract reads its sources in another thread: two threads that
    import pyspark's circular modules at the same time can see half of one.
    """
    for stage in ("deftunes_lake.__main__", "deftunes_transform.__main__", "deftunes_quality.__main__"):
        importlib.import_module(stage)
    threading.Thread(target=_open_session, name="warm-up-spark", daemon=True).start()
    for heavy in ("deftunes_quality.validate", "deftunes_serving.build", "dbt.cli.main", "dbt.adapters.duckdb"):
        importlib.import_module(heavy)


def _open_session() -> None:
    from deftunes_contract.errors import StageError
    from deftunes_contract.settings import from_environment
    from deftunes_lake.session import open_session
    from deftunes_lake.settings import SparkSettings

    # the first stage that needs Spark meets the same fault and reports it
    with suppress(StageError):
        open_session(from_environment(SparkSettings))
