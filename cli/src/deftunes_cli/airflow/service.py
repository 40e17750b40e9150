"""Make a backfill or a run by hand, and list what ran: one function for each command.

Airflow's interval is the CLI's: a run's logical date is the first day of its month. Airflow's backfills include their
last date, `--end` is outside, hence the first day of the last month is what is sent.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from enum import StrEnum

from deftunes_cli.airflow import runs as read
from deftunes_cli.airflow.client import AirflowClient, AlreadyExists, Json, NotFound, Timeouts, quote_path
from deftunes_cli.airflow.follow import Follower, Say
from deftunes_cli.airflow.settings import AirflowSettings
from deftunes_contract.allowances import NONE_ALLOWED, Allowances, checked
from deftunes_contract.errors import NothingToDo, RetryableError, UsageError
from deftunes_contract.interval import Interval, parse_day
from deftunes_contract.provisional import is_over, running, utc_now
from deftunes_contract.registry import registry

MAINTENANCE = "maintenance"
"""`--pipeline maintenance`: runs of the maintenance's DAG, which have no month."""


class Reprocess(StrEnum):
    """Which months a backfill runs again, of those that have a run; Airflow's words."""

    NONE = "none"
    FAILED = "failed"
    COMPLETED = "completed"


_AGAIN = {
    Reprocess.NONE: "--reprocess failed or completed runs them again",
    Reprocess.FAILED: "--reprocess completed runs them again",
    Reprocess.COMPLETED: "they are under way: deftunes airflow state",
}


def months_of(start: str, end: str) -> list[Interval]:
    """The whole months of `[start, end)` in argv, which must be over. Raises UsageError."""
    first, after = parse_day(start, "--start"), parse_day(end, "--end")
    if first.day != 1:
        raise UsageError(
            f"--start {first} cuts {first:%Y-%m}; intervals are whole months, e.g. --start {first.replace(day=1)}"
        )
    months = list(Interval.months(first, after))
    if early := [month for month in months if not is_over(month, utc_now())]:
        raise UsageError(
            f"expected months that are over, found {early[0].month}, which ends with {early[0].last_day} (UTC); "
            f"the last that may be asked for ends with --end {early[0].start}"
        )
    return months


def entities_of(pipeline: str, *others: str) -> tuple[str, ...]:
    """The entities of a pipeline. others: what else could have been named. Raises UsageError for an unknown name."""
    known = registry().pipelines
    if pipeline not in known:
        raise UsageError(f"--pipeline: expected {', '.join((*sorted(known), *others))}, found {pipeline!r}")
    return known[pipeline]


@contextmanager
def connect(settings: AirflowSettings, timeouts: Timeouts | None = None) -> Iterator[AirflowClient]:
    """The Airflow of the settings. Raises UsageError when their password cannot be read; nothing is asked yet."""
    import httpx  # a tenth of a second to import: `deftunes --help` must not pay for it

    with httpx.Client(base_url=settings.url) as client:
        yield AirflowClient(client, settings.user, settings.password, timeouts)


def dag_id(pipeline: str) -> str:
    """The DAG of a pipeline."""
    return f"deftunes_{pipeline}_dag" if pipeline == MAINTENANCE else f"deftunes_{pipeline}_pipeline_dag"


def backfill(
    airflow: AirflowClient,
    pipeline: str,
    months: Sequence[Interval],
    reprocess: Reprocess,
    say: Say,
    allowances: Allowances = NONE_ALLOWED,
) -> Follower:
    """Make one backfill of whole months, one at a time; what follows it.

    Raises UsageError (no such DAG), NothingToDo (all of them have runs that stay), RetryableError
    (another backfill is under way).
    """
    entities_of(pipeline)
    dag, first, last = _dag(airflow, pipeline, say), months[0].start, months[-1].start
    body = {
        "dag_id": dag,
        "from_date": _moment(first),
        "to_date": _moment(last),
        "reprocess_behavior": reprocess,
        # a month is compared with the published one before it, and the DAGs take one run at a time anyway
        "max_active_runs": 1,
    }
    if conf := _allow(allowances, pipeline, months):
        body["dag_run_conf"] = conf
    planned = {_day(one["logical_date"]) for one in airflow.post("/backfills/dry_run", body)["backfills"]}
    _explain(airflow, dag, [month for month in months if month.start not in planned], say)
    if not planned:
        raise NothingToDo(
            f"{dag}: every month of {first} to {months[-1].end} has a run, which stays; {_AGAIN[reprocess]}"
        )
    try:
        made = airflow.post("/backfills", body)
    except AlreadyExists:
        raise RetryableError(_in_the_way(airflow, dag)) from None
    name = f"backfill {made['id']} of {dag}"
    say(f"made {name}: {', '.join(f'{day:%Y-%m}' for day in sorted(planned))}")

    def ask() -> list[Json]:
        found = _runs_between(airflow, dag, first, last, following=True)
        return [run for run in found if _day(run["logical_date"]) in planned]

    again = f"--pipeline {pipeline} --start {first} --end {months[-1].end} --reprocess failed"
    return Follower(airflow, name, ask, f"Mend the cause, then: deftunes airflow backfill {again}")


def _allow(allowances: Allowances, pipeline: str, months: Sequence[Interval]) -> Json:
    """The DAGs' parameter for lifted guards. Raises UsageError when one concerns nothing in the run."""
    given = checked(allowances, registry().pipelines[pipeline], months)
    return {"allow": [f"{one.guard}={one.argv[1]}" for one in sorted(given, key=str)]} if given else {}


def trigger(
    airflow: AirflowClient,
    pipeline: str,
    start: str,
    end: str,
    entities: Sequence[str],
    say: Say,
    partial: bool = False,
    allowances: Allowances = NONE_ALLOWED,
) -> Follower:
    """Make one run by hand, of one month and of some of the pipeline's entities (none named: all); what follows it.

    partial: the month may still be running. Raises UsageError (no such DAG, not one month, a month that is not over,
    entities that the pipeline does not carry).
    """
    conf: Json = {}
    carried = () if pipeline == MAINTENANCE else entities_of(pipeline, MAINTENANCE)
    if pipeline == MAINTENANCE:
        if start or end or entities or partial or allowances:
            raise UsageError("expected nothing beside --pipeline maintenance: it tends all tables and has no month")
    else:
        month = Interval.parse(start, end)
        conf = {"start": str(month.start), "end": str(month.end), **_allow(allowances, pipeline, [month])}
        if running([month], utc_now(), partial):
            conf["partial"] = True
    if strange := sorted(set(entities) - set(carried)):
        raise UsageError(f"--entities: expected some of {', '.join(carried)}, found {', '.join(strange)}")
    if entities:
        conf["entities"] = [one for one in carried if one in entities]
    dag = _dag(airflow, pipeline, say)
    # the time for people, the rest so that two of them in one second are two
    run_id = f"manual__{conf.get('start', 'now')}__{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"
    run = airflow.post(f"/dags/{quote_path(dag)}/dagRuns", {"dag_run_id": run_id, "logical_date": None, "conf": conf})
    name = f"run {run['dag_run_id']} of {dag}"
    say(f"made {name}")
    again = "Mend the cause, then call this again, or clear the failed task on Airflow's pages"
    return Follower(airflow, name, lambda: [airflow.get(read.path_of(run), following=True)], again)


def state(airflow: AirflowClient, pipeline: str = "") -> list[read.Row]:
    """The latest run of every month of a pipeline (none named: of all), oldest month first.

    Raises UsageError when there is no such pipeline or its DAG is not there.
    """
    if pipeline:
        entities_of(pipeline)
    rows = []
    for name in [pipeline] if pipeline else sorted(registry().pipelines):
        dag = _dag(airflow, name, lambda _: None)
        found = read.latest(airflow.pages(f"/dags/{quote_path(dag)}/dagRuns", "dag_runs", order_by="id"))
        rows += [read.row_of(airflow, name, month, run) for month, run in found.items()]
    return rows


def _dag(airflow: AirflowClient, pipeline: str, say: Say) -> str:
    dag = dag_id(pipeline)
    try:
        found = airflow.get(f"/dags/{quote_path(dag)}")
    except NotFound:
        raise UsageError(
            f"expected DAG {dag} in Airflow at {airflow.url}, found none; is it the Airflow of the chart, and are its "
            "DAGs read (import errors are on its first page)?"
        ) from None
    if found["is_paused"]:
        say(f"{dag} is paused, so its runs wait; its switch is on {airflow.url}/dags/{dag}")
    return dag


def _explain(airflow: AirflowClient, dag: str, left: Sequence[Interval], say: Say) -> None:
    """Say why months are left as they are. Raises UsageError for a month that Airflow would not run."""
    if not left:
        return
    found = {_day(run["logical_date"]): run for run in _runs_between(airflow, dag, left[0].start, left[-1].start)}
    if unplanned := [month.month for month in left if month.start not in found]:
        raise UsageError(
            f"expected Airflow to run {', '.join(unplanned)}, found neither a run nor a plan for it; is {dag}'s "
            "schedule the first of each month, UTC, with data intervals?"
        )
    for month in left:
        run = found[month.start]
        say(f"{month.month} stays as it is: {run['dag_run_id']} is {run['state']}")


def _in_the_way(airflow: AirflowClient, dag: str) -> str:
    page = airflow.get("/backfills", dag_id=dag, order_by="-id", limit=20)
    for other in page["backfills"]:
        if not other["completed_at"]:
            span = f"{other['from_date'][:7]} to {other['to_date'][:7]}{', paused' if other['is_paused'] else ''}"
            return (
                f"{dag} has a backfill under way, {other['id']} ({span}), and takes one at a time; wait for it, or "
                f"cancel it on {airflow.url}/dags/{dag}/backfills"
            )
    return f"{dag} had a backfill under way, which has ended meanwhile; try again"


def _runs_between(airflow: AirflowClient, dag: str, first: date, last: date, *, following: bool = False) -> list[Json]:
    between = {"logical_date_gte": _moment(first), "logical_date_lte": _moment(last), "order_by": "logical_date"}
    return list(airflow.pages(f"/dags/{quote_path(dag)}/dagRuns", "dag_runs", following=following, **between))


def _moment(day: date) -> str:
    return f"{day}T00:00:00Z"


def _day(moment: str) -> date:
    return datetime.fromisoformat(moment).astimezone(UTC).date()
