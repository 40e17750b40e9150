"""What is asked of Airflow, what its answers become, and that every refusal says what to do."""

import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deftunes_cli.airflow import follow
from deftunes_contract.errors import RetryableError
from deftunes_contract.interval import Interval

MONTHS = ("--pipeline", "api", "--start", "2020-01-01", "--end", "2020-03-01")
BACKFILL = ("backfill", *MONTHS)
REFUSED = "users: 3 of 40 rows broke users_key; serving stays as it was (exit code 65)"
Stand = Any
Call = Any


def _succeed(stand: Stand) -> None:
    for run in stand.runs:
        if run["state"] in ("queued", "running"):
            run["state"] = "success"
            for task in ("extract_users", "quality_users"):
                stand.task(run, task, "success")


def _fail(stand: Stand, month: str, task: str, said: str = "") -> None:
    [run] = [one for one in stand.runs if (one["logical_date"] or "").startswith(month)]
    run["state"] = "failed"
    stand.task(run, "extract_users", "success")
    stand.task(run, task, "failed", said)
    stand.task(run, "publish", "upstream_failed")


def test_a_backfill_is_asked_for_in_airflows_dates_and_followed_to_its_success(stand: Stand, call: Call) -> None:
    def begin() -> None:
        stand.runs[0]["state"] = "running"
        stand.task(stand.runs[0], "extract_users", "running")
        stand.task(stand.runs[0], "quality_users", None)

    stand.script = [begin, lambda: _succeed(stand)]
    code, out, err = call(*BACKFILL)
    assert code == 0
    [asked] = stand.bodies("POST", "/backfills")
    assert asked == {
        "dag_id": "deftunes_api_pipeline_dag",
        "from_date": "2020-01-01T00:00:00Z",
        "to_date": "2020-02-01T00:00:00Z",  # the last month's beginning: Airflow includes it
        "reprocess_behavior": "none",
        "max_active_runs": 1,
    }
    assert out.splitlines() == [
        "2020-01  run backfill__2020-02-01T00:00:00+00:00  running",
        "2020-01  extract_users  running",
        "2020-02  run backfill__2020-03-01T00:00:00+00:00  queued",
        "2020-01  extract_users  success",
        "2020-01  quality_users  success",
        "2020-01  run backfill__2020-02-01T00:00:00+00:00  success",
        "2020-02  extract_users  success",
        "2020-02  quality_users  success",
        "2020-02  run backfill__2020-03-01T00:00:00+00:00  success",
    ]
    assert err.splitlines() == [
        "made backfill 7 of deftunes_api_pipeline_dag: 2020-01, 2020-02",
        "backfill 7 of deftunes_api_pipeline_dag: 2 of 2 runs succeeded",
    ]


@pytest.mark.parametrize(
    ("task", "said", "code"),
    [
        ("quality_users", REFUSED, 65),
        ("quality_users", "", 65),  # its log is gone: a gate that failed has most likely closed
        ("quality_users", "the pod was taken away (exit code 75, tried again)", 1),
        ("extract_users", "the API has no users for 2020-02 (exit code 65)", 65),
        ("dbt", "Out of memory (exit code 137)", 1),
        ("dbt", "", 1),
    ],
)
def test_the_exit_code_tells_refused_data_from_failures(
    task: str, said: str, code: int, stand: Stand, call: Call
) -> None:
    stand.script = [lambda: _fail(stand, "2020-02", task, said), lambda: _succeed(stand)]
    found, out, err = call(*BACKFILL)
    assert found == code
    assert f"2020-02  {task}  failed" in out
    assert "1 of 2 runs failed: 2020-02 " + (f"{task}: {said}" if said else task) in err
    assert err.rstrip().endswith(
        "deftunes airflow backfill --pipeline api --start 2020-01-01 --end 2020-03-01 --reprocess failed"
    )
    assert "publish" not in err  # what was not reached has not failed


def test_a_run_that_somebody_ended_is_a_failure(stand: Stand, call: Call) -> None:
    def cancel() -> None:
        for run in stand.runs:
            run["state"] = "failed"

    stand.script = [cancel]
    code, _, err = call(*BACKFILL)
    assert code == 1
    assert "2020-01 failed without a failed task: its run was marked, or its backfill cancelled" in err


def test_no_follow_only_makes_it(stand: Stand, call: Call) -> None:
    code, out, err = call(*BACKFILL, "--no-follow")
    assert (code, out) == (0, "")
    assert err == "made backfill 7 of deftunes_api_pipeline_dag: 2020-01, 2020-02\n"
    assert [run["state"] for run in stand.runs] == ["queued", "queued"]


def test_months_with_a_run_stay_unless_asked_for(stand: Stand, call: Call) -> None:
    stand.run("2020-01", "success")
    stand.run("2020-02", "failed")
    code, _, err = call(*BACKFILL)
    assert code == 99
    assert "2020-01 stays as it is: scheduled__2020-02-01T00:00:00+00:00 is success" in err
    assert "--reprocess failed or completed runs them again" in err
    assert stand.bodies("POST", "/backfills") == []

    stand.script = [lambda: None, lambda: _succeed(stand)]
    code, out, err = call(*BACKFILL, "--reprocess", "failed")
    assert code == 0
    assert "made backfill 7 of deftunes_api_pipeline_dag: 2020-02\n" in err
    assert "1 of 1 runs succeeded" in err
    assert "2020-01" not in out


def test_another_backfill_in_the_way_is_named(stand: Stand, call: Call) -> None:
    other = {"id": 3, "from_date": "2019-01-01T00:00:00Z", "to_date": "2019-06-01T00:00:00Z"}
    stand.backfills = [{**other, "is_paused": True, "completed_at": None}]
    code, _, err = call(*BACKFILL)
    assert code == 75
    assert re.search(r"a backfill under way, 3 \(2019-01 to 2019-06, paused\).* wait for it, or cancel it on http", err)
    assert err.rstrip().endswith("/dags/deftunes_api_pipeline_dag/backfills")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--start", "2020-01-02", "--end", "2020-03-01"), "--start 2020-01-02 cuts 2020-01; .* --start 2020-01-01"),
        (("--start", "2020-01-01", "--end", "2020-02-15"), "--end 2020-02-15 cuts 2020-02"),
        (("--start", "2020-03-01", "--end", "2020-01-01"), "expected --start before --end"),
        (("--start", "2020-01-01", "--end", "soon"), "--end: expected a date"),
        (("--start", "2199-01-01", "--end", "2199-03-01"), "expected months that are over, found 2199-01"),
    ],
)
def test_only_whole_months_that_are_over(words: tuple[str, ...], said: str, stand: Stand, call: Call) -> None:
    code, _, err = call("backfill", "--pipeline", "api", *words)
    assert code == 2
    assert re.search(said, err)
    assert stand.asked == []


def test_a_month_that_airflow_leaves_out_is_not_passed_over(stand: Stand, call: Call) -> None:
    code, _, err = call("backfill", "--pipeline", "api", "--start", "2020-11-01", "--end", "2021-02-01")
    assert code == 2
    assert "expected Airflow to run 2021-01, found neither a run nor a plan for it" in err
    assert stand.backfills == []


def test_a_paused_dag_is_said(stand: Stand, call: Call) -> None:
    stand.dags["deftunes_api_pipeline_dag"] = True
    code, _, err = call(*BACKFILL, "--no-follow")
    assert code == 0
    assert "deftunes_api_pipeline_dag is paused, so its runs wait; its switch is on http" in err


def test_trigger_makes_a_run_of_one_month_and_some_entities(stand: Stand, call: Call) -> None:
    stand.script = [lambda: None, lambda: _succeed(stand)]
    code, out, err = call("trigger", *MONTHS[:4], "--end", "2020-02-01", "--entities", "users")
    assert code == 0
    [asked] = stand.bodies("POST", "/dagRuns")
    assert re.fullmatch(r"manual__2020-01-01__\d{8}T\d{6}-[0-9a-f]{4}", asked.pop("dag_run_id"))
    conf = {"start": "2020-01-01", "end": "2020-02-01", "entities": ["users"]}
    assert asked == {"logical_date": None, "conf": conf}
    assert out.splitlines()[-1].startswith("2020-01  run manual__2020-01-01__")
    assert "1 of 1 runs succeeded" in err


def test_trigger_of_a_month_that_is_not_over_needs_the_flag(stand: Stand, call: Call) -> None:
    month = Interval.of_month(f"{datetime.now(UTC):%Y-%m}")
    words = ("trigger", "--pipeline", "api", "--start", str(month.start), "--end", str(month.end), "--no-follow")
    code, _, err = call(*words)
    assert (code, stand.asked) == (2, [])
    assert f"found {month.month}, which is not over" in err
    assert call(*words, "--partial")[0] == 0
    [asked] = stand.bodies("POST", "/dagRuns")
    assert asked["conf"] == {"start": str(month.start), "end": str(month.end), "partial": True}


def test_lifted_guards_travel_by_name(stand: Stand, call: Call) -> None:
    lifted = ("--allow-shrink", "sessions:2020-01", "--allow-source-change", "users")
    assert call("trigger", *MONTHS[:4], "--end", "2020-02-01", *lifted, "--no-follow")[0] == 0
    assert stand.bodies("POST", "/dagRuns")[0]["conf"]["allow"] == ["shrink=sessions:2020-01", "source-change=users"]
    assert call(*BACKFILL, "--no-follow", *lifted)[0] == 0
    allow = ["shrink=sessions:2020-01", "source-change=users"]
    assert stand.bodies("POST", "/backfills")[0]["dag_run_conf"] == {"allow": allow}


def test_trigger_of_maintenance_has_no_month(stand: Stand, call: Call) -> None:
    code, _, _ = call("trigger", "--pipeline", "maintenance", "--no-follow")
    assert code == 0
    assert stand.bodies("POST", "deftunes_maintenance_dag/dagRuns")[0]["conf"] == {}
    code, _, err = call("trigger", "--pipeline", "maintenance", "--start", "2020-01-01")
    assert (code, "expected nothing beside --pipeline maintenance" in err) == (2, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--pipeline", "api"), "--start: expected a date"),
        (MONTHS, "expected one calendar month"),
        ((*MONTHS[:4], "--end", "2020-02-01", "--entities", "songs"), "expected some of users, sessions, found songs"),
        ((*MONTHS[:4], "--end", "2020-02-01", "--allow-shrink", "songs"), "--allow-shrink songs: expected an entity"),
        ((*MONTHS[:4], "--end", "2020-02-01", "--allow-empty", "users:2020-02"), "expected an entity and a month of"),
    ],
)
def test_what_cannot_be_triggered(words: tuple[str, ...], said: str, stand: Stand, call: Call) -> None:
    code, _, err = call("trigger", *words)
    assert code == 2
    assert said in err
    assert stand.asked == []


def test_state_shows_the_latest_run_of_every_month(stand: Stand, call: Call) -> None:
    stand.run("2020-01", "success")
    failed = stand.run("2020-02", "failed")
    stand.task(failed, "quality_users", "failed", REFUSED)
    none = dict.fromkeys(("logical_date", "data_interval_start", "data_interval_end"))
    again = {"start": "2020-01-01", "end": "2020-02-01"}
    stand.run("2020-05", "running", "manual", dag_run_id="manual__x", conf=again, **none)
    stand.run("2020-05", "success", "manual", dag_run_id="manual__y", **none)  # by somebody else, about no month
    code, out, _ = call("state", "--pipeline", "api", "--json")
    assert code == 0
    assert json.loads(out) == [
        {
            "pipeline": "api", "start": "2020-01-01", "state": "running", "run_id": "manual__x", "seconds": None,
            "failed": [],
        },
        {
            "pipeline": "api", "start": "2020-02-01", "state": "failed", "run_id": failed["dag_run_id"],
            "seconds": 61.5, "failed": [{"task": "quality_users", "words": REFUSED}],
        },
    ]  # fmt: skip
    code, out, _ = call("state")
    assert code == 0
    assert out.splitlines()[0].split() == ["pipeline", "month", "state", "seconds", "run", "failed"]
    assert out.splitlines()[2].split(maxsplit=5)[:4] == ["api", "2020-02", "failed", "62"]
    assert out.rstrip().endswith(f"quality_users: {REFUSED}")


def test_state_reads_all_pages_and_a_run_cleared_anew_is_the_latest(stand: Stand, call: Call) -> None:
    for number in range(250):
        stand.run(f"{1990 + number // 12}-{number % 12 + 1:02d}", "success")
    stand.run("1990-01", "failed", "manual", dag_run_id="manual__later", start_date="2026-11-25T11:00:00Z")
    stand.runs[0] |= {"state": "queued", "queued_at": "2026-11-25T12:00:00Z"}  # keeps its old beginning
    code, out, _ = call("state", "--pipeline", "api", "--json")
    rows = json.loads(out)
    assert (code, len(rows)) == (0, 250)
    assert rows[0]["state"] == "queued"


def test_a_token_that_ended_is_renewed(stand: Stand, call: Call) -> None:
    stand.script = [stand.tokens.clear, lambda: None, lambda: _succeed(stand)]
    assert call(*BACKFILL)[0] == 0
    assert len([1 for method, path, _ in stand.asked if (method, path) == ("POST", "/auth/token")]) == 2


def test_a_wrong_password_is_a_usage_error_and_shown_nowhere(
    stand: Stand, call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text("not-this-one\n")
    monkeypatch.delenv("DEFTUNES_AIRFLOW_PASSWORD")
    monkeypatch.setenv("DEFTUNES_AIRFLOW_PASSWORD_FILE", str(file))
    code, out, err = call("state")
    assert code == 2
    assert "does not know admin with this password; correct DEFTUNES_AIRFLOW_USER" in err
    assert "not-this-one" not in out + err
    file.write_text("tr1ckle-down\n")
    assert call("state")[0] == 0


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"DEFTUNES_AIRFLOW_PASSWORD": ""}, "expected DEFTUNES_AIRFLOW_PASSWORD or .*_FILE, neither is set"),
        ({"DEFTUNES_AIRFLOW_PASSWORD_FILE": __file__}, "both are set"),
        ({"DEFTUNES_AIRFLOW_URL": "http://admin:hush@airflow"}, "without an account"),
    ],
)
def test_settings_that_cannot_be(
    environment: dict[str, str], said: str, stand: Stand, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    code, _, err = call("state")
    assert code == 2
    assert re.search(said, err)
    assert "hush" not in err


def test_no_server_is_temporary(call: Call, stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEFTUNES_AIRFLOW_URL", "http://127.0.0.1:1")
    code, _, err = call("state")
    assert code == 75
    assert "no answer from Airflow at http://127.0.0.1:1" in err
    assert "DEFTUNES_AIRFLOW_URL" in err


def test_a_server_that_is_no_airflow_is_a_usage_error(
    stand: Stand, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEFTUNES_AIRFLOW_URL", f"{os.environ['DEFTUNES_AIRFLOW_URL']}/elsewhere")
    code, _, err = call("state")
    assert code == 2
    assert "found 200 text/html; is DEFTUNES_AIRFLOW_URL the root of an Airflow 3?" in err


def test_a_dag_that_is_not_there(stand: Stand, call: Call) -> None:
    del stand.dags["deftunes_api_pipeline_dag"]
    for words in (BACKFILL, ("state",)):
        code, _, err = call(*words)
        assert code == 2
        assert "expected DAG deftunes_api_pipeline_dag in Airflow at http://127.0.0.1:" in err


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (400, 2, "answered 400 to POST http://127.0.0.1:[0-9]+/api/v2/backfills: said the stand-in"),
        (403, 2, "admin may not POST .* give the account a role that may"),
        (503, 75, "answered 503 to POST .*; try again"),
        (0, 75, "no answer from Airflow"),
    ],
)
def test_refusals_of_a_backfill(status: int, code: int, said: str, stand: Stand, call: Call) -> None:
    stand.faults = [("POST", "/backfills", status)] * 2  # a 403 is asked again with a new token
    found, _, err = call(*BACKFILL)
    assert found == code
    assert re.search(said, err)
    assert len(stand.bodies("POST", "/backfills")) == (2 if status == 403 else 1)  # a lost answer may have been a yes


def test_a_restart_of_the_server_does_not_end_the_following(stand: Stand, call: Call) -> None:
    stand.script = [lambda: stand.faults.extend([("GET", "/dagRuns", 0), ("GET", "/dagRuns", 503)])]
    stand.script += [lambda: _succeed(stand)]
    assert call(*BACKFILL)[0] == 0
    assert stand.faults == []


def test_a_server_that_stays_away_ends_the_following_and_says_that_the_runs_go_on(stand: Stand, call: Call) -> None:
    stand.script = [lambda: stand.faults.extend([("GET", "/dagRuns", 503)] * 10)]
    code, _, err = call(*BACKFILL)
    assert code == 75
    assert "try again; backfill 7 of deftunes_api_pipeline_dag goes on; deftunes airflow state tells how" in err


def test_ctrl_c_leaves_the_runs_alone(stand: Stand, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    # not time.sleep itself: other threads of this process sleep too, and would be interrupted in its stead
    monkeypatch.setattr(follow, "time", SimpleNamespace(sleep=interrupted))
    code, _, err = call(*BACKFILL)
    assert code == RetryableError.exit_code
    assert "stopped following; backfill 7 of deftunes_api_pipeline_dag goes on" in err
    assert [run["state"] for run in stand.runs] == ["queued", "queued"]
    assert not [path for method, path, _ in stand.asked if "cancel" in path]


@pytest.mark.parametrize("command", ["backfill", "trigger", "state"])
def test_every_help_has_an_example(command: str, call: Call) -> None:
    code, out, _ = call(command, "--help")
    assert code == 0
    assert f"deftunes airflow {command}" in out.split("Examples:", 1)[1]
