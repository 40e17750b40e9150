"""The order and the consequences of steps: what runs, what stops, what is still served, which code comes out.

The stages are replaced by recorders here; tests/system runs the real ones.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from contract_texts import PAYMENTS

from deftunes_cli import run as runs
from deftunes_cli import stages
from deftunes_cli.demo import reachable
from deftunes_cli.run_record import RunRecord, Step, last_record
from deftunes_cli.stages import StageCall
from deftunes_cli.workspace import Workspace, export_defaults, workspace_of
from deftunes_contract.allowances import Allowance, Allowances, Guard
from deftunes_contract.errors import DataRejected, ExitCode, NothingToDo, RetryableError, UsageError
from deftunes_contract.interval import Interval
from deftunes_contract.names import clean_run_id
from deftunes_contract.registry import registry

JANUARY = Interval.parse("2020-01-01", "2020-02-01")
MONTHS = [JANUARY, JANUARY.following]
ALLOWED = Allowances([Allowance(Guard.EMPTY, "songs", "2020-02")])


class Silent:
    """Nobody is told."""

    def expect(self, steps: int) -> None: ...

    def begin(self, call: StageCall) -> None: ...

    def end(self, step: Step) -> None: ...


Run = Callable[..., tuple[RunRecord, list[str]]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    def go(faults: dict[tuple[str, str, str], Exception], pipeline: str = "all") -> tuple[RunRecord, list[str]]:
        called: list[str] = []

        def run(call: StageCall) -> str:
            called.append(" ".join((call.stage, *call.argv)))
            fault = faults.get((call.stage, ",".join(call.entities), call.month or ""))
            if fault:
                raise fault
            return f"{call.stage} done"

        monkeypatch.setattr(StageCall, "run", run)
        monkeypatch.setattr(stages, "warm_up", lambda: None)
        plan = runs.plan_of(pipeline, MONTHS, "r1", ALLOWED, False)
        return runs.execute(plan, Workspace(tmp_path), Silent()), called

    return go


def _stages(record: RunRecord) -> list[str]:
    return [f"{s.month or 'all'} {s.stage} {','.join(s.entities)}".strip() for s in record.steps]


def test_every_month_goes_through_every_stage_and_is_served_once(run: Run) -> None:
    record, called = run({})
    expected = [
        f"{month} {stage} {entities}"
        for month in ("2020-01", "2020-02")
        for entities in ("songs", "users,sessions")
        for stage in ("extract", "transform", "quality", "publish")
    ]
    assert _stages(record) == [*expected, "all dbt"]
    assert record.exit_code == ExitCode.DONE
    assert "dbt build --start 2020-01-01 --end 2020-03-01" in called
    assert "publish publish users sessions --start 2020-01-01 --end 2020-02-01 --run-id r1" in called
    assert "extract songs --start 2020-02-01 --end 2020-03-01 --run-id r1 --allow-empty songs:2020-02" in called
    assert "extract songs --start 2020-01-01 --end 2020-02-01 --run-id r1" in called
    assert "extract users sessions --start 2020-02-01 --end 2020-03-01 --run-id r1" in called


def test_a_closed_gate_stops_its_pipeline_and_what_was_published_is_served(run: Run) -> None:
    record, called = run({("quality", "users,sessions", "2020-02"): DataRejected("price_max failed on 3 rows")})
    assert record.exit_code == ExitCode.REFUSED
    assert "2020-02 publish users,sessions" not in _stages(record)
    assert "2020-02 publish songs" in _stages(record)
    assert _stages(record)[-1] == "all dbt"
    assert any(step.sentence == "price_max failed on 3 rows" for step in record.steps)
    assert "dbt build --start 2020-01-01 --end 2020-03-01" in called


def test_a_source_that_is_away_stops_its_pipeline_only(run: Run) -> None:
    record, _ = run({("extract", "users,sessions", "2020-01"): RetryableError("no answer")})
    assert record.exit_code == ExitCode.TEMPORARY
    assert not [s for s in _stages(record) if "sessions" in s and "extract" not in s]
    assert "2020-02 publish songs" in _stages(record)


def test_nothing_published_means_nothing_served(run: Run) -> None:
    record, _ = run({("quality", "songs", "2020-01"): DataRejected("no")}, pipeline="songs")
    assert _stages(record)[-1] == "2020-01 quality songs"


def test_nothing_to_do_is_no_failure(run: Run) -> None:
    record, _ = run({("publish", "songs", "2020-01"): NothingToDo("published already")}, pipeline="songs")
    assert record.exit_code == ExitCode.DONE
    assert _stages(record)[-1] == "all dbt"


def test_an_unforeseen_fault_is_a_bug_and_is_recorded(run: Run) -> None:
    record, _ = run({("transform", "songs", "2020-01"): RuntimeError("boom")}, pipeline="songs")
    assert record.exit_code == ExitCode.BUG
    assert "boom" in record.steps[-1].sentence


def test_the_record_is_saved_as_it_goes_and_found_again(run: Run, tmp_path: Path) -> None:
    record, _ = run({})
    assert last_record(Workspace(tmp_path)) == record
    assert record.finished_at is not None


def test_no_record_before_the_first_run(tmp_path: Path) -> None:
    assert last_record(Workspace(tmp_path)) is None


def test_the_home_names_its_lake_unless_the_caller_named_another(tmp_path: Path) -> None:
    home = workspace_of({"DEFTUNES_HOME": str(tmp_path)})
    environment = {"DEFTUNES_LAKE": "s3://bucket/lake"}
    export_defaults(home, environment)
    assert environment == {"DEFTUNES_LAKE": "s3://bucket/lake", "DEFTUNES_SERVING": f"{tmp_path}/lake/serving.duckdb"}
    assert workspace_of({}).root == Path(".deftunes").absolute()


@pytest.mark.parametrize("argv", [["run"], ["run", "--start", "2020-01-02", "--end", "2020-03-01"], ["fly"]])
def test_wrong_usage_ends_with_2(argv: Sequence[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from deftunes_cli.__main__ import main

    monkeypatch.setenv("DEFTUNES_HOME", str(tmp_path))
    assert main(list(argv)) == ExitCode.USAGE


@pytest.mark.parametrize("run_id", ["../../x", "/etc/x", "A b"])
def test_a_run_id_is_cleaned_before_it_names_a_file(run_id: str, tmp_path: Path) -> None:
    plan = runs.plan_of("api", [Interval.parse("2020-01-01", "2020-02-01")], run_id, Allowances(), False)
    record = RunRecord(run_id=plan.run_id, pipelines=(), months=(), started_at=datetime.now(UTC))
    assert record.save(Workspace(tmp_path / "a/home")).parent == tmp_path / "a/home/runs"
    assert plan.run_id == clean_run_id(run_id)
    with pytest.raises(DataRejected, match="run id"):
        RunRecord(run_id=run_id, pipelines=(), months=(), started_at=datetime.now(UTC)).save(
            Workspace(tmp_path / "a/home")
        )
    assert [file.name for file in tmp_path.rglob("*.json")] == [f"{plan.run_id}.json"]


def test_the_demo_leaves_out_pipelines_whose_sources_it_does_not_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "payments.yaml").write_text(PAYMENTS, encoding="utf-8")
    monkeypatch.setenv("DEFTUNES_CONTRACTS", str(tmp_path))
    world = {"DEFTUNES_API_URL": "http://127.0.0.1:1", "DEFTUNES_SONGS_DSN": "postgresql://127.0.0.1:1/x"}
    every = runs.pipelines_of(runs.ALL)
    assert set(every) == {"songs", "api", "payments"}
    assert reachable(every, world) == tuple(name for name in every if name != "payments")
    assert reachable(every, world | {"DEFTUNES_PAY_URL": "http://127.0.0.1:2"}) == every


def test_a_run_record_holds_the_digest_of_each_contract(run: Run) -> None:
    record, _ = run({})
    assert record.contract_digests == {name: registry().entity(name).digest for name in ("songs", "users", "sessions")}


def test_an_unknown_pipeline_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UsageError, match="expected songs, api, all, found 'friends'"):
        runs.pipelines_of("friends")
