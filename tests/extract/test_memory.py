"""Memory does not grow with the reply."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

# the kernel's own high-water mark: rusage's would also remember the size of the process that forked this one
CALL = """
import pathlib, re, sys
from deftunes_extract.__main__ import main
assert main(sys.argv[1:]) == 0
print(re.search(r"VmHWM:\\s+(\\d+) kB", pathlib.Path("/proc/self/status").read_text()).group(1))
"""


def peak_of(api: Any, lake: Any, make: Any, megabytes: int) -> float:
    """Highest resident set, in megabytes, of an extract of so large a reply."""
    block = json.dumps([make.session(n) for n in range(2000)], separators=(",", ":"), ensure_ascii=False).encode()[1:-1]
    times = megabytes * 1_000_000 // len(block) + 1

    def stream(handler: Any) -> None:
        for number in range(times):
            handler.wfile.write((b"," if number else b"[") + block)
        handler.wfile.write(b"]")

    api.say(api.body(b"", promised=times * (len(block) + 1) + 1, then=stream))
    said = subprocess.check_output(
        [sys.executable, "-c", CALL, "sessions", "--start", "2020-01-01", "--end", "2020-02-01"],
        env={**os.environ, "DEFTUNES_LAKE": str(lake.root), "DEFTUNES_API_URL": api.url},
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert lake.receipt("sessions").records == times * 2000
    return int(said.split()[-1]) / 1024


def test_a_reply_thirty_times_as_large_takes_the_same_memory(api: Any, lake: Any, make: Any) -> None:
    small = peak_of(api, lake, make, 5)
    large = peak_of(api, lake, make, 150)
    assert large - small < 60
    assert large < 200
