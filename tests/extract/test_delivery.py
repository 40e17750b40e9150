"""What lands, what the receipt says, and that reruns, rivals and crashes leave whole deliveries."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from deftunes_contract.errors import ExitCode
from deftunes_contract.interval import Interval
from deftunes_contract.object_store import LocalStore
from deftunes_contract.registry import load
from deftunes_contract.retry import Deadline, RetryPolicy
from deftunes_extract.delivery import ExtractRequest, land
from deftunes_extract.settings import ExtractSettings
from deftunes_extract.source import LoadTotals, SourceError

JANUARY = Interval(date(2020, 1, 1), date(2020, 2, 1))
COMMAND = [sys.executable, "-m", "deftunes_extract", "users", "--start", "2020-01-01", "--end", "2020-02-01"]


def test_sessions_land_verbatim_with_their_figures(api: Any, extract: Any, lake: Any, make: Any) -> None:
    edges = [
        make.session(1, session_start_time="2020-01-01T00:00:00.000000"),
        make.session(2, session_start_time="2020-01-31T23:59:59.999999"),
        make.session(3, [], channel="web"),
        "not an object",
        make.session(4, "none"),
    ]
    api.say(api.records(edges))
    outcome = extract("sessions", "--run-id", "manual__2020-01-01T00:00", DEFTUNES_API_URL=api.url)
    assert outcome.code == 0
    assert api.asked == ["/sessions?start_date=2020-01-01&end_date=2020-01-31"]
    assert lake.lines("sessions") == [
        json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode() for record in edges
    ]
    receipt = lake.receipt("sessions")
    assert receipt.source == f"{api.url}/sessions?start_date=2020-01-01&end_date=2020-01-31"
    assert (receipt.entity, receipt.interval, receipt.format) == ("sessions", JANUARY, "jsonl")
    assert (receipt.run_id, receipt.contract_version) == ("manual-2020-01-01t00-00-c1056310", load("sessions").version)
    assert (receipt.records, receipt.units, receipt.amount) == (5, 7, Decimal("4.00"))
    assert receipt.min_time == datetime(2020, 1, 1)
    assert receipt.max_time == datetime(2020, 1, 31, 23, 59, 59, 999999)
    assert set(receipt.warnings) == {"unknown field channel in 1 records", "no JSON object in 1 records"}
    assert "5 records (7 rows), amount 4.00 in 1 object" in outcome.said
    assert "unknown field channel" in outcome.said


def test_a_shop_with_a_lasting_name_is_known_by_it_at_any_address(api: Any, extract: Any, lake: Any, make: Any) -> None:
    api.say(api.records([make.session(1)]))
    assert extract("sessions", DEFTUNES_API_URL=api.url, DEFTUNES_SHOP="main-street").code == 0
    assert lake.receipt("sessions").source == "main-street/sessions"
    refused = extract("sessions", DEFTUNES_API_URL=api.url, DEFTUNES_SHOP="https://anna:secret@shop")
    assert refused.code == ExitCode.USAGE
    assert "DEFTUNES_SHOP" in refused.said
    assert "secret" not in refused.said


def test_a_pretty_printed_reply_lands_one_record_a_line(api: Any, extract: Any, lake: Any, make: Any) -> None:
    records = [make.session(n) for n in range(40)]
    api.say(api.body(json.dumps(records, indent=2).replace("\n", "\r\n").encode()))
    assert extract("sessions", DEFTUNES_API_URL=api.url).code == 0
    assert [json.loads(line) for line in lake.lines("sessions")] == records


def test_small_parts_hold_the_same_content(api: Any, extract: Any, lake: Any, make: Any) -> None:
    api.say(api.records([make.user(n) for n in range(200)]))
    assert extract("users", DEFTUNES_API_URL=api.url).code == 0
    whole, one = lake.lines("users"), lake.receipt("users")
    assert extract("users", DEFTUNES_PART_BYTES=2000).code == 0
    assert len(lake.receipt("users").objects) > 10
    assert lake.lines("users") == whole
    assert lake.receipt("users").records == one.records
    # the one large object is named by no receipt any more, and gone
    files = {path.name for path in lake.folder("users").iterdir()}
    assert files == {"_receipt.json", *(o.name for o in lake.receipt("users").objects)}


def test_the_same_source_gives_the_same_objects(api: Any, extract: Any, lake: Any, make: Any) -> None:
    api.say(api.records([make.user(n) for n in range(50)]))
    assert extract("users", "--run-id", "one", DEFTUNES_API_URL=api.url, DEFTUNES_PART_BYTES=1000).code == 0
    first, objects = lake.receipt("users"), lake.content()
    assert extract("users", "--run-id", "two").code == 0
    second = lake.receipt("users")
    assert second.objects == first.objects
    assert second.digest == first.digest
    assert (first.run_id, second.run_id) == ("one", "two")
    assert {name for name in lake.content() if "part-" in name} == {name for name in objects if "part-" in name}


def test_a_restated_month_replaces_the_delivery(api: Any, extract: Any, lake: Any, make: Any) -> None:
    api.say(api.records([make.user(1), make.user(2)]), api.records([make.user(1), make.user(2), make.user(3)]))
    assert extract("users", DEFTUNES_API_URL=api.url).code == 0
    first = lake.receipt("users")
    assert extract("users").code == 0
    assert lake.receipt("users").digest != first.digest
    assert len(list(lake.folder("users").iterdir())) == 2
    assert len(lake.lines("users")) == 3


def test_several_entities_run_one_after_the_other(api: Any, extract: Any, lake: Any, make: Any) -> None:
    api.say(api.records([make.user(1)]), api.records([make.session(1)]))
    outcome = extract("users", "sessions", "users", DEFTUNES_API_URL=api.url)
    assert outcome.code == 0
    assert [path.split("?")[0] for path in api.asked] == ["/users", "/sessions"]
    assert len(lake.lines("users")) == len(lake.lines("sessions")) == 1


def test_an_unreadable_receipt_is_not_overwritten(api: Any, extract: Any, lake: Any, make: Any) -> None:
    api.say(api.records([make.user(1)]))
    assert extract("users", DEFTUNES_API_URL=api.url).code == 0
    receipt = lake.folder("users") / "_receipt.json"
    receipt.write_text('{"of": "another form"}')
    outcome = extract("users")
    assert outcome.code == 65
    assert str(receipt) in outcome.said
    assert receipt.read_text() == '{"of": "another form"}'


def test_a_lake_that_cannot_be_written_ends_with_advice(api: Any, extract: Any, lake: Any, make: Any) -> None:
    api.say(api.records([make.user(1)]))
    (lake.root / "landing_zone").write_text("in the way")
    outcome = extract("users", DEFTUNES_API_URL=api.url)
    assert outcome.code == 2
    assert "correct the address, the credentials or the rights" in outcome.said


# --- crashes and rivals ---


def environment(lake: Any, api: Any, **more: str) -> dict[str, str]:
    own = {"DEFTUNES_LAKE": str(lake.root), "DEFTUNES_API_URL": api.url, "DEFTUNES_PART_BYTES": "2000"}
    return {**os.environ, **own, **more}


@pytest.mark.parametrize("earlier", [True, False])
def test_killed_in_the_middle_nothing_counts_and_a_rerun_gives_the_same(
    api: Any, extract: Any, lake: Any, make: Any, earlier: bool
) -> None:
    old = [make.user(n) for n in range(5)]
    new = [make.user(n, user_name=f"new {n}") for n in range(100)]
    if earlier:
        api.say(api.records(old))
        assert extract("users", DEFTUNES_API_URL=api.url).code == 0
    before = lake.content()
    body = json.dumps(new, separators=(",", ":")).encode()
    padding = b" " * 3_000_000  # more than a window, so that records are handed on before the reply ends
    api.say(api.body(body[:-1] + padding, promised=len(body) + len(padding), then=api.stall))
    process = subprocess.Popen(COMMAND, env=environment(lake, api), stderr=subprocess.DEVNULL)
    wait_for(lambda: len({name for name in lake.content() if "part-00003" in name} - before.keys()) > 0)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    after = lake.content()
    assert {name: after.get(name) for name in before} == before
    assert any("_receipt" in name for name in after) == earlier

    api.say(api.body(body[:-1] + padding + b"]"))
    assert extract("users", DEFTUNES_API_URL=api.url, DEFTUNES_PART_BYTES=2000).code == 0
    undisturbed = extract("users", DEFTUNES_LAKE=str(lake.root.parent / "other"))
    assert undisturbed.code == 0
    assert lake.receipt("users").objects == type(lake)(lake.root.parent / "other").receipt("users").objects
    assert [json.loads(line) for line in lake.lines("users")] == new


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


@pytest.mark.parametrize("same", [True, False])
def test_two_at_once_leave_one_whole_delivery(api: Any, lake: Any, make: Any, same: bool) -> None:
    one = api.records([make.user(n) for n in range(300)])
    other = one if same else api.records([make.user(n) for n in range(250)])
    api.say(one, other)
    processes = [subprocess.Popen(COMMAND, env=environment(lake, api), stderr=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait(60) for process in processes] == [0, 0]
    receipt = lake.receipt("users")
    assert receipt.records in (300, 250)
    assert len(lake.lines("users")) == receipt.records


class Lines:
    """A source of given lines; something may happen while they are read."""

    name = "a test"

    def __init__(self, *readings: list[bytes], meanwhile: Callable[[], None] = lambda: None) -> None:
        self.readings, self.meanwhile, self.calls = readings, meanwhile, 0

    def read(self, deadline: Deadline, put: Callable[[bytes, int], None]) -> LoadTotals:
        lines = self.readings[min(self.calls, len(self.readings) - 1)]
        self.calls += 1
        for line in lines:
            put(line, 1)
        self.meanwhile()
        return LoadTotals(len(lines), len(lines))


def users_january() -> ExtractRequest:
    return ExtractRequest(load("users"), JANUARY, "test")


def quiet(attempts: int = 3) -> RetryPolicy:
    return RetryPolicy(attempts, (SourceError,), deadline=Deadline(60), sleep=lambda _: None)


def test_a_rival_that_falls_back_to_a_removed_object_is_noticed(lake: Any) -> None:
    """A reads x away while B, slower, signs for x: A looks again and makes its delivery anew."""
    settings = ExtractSettings(DEFTUNES_LAKE=str(lake.root))
    old, new = [b"x\n"], [b"y\n"]
    land(users_january(), Lines(old), LocalStore(lake.root), settings, quiet())
    rival_receipt = (lake.folder("users") / "_receipt.json").read_bytes()
    store = LocalStore(lake.root)
    delete = store.delete
    struck = []

    def rival_signs_first(path: str) -> None:
        if not struck:
            struck.append(path)
            (lake.folder("users") / "_receipt.json").write_bytes(rival_receipt)
        delete(path)

    store.delete = rival_signs_first  # type: ignore[method-assign]
    source = Lines(new)
    made = land(users_january(), source, store, settings, quiet())
    assert struck
    assert source.calls == 2
    assert lake.receipt("users") == made
    assert lake.lines("users") == [b"y"]


def test_a_failure_does_not_remove_what_a_rival_has_signed_for(lake: Any) -> None:
    settings = ExtractSettings(DEFTUNES_LAKE=str(lake.root), DEFTUNES_PART_BYTES=2)
    store = LocalStore(lake.root)

    def rival_then_fault() -> None:
        land(users_january(), Lines([b"a\n", b"b\n"]), store, settings, quiet())
        raise SourceError("reset")

    with pytest.raises(Exception, match="reset"):
        land(users_january(), Lines([b"a\n", b"c\n"], meanwhile=rival_then_fault), store, settings, quiet(1))
    assert lake.lines("users") == [b"a", b"b"]
    assert len(list(lake.folder("users").iterdir())) == 3


def test_an_attempt_that_read_something_else_leaves_nothing(lake: Any) -> None:
    """The first reading fails late; what it had put on the store goes when the second is signed for."""
    settings = ExtractSettings(DEFTUNES_LAKE=str(lake.root), DEFTUNES_PART_BYTES=2)
    faults = [SourceError("reset")]

    def once() -> None:
        if faults:
            raise faults.pop()

    source = Lines([b"a\n", b"b\n", b"c\n"], [b"a\n", b"d\n"], meanwhile=once)
    made = land(users_january(), source, LocalStore(lake.root), settings, quiet())
    assert lake.lines("users") == [b"a", b"d"]
    assert {path.name for path in lake.folder("users").iterdir()} == {"_receipt.json", *(o.name for o in made.objects)}


def test_a_delivery_stands_when_old_objects_cannot_be_removed(lake: Any) -> None:
    settings = ExtractSettings(DEFTUNES_LAKE=str(lake.root))
    land(users_january(), Lines([b"x\n"]), LocalStore(lake.root), settings, quiet())
    store = LocalStore(lake.root)

    def denied(path: str) -> None:
        raise PermissionError(path)

    store.delete = denied  # type: ignore[method-assign]
    made = land(users_january(), Lines([b"y\n"]), store, settings, quiet())
    assert lake.receipt("users") == made
    assert lake.lines("users") == [b"y"]


def test_scratch_is_where_the_settings_say(lake: Any, extract: Any, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    seen: list[Path] = []
    settings = ExtractSettings(DEFTUNES_LAKE=str(lake.root), DEFTUNES_EXTRACT_SCRATCH=str(scratch))
    source = Lines([b"a\n"], meanwhile=lambda: seen.extend(scratch.iterdir()))
    land(users_january(), source, LocalStore(lake.root), settings, quiet())
    assert len(seen) == 1
    assert list(scratch.iterdir()) == []
    missing = extract("songs", DEFTUNES_EXTRACT_SCRATCH=str(tmp_path / "nowhere"))
    assert missing.code == 2
    assert "DEFTUNES_EXTRACT_SCRATCH" in missing.said


def test_threads_end_with_the_call(api: Any, extract: Any, make: Any) -> None:
    api.say(api.records([make.user(1)]), api.body(b"[", 200))
    assert extract("users", DEFTUNES_API_URL=api.url, DEFTUNES_EXTRACT_ATTEMPTS=1).code == 0
    assert extract("users").code == 75
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("extract-")]
