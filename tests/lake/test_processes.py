"""Several processes on one lake, and processes that are killed: no lost rows, no doubled rows, no mixture."""

from __future__ import annotations

from collections.abc import Callable

from lake_cases import FEBRUARY, JANUARY, LakeCase
from lake_worker import Worker

from deftunes_contract.layout import branch
from deftunes_lake.iceberg_java import load_table
from deftunes_lake.snapshots import branch_head, refs_of

NewWorker = Callable[[], Worker]
MONTHS = [f"20{year}-01-01" for year in range(30, 38)]
LOST_A_RACE = ("trying again in", "Retrying task after failure")


def test_two_processes_race(case: LakeCase, new_worker: NewWorker) -> None:
    """One pair of processes, three races: it costs seconds to start them."""
    case.table("users")
    workers = [new_worker(), new_worker()]
    _eight_stagers(case, workers)
    _two_runs_of_one_interval(case, workers)
    _two_intervals(case, workers)


def _eight_stagers(case: LakeCase, workers: list[Worker]) -> None:
    for number, worker in enumerate(workers):
        orders = [
            ("stage_and_gate", {"entity": "users", "rows": 3 + i, "ingest_on": MONTHS[i], "run_id": "crowd"})
            for i in range(number, 8, 2)
        ]
        worker.begin("together", orders=orders)
    snapshots = [snapshot for worker in workers for snapshot in worker.end()]
    assert all(isinstance(snapshot, int) for snapshot in snapshots), snapshots
    branches = refs_of(load_table(case.spark, case.table("users"))).branches
    assert sorted(branches.values()) == sorted([*snapshots, branches["main"]])
    assert [case.at("users", branches[f"run_crowd_{m.replace('-', '')}"])[m][0] for m in MONTHS] == list(range(3, 11))
    # without a collision this would have proved nothing
    assert any(line in worker.log.read_text() for worker in workers for line in LOST_A_RACE)
    # and now four of them become public at once
    for number, worker in enumerate(workers):
        orders = [
            ("publish", {"entities": ["users"], "ingest_on": MONTHS[i], "run_id": "crowd"}) for i in range(number, 4, 2)
        ]
        worker.begin("together", orders=orders)
    for worker in workers:
        assert all("changed=True" in answer for answer in worker.end())
    public = {month: rows for month, (rows, *_) in case.public("users").items()}
    assert public == dict(zip(MONTHS[:4], range(3, 7), strict=True))


def _two_runs_of_one_interval(case: LakeCase, workers: list[Worker]) -> None:
    contents = []
    for run, rows in (("a", 5), ("b", 9)):
        contents.append(case.at("users", case.stage_and_gate("users", rows, JANUARY, run))["2020-02-01"])
    for worker, run in zip(workers, ("a", "b"), strict=True):
        worker.begin("publish", entities=["users"], ingest_on="2020-02-01", run_id=run)
    assert all("changed=True" in worker.end() for worker in workers)
    shown = case.public("users")["2020-02-01"]
    assert shown in contents
    assert case.tag_is_true("users", JANUARY)
    # the other was public for a moment: rolling back shows it
    case.rollback(["users"], JANUARY)
    assert case.public("users")["2020-02-01"] in contents
    assert case.public("users")["2020-02-01"] != shown
    assert case.tag_is_true("users", JANUARY)


def _two_intervals(case: LakeCase, workers: list[Worker]) -> None:
    for month in (JANUARY, FEBRUARY):
        case.stage_and_gate("users", month.month, month, "pair")
    for worker, month in zip(workers, (JANUARY, FEBRUARY), strict=True):
        worker.begin("publish", entities=["users"], ingest_on=str(month), run_id="pair")
    assert all("changed=True" in worker.end() for worker in workers)
    public = case.public("users")
    assert (public["2020-02-01"][0], public["2020-03-01"][0]) == (2, 3)


def test_a_publish_killed_between_tables_is_finished_by_the_next(case: LakeCase, new_worker: NewWorker) -> None:
    staged = {entity: case.at(entity, case.stage_and_gate(entity, 5)) for entity in ("users", "sessions")}
    worker = new_worker()
    worker.dies(
        "publish", entities=["users", "sessions"], ingest_on="2020-02-01", run_id="one",
        die=["publish", "retry_on_conflict", 1],
    )  # fmt: skip
    assert case.public("users") == staged["users"]
    assert case.public("sessions") == {}, "facts last"
    case.publish(["users", "sessions"])
    assert {entity: case.public(entity) for entity in staged} == staged
    assert case.tag_is_true("users", JANUARY)
    assert case.tag_is_true("sessions", JANUARY)


def test_kills_in_the_middle_of_a_table(case: LakeCase, new_worker: NewWorker) -> None:
    """Before main moves, with the gated rows already put onto the new main; and while staging, branch begun."""
    january = case.at("users", case.stage_and_gate("users", 5, JANUARY, "a"))
    february = case.at("users", case.stage_and_gate("users", 4, FEBRUARY, "b"))
    case.publish(["users"], FEBRUARY, "b")
    new_worker().dies("publish", entities=["users"], ingest_on="2020-02-01", run_id="a", die=["refs", "update_refs", 0])
    assert case.public("users") == february
    case.publish(["users"], JANUARY, "a")
    assert case.public("users") == january | february
    assert refs_of(load_table(case.spark, case.table("users"))).branches.keys() == {"main"}

    new_worker().dies(
        "stage", entity="users", rows=6, ingest_on="2020-02-01", run_id="c", die=["staging", "_overwrite", 0]
    )
    assert branch_head(case.spark, case.table("users"), branch("c", JANUARY)) is not None
    content = case.at("users", case.stage_and_gate("users", 6, JANUARY, "c"))
    case.publish(["users"], JANUARY, "c")
    assert case.public("users") == content
