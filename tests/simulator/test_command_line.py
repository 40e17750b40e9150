"""The command line: one sentence on failure, the promised exit codes, examples in every help."""

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import psycopg
import pytest

from deftunes_simulator import World
from deftunes_simulator.__main__ import main
from deftunes_simulator.faults import KINDS

COMMAND = [sys.executable, "-m", "deftunes_simulator"]


@pytest.mark.parametrize("command", ["serve", "load-songs", "database", "cloud", "faults"])
def test_every_help_has_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([command, "--help"])
    assert left.value.code == 0
    assert f"deftunes-simulator {command}" in capsys.readouterr().out.split("example", 1)[1]


def test_faults_lists_every_kind(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["faults"]) == 0
    shown = capsys.readouterr().out
    assert all(re.search(rf"^{kind} ", shown, re.MULTILINE) for kind in KINDS)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["serve", "--scale", "5"], 2, "scale: expected 100 to 200,000,000, found 5"),
        (["serve", "--fault", "users:explode"], 2, "expected one of the kinds"),
        (["serve", "--empty-month", "July"], 2, "expected a month as YYYY-MM, found 'July'"),
        (["serve", "--songs-dsn", "postgresql://me:secret@localhost/x"], 2, "put it into PGPASSWORD"),
        (["load-songs", "--songs-dsn", "nonsense"], 2, "expected a libpq URI"),
        (["load-songs", "--songs-csv", "/nowhere.csv"], 2, "songs_csv: expected a file"),
        (["load-songs", "--songs-dsn", "host=127.0.0.1 port=1 user=me"], 75, "try again"),
    ],
)
def test_failures_end_in_one_sentence_and_a_code(
    arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == code
    last = capsys.readouterr().err.splitlines()[-1]
    assert said in last
    assert "secret" not in last


def test_no_command_is_a_usage_error() -> None:
    with pytest.raises(SystemExit) as left:
        main([])
    assert left.value.code == 2


def test_load_songs_into_an_existing_database(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert world.database is not None
    dsn = world.database._owner_dsn("postgres")  # by the socket, so that no password is on the command line
    assert main(["load-songs", "--songs-dsn", dsn, "--songs", "250"]) == 0
    assert "Loaded 250 songs" in capsys.readouterr().out
    with psycopg.connect(dsn) as connection:
        assert connection.execute("select count(*) from deftunes.songs").fetchone() == (250,)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _serving(*options: str) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """Run ``serve``; give the process, the URL and the DSN it printed."""
    command = [*COMMAND, "serve", "--scale", "100", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        shown = "".join(server.stdout.readline() for _ in range(4))
        url, dsn = re.search(r"http://\S+", shown), re.search(r"postgresql://\S+", shown)
        assert url is not None, shown
        assert dsn is not None, shown
        yield server, url[0], dsn[0]


def test_serve_runs_until_ctrl_c(fetch_from: Callable[..., Any]) -> None:
    ports = [str(_free_port()), str(_free_port())]
    options = ["--empty-month", "none", "--no-likes-month", "2020-01", "--fault", "users:http_500"]
    with _serving(*options, "--port", ports[0], "--songs-port", ports[1]) as (server, url, dsn):
        assert url == f"http://127.0.0.1:{ports[0]}"
        assert dsn.startswith(f"postgresql://deftunes@127.0.0.1:{ports[1]}/deftunes?passfile=/")
        july = fetch_from(url, "/sessions", start_date="2020-07-01", end_date="2020-07-31")
        assert len(july.json()) > 10
        january = fetch_from(url, "/sessions", start_date="2020-01-01", end_date="2020-01-31")
        assert b'"liked":true' not in january.body
        assert fetch_from(url, "/users").status == 500
        with psycopg.connect(dsn) as connection:
            assert connection.execute("select count(*) from deftunes.songs").fetchone() == (200,)
        server.send_signal(signal.SIGINT)
        assert server.communicate(timeout=20) == ("Stopped: API and PostgreSQL have ended.\n", "")
        assert server.returncode == 0
    with pytest.raises(OSError, match="refused"):
        fetch_from(url, "/health")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(dsn)


def test_serve_stops_on_sigterm_and_says_so_when_the_api_dies(world: World) -> None:
    assert world.database is not None
    elsewhere = ["--songs-dsn", world.database._owner_dsn("postgres")]
    with _serving(*elsewhere) as (server, _, _):
        server.terminate()
        server.communicate(timeout=20)
        assert server.returncode == 0
    with _serving(*elsewhere) as (server, _, _):
        [api] = psutil.Process(server.pid).children()
        api.kill()
        _, errors = server.communicate(timeout=20)
        assert server.returncode == 75
        assert "the API ended by itself; see" in errors
