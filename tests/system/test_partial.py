"""A month that is still running, through every stage: refused, provisional when asked for, whole when run again."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest

from deftunes_cli import run, status
from deftunes_contract.errors import ExitCode
from deftunes_extract import __main__ as extract_main
from deftunes_extract import delivery
from deftunes_serving.verify import verification

FEBRUARY = ("run", "--pipeline", "api", "--start", "2020-02-01", "--end", "2020-03-01")
EARLY = datetime(2020, 2, 9, 12, tzinfo=UTC)
AFTER = datetime(2020, 3, 2, tzinfo=UTC)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Sets the clock wherever an interval is compared with it."""

    def set_to(now: datetime) -> None:
        for module in (run, status, verification, extract_main, delivery):
            monkeypatch.setattr(module, "utc_now", lambda: now)

    return set_to


class SmallShop:
    """An API that sells in February 2020. `until`: nothing later is known yet."""

    def __init__(self) -> None:
        self.until = EARLY
        self.step = 1
        """Every how many-th session it remembers."""

    def records(self, path: str, start: str, end: str) -> list[dict[str, Any]]:
        begin = datetime(2020, 2, 1, tzinfo=UTC)
        times = [begin + timedelta(hours=3 * n, minutes=1) for n in range(28 * 8)]
        known = [(n, t) for n, t in enumerate(times) if t < self.until and start <= str(t.date()) <= end]
        if path == "/users":
            return [self._user(n, t) for n, t in known]
        return [self._session(n, t) for n, t in known if n % self.step == 0]

    @staticmethod
    def _user(n: int, moment: datetime) -> dict[str, Any]:
        return {
            "user_id": str(UUID(int=n)), "user_name": f"Name{n}", "user_lastname": f"Last{n}",
            "user_location": ["40.5", "-70.25", "Town", "US", "America/New_York"],
            "user_since": f"{moment:%Y-%m-%dT%H:%M:%S.000001}",
        }  # fmt: skip

    @staticmethod
    def _session(n: int, moment: datetime) -> dict[str, Any]:
        item = {
            "song_id": f"TR{n:016d}", "song_name": "A song", "artist_id": f"AR{n:016d}", "artist_name": "Somebody",
            "price": 1.25, "currency": "USD", "liked": False, "liked_since": None,
        }  # fmt: skip
        return {
            "user_id": str(UUID(int=n)), "session_id": str(UUID(int=10**6 + n)), "session_items": [item],
            "user_agent": "Mozilla/5.0", "session_start_time": f"{moment:%Y-%m-%dT%H:%M:%S.000001}",
        }  # fmt: skip


@pytest.fixture
def small_shop() -> Iterator[tuple[SmallShop, str]]:
    """The shop and the root of its API."""
    known = SmallShop()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            split = urlsplit(self.path)
            asked = {name: values[0] for name, values in parse_qs(split.query).items()}
            body = json.dumps(known.records(split.path, asked["start_date"], asked["end_date"])).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield known, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_a_running_month_is_provisional_until_it_is_run_again(
    platform: Any, small_shop: tuple[SmallShop, str], clock: Callable[[datetime], None]
) -> None:
    shop, url = small_shop
    platform.shop = SimpleNamespace(api_url=url, songs_dsn="")

    def seen() -> tuple[int, set[bool], str]:
        """Items in public, what the three places say of the month, and the dashboard's text."""
        found = platform.verify()
        assert found["reconciled"], found["faults"]
        shown = json.loads(platform.call("status", "--json")[1])["intervals"]
        page = platform.home.dashboard.read_text(encoding="utf-8")
        said = {one["provisional"] for one in (*found["intervals"], *shown)} | {bool(found["provisional"])}
        return found["items"], said, page

    clock(EARLY)
    code, _, err = platform.call(*FEBRUARY)
    assert code == ExitCode.USAGE
    assert "found 2020-02, which is not over" in err
    assert not platform.home.lake.exists() or not list(platform.home.lake.rglob("*.json"))

    # nothing is sold in the last twenty days of the month: the gate must measure from when it was read
    code, out, _ = platform.call(*FEBRUARY, "--partial")
    assert code == 0, platform.sentences()
    assert "2020-02 is provisional" in out
    items, said, page = seen()
    assert (items, said) == (8 * 8 + 4, {True})
    assert "2020-02 is provisional" in page

    # the next run brings less, which needs no flag
    clock(AFTER)
    assert platform.verify()["provisional"][0].endswith(
        "run it again: deftunes run --start 2020-02-01 --end 2020-03-01"
    )
    shop.until, shop.step = AFTER, 4
    code, out, _ = platform.call(*FEBRUARY)
    assert code == 0, platform.sentences()
    items, said, page = seen()
    assert (items, said) == (28 * 2, {False})
    assert "is provisional" not in out
    assert "2020-02 is provisional" not in page

    assert platform.call("rollback", "--month", "2020-02", "--pipeline", "api")[0] == 0
    items, said, _ = seen()
    assert items == 8 * 8 + 4
    assert True in said, "what was taken back to is provisional"
