"""A month that was read before its end is called provisional wherever its figures are shown, until it is run again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from deftunes_cli import run as runs
from deftunes_cli.__main__ import main
from deftunes_cli.dashboard import write_dashboard
from deftunes_cli.run_record import RunRecord
from deftunes_cli.status import status_of
from deftunes_cli.summary import render_run
from deftunes_cli.verification_table import render
from deftunes_contract.allowances import NONE_ALLOWED
from deftunes_contract.errors import UsageError
from deftunes_contract.interval import Interval
from deftunes_serving.verify import verification, verify

JANUARY = Interval(date(2020, 1, 1), date(2020, 2, 1))
EARLY = datetime(2020, 1, 20, tzinfo=UTC)


@pytest.fixture
def provisional(bare_platform: Any, make_users: Callable[..., Any]) -> Any:
    """January's users, landed and published before the month was over."""
    month = make_users(JANUARY, ("Ann", "Bob"), 0)
    bare_platform.publish("users", JANUARY, month, bare_platform.land("users", JANUARY, month, partial=True))
    return bare_platform


def printed(show: Callable[[Console], None]) -> str:
    out = StringIO()
    show(Console(file=out, width=200))
    return " ".join(out.getvalue().split())


def test_verify_says_so_and_reconciles(provisional: Any) -> None:
    found = verify(provisional.settings, provisional.serving)
    assert {fault.hop for fault in found.faults} == {"serving"}, "no serving file was made; nothing else is wrong"
    assert [check.provisional for check in found.intervals] == [True]
    assert found.provisional == (
        "users 2020-01: provisional: read before the month was over, which it is now; "
        "run it again: deftunes run --start 2020-01-01 --end 2020-02-01",
    )
    text = printed(lambda console: render(found, console))
    assert found.provisional[0] in text
    assert json.loads(found.to_json())["intervals"][0]["provisional"] is True


def test_verify_follows_the_clock(provisional: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "utc_now", lambda: EARLY)
    (sentence,) = verify(provisional.settings, provisional.serving).provisional
    assert "the month is not over; run it again from 2020-02-01 on" in sentence


def test_status_says_so(provisional: Any) -> None:
    found = status_of(provisional.home, provisional.settings, provisional.serving)
    assert [one.provisional for one in found.intervals] == [True]
    assert json.loads(found.to_json())["intervals"][0]["provisional"] is True
    text = printed(found.render)
    assert "published, provisional" in text
    assert "2020-01 is provisional: read before the month was over" in text


def test_the_same_records_read_after_the_end_are_another_delivery(
    provisional: Any, make_users: Callable[..., Any]
) -> None:
    month = make_users(JANUARY, ("Ann", "Bob"), 0)
    provisional.land("users", JANUARY, month, "second")
    (one,) = status_of(provisional.home, provisional.settings, provisional.serving).intervals
    assert (one.waiting, one.provisional) == (True, True), "what is public is provisional still"
    found = verify(provisional.settings, provisional.serving)
    assert "differs from the one that is public" in found.pending[0]


def test_a_provisional_delivery_that_waits(bare_platform: Any, make_users: Callable[..., Any]) -> None:
    bare_platform.land("users", JANUARY, make_users(JANUARY, ("Ann",), 0), partial=True)
    (one,) = status_of(bare_platform.home, bare_platform.settings, bare_platform.serving).intervals
    assert (one.published_by, one.provisional) == (None, True)
    (sentence,) = verify(bare_platform.settings, bare_platform.serving).pending
    assert sentence.endswith("deftunes run --start 2020-01-01 --end 2020-02-01 --partial")


def test_the_dashboard_says_so(provisional: Any) -> None:
    source = write_dashboard(provisional.home, provisional.settings, provisional.serving, None).read_text("utf-8")
    assert '<span class="pill waiting">2020-01 is provisional</span>' in source
    assert '<span class="mark waiting">provisional</span>' in source
    assert "run it again: deftunes run --start 2020-01-01 --end 2020-02-01" in source


def test_whole_months_are_not_called_so(platform: Any) -> None:
    found = verify(platform.settings, platform.serving)
    assert found.reconciled
    assert found.provisional == ()
    page = write_dashboard(platform.home, platform.settings, platform.serving, None, found).read_text("utf-8")
    status = status_of(platform.home, platform.settings, platform.serving)
    for text in (printed(lambda console: render(found, console)), printed(status.render), page):
        # a rule's own description, shown on hover, may name the word
        shown = re.sub(r'(?s)<(script|style)\b.*?</\1>|title="[^"]*"', "", text)
        assert "provisional" not in shown


def planned(*months: Interval, partial: bool) -> runs.Plan:
    return runs.plan_of("api", months, "r1", NONE_ALLOWED, False, partial, EARLY)


def test_a_plan_refuses_a_month_that_is_not_over() -> None:
    with pytest.raises(UsageError, match="found 2020-01, which is not over"):
        planned(JANUARY.previous, JANUARY, partial=False)
    assert planned(JANUARY.previous, partial=True).provisional == ()
    plan = planned(JANUARY.previous, JANUARY, partial=True)
    assert plan.provisional == (JANUARY,)
    assert "--partial" in plan.extract("api", JANUARY).argv
    assert "--partial" not in plan.extract("api", JANUARY.previous).argv


def test_run_refuses_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """By the real clock: the month after this one is never over."""
    monkeypatch.setenv("DEFTUNES_HOME", str(tmp_path / "home"))
    this = Interval.of_month(f"{datetime.now(UTC):%Y-%m}")
    monkeypatch.setattr(runs, "execute", lambda *_: pytest.fail("it was started"))
    for start in (this, this.previous):
        assert main(["run", "--start", str(start.start), "--end", str(this.end)]) == 2
        assert f"found {this.month}, which is not over" in capsys.readouterr().err
    assert main(["run", "--partial", "--start", str(this.start), "--end", str(this.following.end)]) == 2
    assert "begins on" in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.json"))


def test_the_summary_of_a_run_says_so() -> None:
    record = RunRecord(run_id="r1", pipelines=("api",), months=("2020-01",), provisional=("2020-01",), started_at=EARLY)
    assert "2020-01 is provisional" in printed(lambda console: render_run(record, console, None))
    older = RunRecord.model_validate_json(record.model_dump_json(exclude={"provisional"}))
    assert older.provisional == ()
