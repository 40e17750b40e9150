"""S3 and Glue in memory as a process of its own: ready when it says so, honest about conflicts, gone when told."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.s3.models import S3Backend

from deftunes_simulator.cloud import LOOPBACK, Cloud, cloud

COMMAND = [sys.executable, "-m", "deftunes_simulator", "cloud"]
REGION = "eu-west-1"
# What a machine may have set; the cloud makes its bucket by calling itself, which must not go through a proxy.
_PROXY = {"HTTP_PROXY": "http://127.0.0.1:1", "NO_PROXY": ""}
ENVIRONMENT = os.environ | _PROXY | {name.lower(): value for name, value in _PROXY.items()}


@contextmanager
def _running(*options: str) -> Iterator[tuple[subprocess.Popen[str], Cloud]]:
    """Run ``cloud``; give the process and its clients, from the one line it printed."""
    command = [*COMMAND, "--bucket", "trial", "--region", REGION, *options]
    with subprocess.Popen(
        command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            shown = process.stdout.readline()
            said = re.fullmatch(r"S3 and Glue  (http://127\.0\.0\.1:\d+)  \(bucket trial\); stop with .*\n", shown)
            assert said is not None, shown
            yield process, Cloud(said[1], "trial", REGION)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def there() -> Iterator[Cloud]:
    """One running cloud for the tests that only use it."""
    with _running() as (_, clients):
        yield clients


def _code(call: Any, **arguments: Any) -> str:
    """The error code with which a call is refused."""
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    return str(refused.value.response["Error"]["Code"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_line_when_ready_and_zero_at_the_end(number: signal.Signals) -> None:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port = probe.getsockname()[1]
    with _running("--port", str(port)) as (process, clients):
        assert clients.endpoint.endswith(f":{port}")
        s3 = clients.client("s3")
        assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["trial"]
        process.send_signal(number)
        assert process.communicate(timeout=30) == ("", "")
        assert process.returncode == 0
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((LOOPBACK, port), timeout=5)


def test_what_was_put_is_there(there: Cloud) -> None:
    s3 = there.client("s3")
    s3.put_object(Bucket="trial", Key="a/b.txt", Body=b"tone")
    assert s3.get_object(Bucket="trial", Key="a/b.txt")["Body"].read() == b"tone"
    assert [one["Key"] for one in s3.list_objects_v2(Bucket="trial", Prefix="a/")["Contents"]] == ["a/b.txt"]


def test_a_conditional_put_is_refused_when_another_was_first(there: Cloud) -> None:
    s3 = there.client("s3")
    where = {"Bucket": "trial", "Key": "only-once"}
    assert _code(s3.put_object, **where, Body=b"0", IfMatch='"never"') == "NoSuchKey"
    first = s3.put_object(**where, Body=b"1", IfNoneMatch="*")["ETag"]
    assert _code(s3.put_object, **where, Body=b"2", IfNoneMatch="*") == "PreconditionFailed"
    second = s3.put_object(**where, Body=b"3", IfMatch=first)["ETag"]
    assert second != first
    assert _code(s3.put_object, **where, Body=b"4", IfMatch=first) == "PreconditionFailed"
    assert s3.get_object(**where)["Body"].read() == b"3"


def test_of_many_conditional_puts_at_once_one_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    write = S3Backend.put_object

    def slow(*given: Any, **named: Any) -> Any:
        time.sleep(0.2)  # between moto's look and its write: time for everybody else to look
        return write(*given, **named)

    monkeypatch.setattr(S3Backend, "put_object", slow)
    with cloud(LOOPBACK, 0, "lake", REGION) as running, ThreadPoolExecutor(4) as threads:
        clients = [running.client("s3") for _ in range(4)]

        def put(number: int) -> str:
            try:
                clients[number].put_object(Bucket="lake", Key="race", Body=str(number).encode(), IfNoneMatch="*")
            except ClientError as refused:
                return str(refused.response["Error"]["Code"])
            return "won"

        ends = list(threads.map(put, range(4)))
        assert sorted(ends) == ["PreconditionFailed"] * 3 + ["won"]
        kept = clients[0].get_object(Bucket="lake", Key="race")["Body"].read()
        assert kept == str(ends.index("won")).encode()


def test_a_stale_version_of_a_table_is_refused(there: Cloud) -> None:
    glue = there.client("glue")

    def table(location: str) -> dict[str, Any]:
        return {"Name": "songs", "Parameters": {"metadata_location": location}}

    def current() -> tuple[str, str]:
        found = glue.get_table(DatabaseName="music", Name="songs")["Table"]
        return found["VersionId"], found["Parameters"]["metadata_location"]

    def update(location: str, **version: str) -> None:
        glue.update_table(DatabaseName="music", TableInput=table(location), SkipArchive=True, **version)

    glue.create_database(DatabaseInput={"Name": "music"})
    glue.create_table(DatabaseName="music", TableInput=table("1"))
    read, _ = current()
    update("2", VersionId=read)
    assert current()[1] == "2"
    assert current()[0] != read
    assert _code(update, location="3", VersionId=read) == "ConcurrentModificationException"
    assert current()[1] == "2"
    update("4", VersionId=current()[0])
    update("5")  # without a version nothing is compared, as with AWS
    assert current()[1] == "5"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--port", "{taken}"], r"--port: expected a free port on 127\.0\.0\.1, {taken} is not: .*in use"),
        (["--port", "70000"], r"--port: expected a free port on 127\.0\.0\.1, 70000 is not: .*0-65535"),
        (["--bucket", "Not A Name"], "--bucket: expected a name that S3 accepts, found 'Not A Name'"),
        (["--bucket", "x"], "--bucket: expected a name that S3 accepts, found 'x'"),
    ],
)
def test_what_cannot_be_ends_in_one_sentence(options: list[str], said: str) -> None:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        command = [*COMMAND, *(option.format(taken=port) for option in options)]
        done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert re.match(f"deftunes-simulator: {said.format(taken=port)}", done.stderr)


def test_without_the_extra_it_says_what_is_missing() -> None:
    code = "import sys; sys.modules['moto'] = None; from deftunes_simulator.__main__ import console; console()"
    done = subprocess.run([sys.executable, "-c", code, "cloud"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "expected the extra deftunes-simulator[cloud] to be installed" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_next_one_in_a_process_starts_empty() -> None:
    for _ in range(2):
        with cloud(LOOPBACK, 0, "lake", "us-east-1") as running:
            s3 = running.client("s3")
            assert "Contents" not in s3.list_objects_v2(Bucket="lake")
            s3.put_object(Bucket="lake", Key="left", Body=b"")
