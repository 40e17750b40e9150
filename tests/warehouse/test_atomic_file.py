"""A reader of the serving file sees the state before a build or after it, whatever happens to the build."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter

import duckdb
import pytest
import structlog

from deftunes_contract.errors import RetryableError, StageError
from deftunes_serving.atomic_file import replace_on_success

KILLED_AT = {
    "copied": "atomic_file.shutil.copy = lambda *a, real=atomic_file.shutil.copy: (real(*a), die())",
    "built, not published": "atomic_file._publish = lambda *a: die()",
    "published": "atomic_file._publish = lambda *a, real=atomic_file._publish: (real(*a), die())",
}
"""Where whatever makes a new file is killed -> what makes it kill itself there."""

DIE = """
import os, shutil, signal, sys
from pathlib import Path
from deftunes_serving import atomic_file

def die():
    os.kill(os.getpid(), signal.SIGKILL)

"""

PUT_NEW_FILE = """
with atomic_file.replace_on_success(Path(sys.argv[1]), 10) as copy:
    copy.write_bytes(Path(sys.argv[2]).read_bytes())
"""

BUILD = """
from deftunes_serving.__main__ import run
run(["build", "--start", sys.argv[1], "--end", sys.argv[2]])
"""

AFTER_THE_FACT = """
from deftunes_serving import runner
def watch(self, event):
    if event.info.name == "NodeFinished" and event.data.node_info.node_name == "fact_session":
        {}
runner._Progress.__call__ = watch
"""
DIE_AFTER_THE_FACT = AFTER_THE_FACT.format("die()")
PAUSE_AFTER_THE_FACT = "import time" + AFTER_THE_FACT.format("while not Path(sys.argv[3]).exists(): time.sleep(0.02)")


class Reader(threading.Thread):
    """Opens the serving file again and again and keeps what it saw: sales of the fact and of each view, and tracks."""

    QUERY = """
        SELECT
            (SELECT sum(price) FROM deftunes_serving.fact_session),
            (SELECT sum(total_sales) FROM deftunes_serving.sales_per_artist_vw),
            (SELECT sum(total_sales) FROM deftunes_serving.sales_per_country_vw),
            (SELECT sum(total_spent) FROM deftunes_serving.user_activity_vw),
            (SELECT count(*) FROM deftunes_serving.dim_songs)
    """

    def __init__(self, file):
        super().__init__(daemon=True)
        self.file, self.seen, self.faults, self.done = file, Counter(), [], threading.Event()

    def run(self):
        while not self.done.is_set():
            try:
                with duckdb.connect(str(self.file), read_only=True) as connection:
                    self.seen[tuple(map(str, connection.execute(self.QUERY).fetchone()))] += 1
            except duckdb.Error as error:
                self.faults.append(error)
            time.sleep(0.1)  # leaves the builds some of the machine

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.join()


def start(script, *arguments):
    """Run Python in a process of its own."""
    command = [sys.executable, "-c", DIE + script, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def when(logs, act):
    """Do something as soon as there is a log line."""
    while not logs:
        time.sleep(0.02)
    act()


def is_killed(process):
    said, _ = process.communicate(timeout=300)
    assert process.returncode == -signal.SIGKILL, said
    return True


OLD, NEW = (*("1.83",) * 4, "5"), (*("8.09",) * 4, "6")
"""What a reader may see: the sales of December, and of both months; TR-4, which left the catalogue, is still shown."""


def test_a_build_killed_anywhere_shows_the_old_state_or_the_new(shop, lake, golden, build):
    golden("2020-01-01")
    build("2019-12-01", "2020-01-01")
    golden("2020-02-01")
    before = lake.serving.read_bytes()
    with Reader(lake.serving) as reader:
        assert is_killed(start(DIE_AFTER_THE_FACT + BUILD, "2020-01-01", "2020-02-01"))
        assert list(lake.root.glob("building.*.duckdb.wal")), "the build was to be killed in the midst of its work"
        for place, patch in KILLED_AT.items():
            assert lake.serving.read_bytes() == before, place
            assert is_killed(start(patch + PUT_NEW_FILE, lake.serving, shop.serving))
    assert lake.serving.read_bytes() == shop.serving.read_bytes()  # the last one was killed after its rename
    assert reader.faults == []
    assert OLD in reader.seen
    assert set(reader.seen) <= {OLD, NEW}
    build("2020-01-01", "2020-02-01")
    assert list(lake.root.glob("building.*")) == []
    assert lake.content() == shop.content()


def test_builds_at_the_same_time_wait_for_each_other_and_lose_nothing(shop, lake, golden, sell, build):
    golden()
    shutil.copy(shop.serving, lake.serving)
    for month, session in (("2020-01-01", "december"), ("2020-02-01", "january")):
        lake.publish("sessions", month, [sell(session, 0, "TR-1", "0.50")])
    with Reader(lake.serving) as reader:
        other = start(PAUSE_AFTER_THE_FACT + BUILD, "2019-12-01", "2020-01-01", lake.root / "go")
        while not list(lake.root.glob("building.*")) and other.poll() is None:
            time.sleep(0.02)
        with structlog.testing.capture_logs() as logs:
            threading.Thread(target=when, args=(logs, (lake.root / "go").touch), daemon=True).start()
            build("2020-01-01", "2020-02-01")
        said, _ = other.communicate(timeout=300)
        assert other.returncode == 0, said
    assert logs[0]["event"] == f"waiting for another build, process {other.pid}"
    found = lake.query("SELECT session_id FROM deftunes_serving.fact_session ORDER BY 1")
    assert found == [("december",), ("january",)]
    assert reader.faults == []
    assert {amounts[:4] for amounts in reader.seen} <= {("8.09",) * 4, ("6.76",) * 4, ("2.33",) * 4, ("1.00",) * 4}


def test_waiting_names_the_holder_and_ends(tmp_path):
    file = tmp_path / "serving.duckdb"
    file.write_bytes(b"old")
    mine = os.getpid()
    held = rf"another build \(process {mine}\) has held .*serving\.duckdb\.lock"
    with (
        replace_on_success(file, 1),
        structlog.testing.capture_logs() as logs,
        pytest.raises(RetryableError, match=held),
    ):
        replace_on_success(file, 0.5).__enter__()
    assert logs[0]["event"] == f"waiting for another build, process {mine}"


def test_the_next_build_goes_on_as_soon_as_the_lock_is_free(tmp_path):
    file = tmp_path / "serving.duckdb"
    file.write_bytes(b"old")
    order = []

    def hold():
        with replace_on_success(file, 10) as copy:
            order.append("first")
            entered.set()
            time.sleep(0.5)
            copy.write_bytes(b"first")

    entered = threading.Event()
    holder = threading.Thread(target=hold)
    holder.start()
    entered.wait()
    with replace_on_success(file, 10) as copy:
        order.append(copy.read_bytes().decode())
    holder.join()
    assert order == ["first", "first"]  # the second saw what the first had made


def test_a_failure_leaves_the_file_and_no_copy(tmp_path):
    file = tmp_path / "serving.duckdb"
    file.write_bytes(b"old")

    def fail():
        with replace_on_success(file, 1) as copy:
            copy.write_bytes(b"half")
            copy.with_name(f"{copy.name}.wal").write_bytes(b"log")
            raise KeyError("a model failed")

    with pytest.raises(KeyError):
        fail()
    assert file.read_bytes() == b"old"
    assert {path.name for path in tmp_path.iterdir()} == {"serving.duckdb", "serving.duckdb.lock"}


def test_a_database_that_was_left_open_is_not_published(tmp_path):
    file = tmp_path / "serving.duckdb"
    file.write_bytes(b"old")

    def leave_open():
        with replace_on_success(file, 1) as copy:
            copy.with_name(f"{copy.name}.wal").write_bytes(b"log")

    with pytest.raises(StageError, match="left its database open"):
        leave_open()
    assert file.read_bytes() == b"old"


def test_a_file_that_another_program_writes_is_left_alone(tmp_path):
    file = tmp_path / "serving.duckdb"
    file.write_bytes(b"old")
    (tmp_path / "serving.duckdb.wal").write_bytes(b"log")
    with pytest.raises(RetryableError, match=r"serving\.duckdb\.wal exists"), replace_on_success(file, 1):
        pytest.fail("a build on a file that is being written")


def test_copies_of_killed_builds_are_removed_and_nothing_else(tmp_path):
    file = tmp_path / "serving.duckdb"
    stale = [tmp_path / f"building.1-abc.serving.duckdb{end}" for end in ("", ".wal")]
    others = [tmp_path / "building.1-abc.other.duckdb", tmp_path / "building.txt"]
    for path in (*stale, *others):
        path.write_bytes(b"x")
    with replace_on_success(file, 1) as copy:
        copy.write_bytes(b"new")
    assert [path.exists() for path in (*stale, *others)] == [False, False, True, True]
    assert file.read_bytes() == b"new"


def test_the_file_keeps_its_permissions(tmp_path):
    file = tmp_path / "serving.duckdb"
    file.write_bytes(b"old")
    file.chmod(0o664)
    with replace_on_success(file, 1) as copy:
        copy.write_bytes(b"new")
    assert file.stat().st_mode & 0o777 == 0o664
