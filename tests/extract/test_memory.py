"""Memory does not grow with the reply."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any


def peak_of(api: Any, lake: Any, make: Any, megabytes: int) -> float:
    """Highest resident set, in megabytes, of an extract of so large a reply."""
    block = json.dumps([make.session(n) for n in range(2000)], separators=(",", ":"), ensure_ascii=False).encode()[1:-1]
    times = megabytes * 1_000_000 // len(block) + 1

    def stream(handler: Any) -> None:
        for number in range(times):
            handler.wfile.write((b"," if number else b"[") + block)
        handler.wfile.write(b"]")

    api.say(api.body(b"", promised=times * (len(block) + 1) + 1, then=stream))
    process = subprocess.Popen(
        [sys.executable, "-m", "deftunes_extract", "sessions", "--start", "2020-01-01", "--end", "2020-02-01"],
        env={**os.environ, "DEFTUNES_LAKE": str(lake.root), "DEFTUNES_API_URL": api.url},
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    assert lake.receipt("sessions").records == times * 2000
    return usage.ru_maxrss / 1024


def test_a_reply_thirty_times_as_large_takes_the_same_memory(api: Any, lake: Any, make: Any) -> None:
    small = peak_of(api, lake, make, 5)
    large = peak_of(api, lake, make, 150)
    assert large - small < 60
    assert large < 200
