"""The page says what is true, escapes what it shows, and explains what is not there."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from deftunes_cli.dashboard import page, write_dashboard
from deftunes_cli.run_record import RunRecord, Step
from deftunes_cli.workspace import Workspace
from deftunes_contract.gate import find_gate_result, write_gate_result
from deftunes_contract.interval import Interval
from deftunes_contract.settings import LakeSettings
from deftunes_serving.verify import verify

START = datetime(2020, 3, 1, 5, tzinfo=UTC)


def record() -> RunRecord:
    def step(stage: str, seconds: float, exit_code: int = 0) -> Step:
        return Step(
            stage=stage, entities=("users",), month="2020-01", started_at=START, seconds=seconds, exit_code=exit_code,
            sentence="done",
        )  # fmt: skip

    return RunRecord(
        run_id="run-7", pipelines=("api",), months=("2020-01",), started_at=START,
        finished_at=START + timedelta(seconds=75), exit_code=0,
        steps=[step("extract", 1.5), step("transform", 30.0), step("extract", 0.5), step("quality", 4.0, 65)],
    )  # fmt: skip


def written(platform: Any, **more: Any) -> str:
    path = write_dashboard(platform.home, platform.settings, platform.serving, more.pop("record", None), **more)
    assert path == platform.home.dashboard
    return path.read_text(encoding="utf-8")


def words(source: str) -> str:
    """The page's text as a reader sees it: no scripts, no styles, no tags."""
    body = re.sub(r"(?s)<(script|style)\b.*?</\1>", " ", source)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def test_headline_figures_and_verdict(platform: Any) -> None:
    seen = words(written(platform, record=record()))
    assert "DeFtunes sales Jan 2020 to Feb 2020 all figures reconcile" in seen
    for figure in (
        "Total sales, USD 14.26", "Items sold 22", "Sessions 12", "Buyers 3", "Gates passed 6 of 6",
        "Rows in quarantine 6 19.98 USD",
    ):  # fmt: skip
        assert figure in seen
    assert "run-7, 1 min 15 s from start to end" in seen
    assert "extract 2 2.0 s" in seen
    assert "quality 1 failed 1 4.0 s" in seen
    assert "sessions 2020-01 13 17.32 13 17.32 11 7.33 2 9.99 11 7.33 agrees" in seen


def test_rules_and_quarantine_are_shown(platform: Any) -> None:
    seen = words(written(platform))
    assert "price_max quarantine 0 rows passed: 0 passed: 0" in seen
    assert "liked_complete warn 0 rows warned: 0.4 warned: 0.4" in seen
    assert "sessions price_max No track costs more than two dollars. 2 19.98 2020-01, 2020-02" in seen
    assert "price: 9.99" in seen


def test_data_is_escaped_everywhere(platform: Any) -> None:
    source = written(platform)
    assert "<script>alert(1)" not in source
    assert "\u0007" not in source
    assert "<i>12</i>" not in source, "an example in a tool tip"
    assert "&lt;i&gt;12&lt;/i&gt;" in source


def test_only_the_pages_own_scripts_may_run(platform: Any) -> None:
    source = written(platform)
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', source)
    scripts = re.findall(r"(?s)<script>(.*?)</script>", source)
    assert len(scripts) == 2
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    allowed = " ".join(f"'sha256-{one}'" for one in hashes)
    assert f"script-src {allowed};" in policy
    assert not any("\r" in text or "\0" in text for text in scripts), "a browser reads these as other characters"


def test_a_page_without_charts_runs_nothing(bare_platform: Any) -> None:
    source = written(bare_platform)
    assert "script-src 'none';" in source
    assert "<script" not in source


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</script><svg/onload=alert(1)>",
    "%{x}{{7*7}}",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_gates_and_steps_cannot_bring_elements(platform: Any, text: str) -> None:
    """What a gate said of failing rows, and what stands beside the page's own attributes."""
    found = find_gate_result(platform.store, "users", date(2020, 3, 1), "first")
    assert found is not None
    broken = found.rules[0].model_copy(
        update={"passed": False, "observed": text, "expected": text, "examples": (text,), "description": text}
    )
    hostile = {
        "run_id": "x",
        "passed": False,
        "rules": (broken,),
        "data_docs": f"/{text}",
        "judged_at": START + timedelta(days=9),
    }
    content = found.model_copy(update=hostile).to_json()
    platform.store.write("quality/users/ingest_on=2020-03-01/run=x/result.json", content)
    parsed = _Parsed(written(platform))
    assert parsed.scripts == 3, "two that run, one that is data"
    assert not {name for name in parsed.names if name.startswith("on")}
    assert not parsed.tags & {"img", "svg", "iframe", "object", "base", "form"}
    assert all(re.fullmatch(r"[#\w./%=-]*", link) for link in parsed.links if link != "data:,")
    assert text in parsed.titles, "the description, whole"


class _Parsed(HTMLParser):
    def __init__(self, source: str) -> None:
        super().__init__()
        self.scripts, self.tags, self.names = 0, set[str](), set[str]()
        self.links, self.titles = list[str](), list[str]()
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        self.tags.add(tag)
        self.names |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        self.titles += [value or "" for name, value in attrs if name == "title"]


def test_nobody_is_named(platform: Any) -> None:
    source = written(platform)
    for personal in ("Secretlastname", "Mozilla/5.0 (secret)", "00000001-0000-4000-8000-000000000384"):
        assert personal not in source


def test_the_page_asks_the_network_for_nothing(platform: Any) -> None:
    source = written(platform)
    assert "default-src 'none'" in source
    assert source.count("plotly.js v") == 1
    outside = re.sub(r"(?s)<script\b.*?</script>", "", source)
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", outside)
    assert "@import" not in outside
    assert "url(" not in outside


def test_an_empty_home_has_a_page_that_says_what_to_do(tmp_path: Path) -> None:
    home = Workspace(tmp_path / "home")
    path = write_dashboard(home, LakeSettings(DEFTUNES_LAKE=str(home.lake)), home.serving, None)
    source = path.read_text(encoding="utf-8")
    seen = words(source)
    assert "nothing to verify yet" in seen
    assert "run deftunes demo" in seen
    for translate_errors in (
        "No sales are in the serving tables", "No artist has sold anything yet", "No purchase carries a like",
        "No session has been published yet", "there is nothing to compare", "No gate has judged anything yet",
        "No row of a published month was set aside", "No run is on record",
    ):  # fmt: skip
        assert translate_errors in seen
    assert "plotly.js v" not in source, "no charts, no five megabytes"


def test_a_delivery_that_waits(bare_platform: Any, make_users: Callable[..., Any]) -> None:
    january = Interval(date(2020, 1, 1), date(2020, 2, 1))
    bare_platform.land("users", january, make_users(january, ("Ann",), 0))
    seen = words(written(bare_platform))
    assert "users 2020-01 2 2 – – – pending" in seen
    assert "delivered, not public yet" in seen


def test_a_closed_gate_is_said_at_the_top(platform: Any) -> None:
    found = find_gate_result(platform.store, "users", date(2020, 3, 1), "first")
    assert found is not None
    rules = (found.rules[0].model_copy(update={"passed": False, "observed": 7.0}), *found.rules[1:])
    later = {"run_id": "second", "passed": False, "judged_at": START + timedelta(days=9), "rules": rules}
    write_gate_result(platform.store, found.model_copy(update=later))
    seen = words(written(platform))
    assert "all figures reconcile 1 gate closed page of" in seen
    assert "Gates passed 5 of 6" in seen
    assert "users 2020-02, run second: user_id_complete (observed 7, expected 0 rows)" in seen


def test_figures_that_do_not_agree_come_first(platform: Any) -> None:
    platform.sabotage("delete from deftunes_serving.fact_session where ingest_on = '2020-02-01'")
    seen = words(written(platform))
    assert "1 figure does not agree" in seen
    assert seen.index("found an interval that is published and not yet in serving") < seen.index("Total sales")
    assert "sessions 2020-01 13 17.32 13 17.32 11 7.33 2 9.99 0 0.00 does not agree" in seen


def test_a_serving_file_that_is_missing_or_half_built(platform: Any) -> None:
    platform.sabotage("drop view deftunes_serving.user_activity_vw")
    assert "No sales are in the serving tables" in words(written(platform))
    platform.serving.unlink()
    seen = words(written(platform))
    assert "expected a serving database, found no file" in seen
    assert "price_max" in seen, "what is known is still shown"


def test_a_given_verification_is_not_computed_again(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    known = verify(platform.settings, platform.serving)
    monkeypatch.setattr(page, "verify", lambda *_: pytest.fail("computed again"))
    assert "all figures reconcile" in words(written(platform, verification=known))


def test_an_older_page_stays_when_writing_fails(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before = written(platform)
    monkeypatch.setattr(Path, "chmod", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_dashboard(platform.home, platform.settings, platform.serving, None)
    assert platform.home.dashboard.read_text(encoding="utf-8") == before
    assert [p.name for p in platform.home.root.iterdir() if p.name.startswith(".writing")] == []
