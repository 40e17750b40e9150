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

CALL_PAGES = """
import os, pathlib, re
from deftunes_contract.http_source import http_source
from deftunes_contract.interval import Interval
from deftunes_contract.object_store import open_store
from deftunes_contract.registry import load
from deftunes_contract.retry import Deadline, RetryPolicy
from deftunes_contract.settings import from_environment
from deftunes_extract.delivery import ExtractRequest, land
from deftunes_extract.http_api import HttpApiSource
from deftunes_extract.http_client import open_client
from deftunes_extract.http_settings import http_server_settings
from deftunes_extract.settings import ExtractSettings
from deftunes_extract.source import SourceError
paginator = {"type": "cursor", "cursor_path": "paging.cursor", "cursor_param": "after",
             "total_records_path": "paging.total"}
source = http_source("paged", {}, {"path": "api/users", "data_selector": "data.items", "paginator": paginator})
settings, retries = from_environment(ExtractSettings), RetryPolicy(1, (SourceError,), deadline=Deadline(600))
request = ExtractRequest(load("sessions"), Interval.of_month("2020-01"), "manual")
with open_client(source, from_environment(http_server_settings("paged"))) as client:
    read = HttpApiSource(client, request.entity, request.interval, retries)
    records = land(request, read, open_store(settings.lake), settings, retries).records
print(records, re.search(r"VmHWM:\\s+(\\d+) kB", pathlib.Path("/proc/self/status").read_text()).group(1))
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


def peak_of_pages(paged: Any, make: Any, pages: int, megabytes: int) -> float:
    """The same of so many pages, each so large, in envelopes, by the source itself in a process of its own."""
    block = [make.session(n) for n in range(2000)]
    server = paged.server("cursor", [])
    size = len(json.dumps(block, separators=(",", ":")))

    def fault(answer: Any) -> None:
        number = answer.page + 1
        records = [
            record | {"session_id": f"{number:04d}-{times:06d}-{at:06d}"}
            for times in range(max(1, megabytes * 1_000_000 // size))
            for at, record in enumerate(block)
        ]
        answer.records = records
        answer.paging = {"cursor": str(number * server.size) if number < pages else None, "total": pages * len(records)}

    server.fault = fault
    said = subprocess.check_output(
        [sys.executable, "-c", CALL_PAGES], env={**os.environ, "DEFTUNES_PAGED_URL": server.url}, text=True
    )
    records, peak = said.split()[-2:]
    assert int(records) == pages * max(1, megabytes * 1_000_000 // size) * 2000
    return int(peak) / 1024


def test_pages_take_the_same_memory_however_many_and_however_large(paged: Any, lake: Any, make: Any) -> None:
    small = peak_of_pages(paged, make, pages=2, megabytes=1)
    many = peak_of_pages(paged, make, pages=30, megabytes=1)
    large = peak_of_pages(paged, make, pages=2, megabytes=40)
    assert max(many, large) - small < 60
    assert max(many, large) < 200
