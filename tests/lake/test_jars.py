"""Jars: exactly the locked bytes, or none."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deftunes_contract.errors import DataRejected, RetryableError, UsageError
from deftunes_lake import jars as jars_module
from deftunes_lake.__main__ import run
from deftunes_lake.jars import Jar, class_path, fetch_jars, locked_jars

CONTENT = {"one": b"first jar" * 1000, "two": b"second jar"}
JARS = tuple(Jar("org.example", name, "1.0", hashlib.sha256(content).hexdigest()) for name, content in CONTENT.items())


@pytest.fixture(autouse=True)
def small_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two small jars instead of the real ones."""
    monkeypatch.setattr(jars_module, "locked_jars", lambda: JARS)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A Maven repository in a folder."""
    for jar in JARS:
        file = tmp_path / "maven" / jar.path
        file.parent.mkdir(parents=True)
        file.write_bytes(CONTENT[jar.artifact])
    return tmp_path / "maven"


def test_the_lock_names_what_a_session_needs_with_a_hash() -> None:
    locked = locked_jars()
    assert {"iceberg-spark-runtime-4.1_2.13", "iceberg-aws-bundle", "sqlite-jdbc", "hadoop-aws"} <= {
        jar.artifact for jar in locked
    }
    assert all(len(jar.sha256) == 64 for jar in locked)
    assert locked[0].path == (
        "org/apache/iceberg/iceberg-spark-runtime-4.1_2.13/1.12.0/iceberg-spark-runtime-4.1_2.13-1.12.0.jar"
    )


def test_a_folder_repository_is_fetched_once(repository: Path, tmp_path: Path) -> None:
    folder = tmp_path / "jars"
    assert fetch_jars(str(folder), repository.as_uri()) == (2, sum(map(len, CONTENT.values())))
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == {
        f"{name}-1.0.jar": content for name, content in CONTENT.items()
    }
    assert (folder / "one-1.0.jar").stat().st_mode & 0o777 == 0o644
    assert class_path(str(folder)) == f"{folder}/one-1.0.jar:{folder}/two-1.0.jar"
    assert fetch_jars(str(folder), "file:///nowhere") == (0, 0)


def test_jars_are_for_every_account_of_the_machine(repository: Path, tmp_path: Path) -> None:
    """In an image root fetches them and another account runs Spark; a stage's command makes all else private."""
    folder = tmp_path / "jars"
    before = os.umask(0o077)
    try:
        fetch_jars(str(folder), repository.as_uri())
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == 0o755
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o644}


def test_a_damaged_jar_is_replaced(repository: Path, tmp_path: Path) -> None:
    folder = tmp_path / "jars"
    fetch_jars(str(folder), repository.as_uri())
    (folder / "one-1.0.jar").write_bytes(b"torn")
    assert fetch_jars(str(folder), repository.as_uri())[0] == 1
    assert (folder / "one-1.0.jar").read_bytes() == CONTENT["one"]


def test_other_bytes_than_the_locked_are_refused_and_not_kept(repository: Path, tmp_path: Path) -> None:
    (repository / JARS[1].path).write_bytes(b"tampered")
    folder = tmp_path / "jars"
    with pytest.raises(DataRejected, match=r"expected sha256 .* of two-1.0.jar, found .* nothing was kept"):
        fetch_jars(str(folder), repository.as_uri())
    assert [file.name for file in folder.iterdir()] == ["one-1.0.jar"]


def test_a_repository_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RetryableError, match="could not fetch one-1.0.jar from file:///nowhere"):
        fetch_jars(str(tmp_path / "jars"), "file:///nowhere")


@pytest.fixture
def answers() -> Iterator[tuple[str, list[int]]]:
    """A web server that answers with the status codes it is given, else with the jar cut short."""
    codes: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if codes:
                self.send_error(codes.pop(0))
                return
            self.send_response(200)
            self.send_header("Content-Length", "9000")
            self.end_headers()
            self.wfile.write(CONTENT["one"][:100])

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", codes
        server.shutdown()


def test_answers_of_a_repository_decide_what_to_do_next(answers: tuple[str, list[int]], tmp_path: Path) -> None:
    url, codes = answers
    codes += [404, 503]
    with pytest.raises(UsageError, match="the repository answered 404; check DEFTUNES_MAVEN_URL"):
        fetch_jars(str(tmp_path), url)
    with pytest.raises(RetryableError, match="503"):
        fetch_jars(str(tmp_path), url)
    with pytest.raises((RetryableError, DataRejected)):
        fetch_jars(str(tmp_path), url)
    assert list(tmp_path.iterdir()) == [], "a download cut short leaves nothing"


def test_the_command_fetches_what_the_environment_says(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DEFTUNES_LAKE", raising=False)
    monkeypatch.setenv("DEFTUNES_JARS", str(tmp_path / "jars"))
    monkeypatch.setenv("DEFTUNES_MAVEN_URL", repository.as_uri() + "/")
    assert "2 fetched" in run(["jars"])
    assert "0 fetched" in run(["jars"])
