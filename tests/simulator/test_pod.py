"""A world in a pod: others reach it, read the songs with a password and nothing without, and see when it is ready."""

import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psutil
import psycopg
import pytest

from deftunes_simulator import World, WorldConfig, start_world
from deftunes_simulator.__main__ import main
from deftunes_simulator.database import data_folder

PASSWORD = "tr1ckle-down-it's"


@pytest.fixture
def own_address() -> str:
    """An IPv4 address of this machine beside loopback: from there a connection comes as from another pod."""
    addresses = [
        one.address for found in psutil.net_if_addrs().values() for one in found if one.family is socket.AF_INET
    ]
    for address in addresses:
        if not address.startswith("127.") and _can_bind(address):
            return address
    pytest.skip("this machine has no other IPv4 address than loopback")


def _can_bind(address: str) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def _read(host: str, port: int, user: str, password: str, database: str = "deftunes") -> Any:
    """Count the songs as somebody; a given password keeps PGPASSWORD and ~/.pgpass out."""
    with psycopg.connect(
        host=host, port=port, user=user, password=password, dbname=database, connect_timeout=20
    ) as connection:
        [count] = connection.execute("select count(*) from deftunes.songs").fetchone() or [None]
        return count


def _refused(said: str, *who: Any) -> None:
    with pytest.raises(psycopg.OperationalError, match=said):
        _read(*who)


def _port(dsn: str) -> int:
    return int(psycopg.conninfo.conninfo_to_dict(dsn)["port"] or 0)


def test_others_read_the_songs_with_the_password_which_is_shown_nowhere(
    own_address: str, tmp_path: Path, fetch_from: Callable[..., Any]
) -> None:
    file, home = tmp_path / "password", tmp_path / "home"
    file.write_text(f"{PASSWORD}\n")
    command = [sys.executable, "-m", "deftunes_simulator", "serve", "--scale", "100", "--host", "0.0.0.0"]
    command += ["--songs-password-file", str(file), "--home", str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            shown = "".join(server.stdout.readline() for _ in range(4))
            url, dsn = re.search(r"http://127.0.0.1:(\d+)", shown), re.search(r"postgresql://\S+", shown)
            assert url is not None, shown
            assert dsn is not None, shown
            port = _port(dsn[0])

            assert fetch_from(f"http://{own_address}:{url[1]}", "/users").status == 200
            assert _read(own_address, port, "deftunes", PASSWORD) == 200
            _refused("password authentication failed", own_address, port, "deftunes", "something else")
            _refused("no pg_hba.conf entry", own_address, port, "postgres", PASSWORD)
            _refused("no pg_hba.conf entry", own_address, port, "deftunes", PASSWORD, "postgres")
            with psycopg.connect(
                host=own_address, port=port, user="deftunes", password=PASSWORD, dbname="deftunes", autocommit=True
            ) as reader:
                for statement in ("delete from deftunes.songs", "create table deftunes.own (a int)"):
                    with pytest.raises(psycopg.errors.InsufficientPrivilege):
                        reader.execute(statement)

            # this machine is nobody special: what is shown names a file that only its owner reads
            for user in ("postgres", "deftunes"):
                _refused("authentication failed", "127.0.0.1", port, user, "something else")
            passfile = Path(parse_qs(urlsplit(dsn[0]).query)["passfile"][0])
            assert passfile.stat().st_mode & 0o777 == 0o600
            assert passfile.parent.stat().st_mode & 0o777 == 0o700
            with psycopg.connect(dsn[0]) as reader, pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute("select rolpassword from pg_authid")

            running = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
            logs = [home / "api.log", data_folder(home) / "log"]
            assert all(log.is_file() for log in logs)
            written = [log.read_text() for log in logs]
            assert "password authentication failed" in written[1]  # it is the log of this server
        finally:
            server.terminate()
            rest = server.communicate(timeout=30)
        assert server.returncode == 0
    assert not [text for text in (*running, *written, shown, *rest) if PASSWORD in text]


def test_without_a_password_nobody_else_reads_the_songs(
    own_address: str, tmp_path: Path, fetch_from: Callable[..., Any]
) -> None:
    with start_world(WorldConfig(scale=100, host="0.0.0.0"), tmp_path) as world:
        port = _port(world.owner_dsn)
        assert fetch_from(world.api_url.replace("127.0.0.1", own_address), "/users").status == 200
        for user in ("postgres", "deftunes"):
            _refused("no pg_hba.conf entry", own_address, port, user, PASSWORD)
        with psycopg.connect(world.songs_dsn) as reader:
            assert reader.execute("select count(*) from deftunes.songs").fetchone() == (200,)


def test_one_address_beside_loopback_is_enough(
    own_address: str, tmp_path: Path, fetch_from: Callable[..., Any]
) -> None:
    config = WorldConfig(scale=100, host=own_address)
    with start_world(config, tmp_path, songs_password=PASSWORD) as world:
        assert world.api_url.startswith(f"http://{own_address}:")
        assert fetch_from(world.api_url, "/users").status == 200
        assert world.faults() is not None
        port = _port(world.owner_dsn)
        assert _read(own_address, port, "deftunes", PASSWORD) == 200
        assert _read("127.0.0.1", port, "deftunes", PASSWORD) == 200
        assert world.database is not None
        world.database.restart()
        assert _read(own_address, port, "deftunes", PASSWORD) == 200


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "expected a readable file, found: .*No such file"),
        (b"", "expected a password in .*, found an empty file"),
        (b" \n", "expected a password in .*, found an empty file"),
        (b"\xff\xfe", "expected a readable file, found: .*decode"),
    ],
)
def test_no_usable_password_file_is_a_usage_error(
    content: bytes | None, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    home = tmp_path / "home"
    assert main(["serve", "--home", str(home), "--songs-password-file", str(file)]) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)
    assert re.match(f"deftunes-simulator: --songs-password-file: {said}", shown.err)
    assert not home.exists()  # nothing was started


def test_a_password_for_somebody_elses_database_is_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "password"
    file.write_text(PASSWORD)
    assert main(["serve", "--songs-password-file", str(file), "--songs-dsn", "host=127.0.0.1"]) == 2
    said = capsys.readouterr().err
    assert "--songs-password-file: expected no --songs-dsn beside it" in said
    assert PASSWORD not in said


def test_health_is_503_until_the_songs_are_loaded(world: World, tmp_path: Path, fetch_from: Callable[..., Any]) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    during: list[Any] = []
    # called by the loader between two rows: the loading waits for the answer
    with start_world(
        WorldConfig(scale=100, songs=20_000, api_port=port),
        tmp_path,
        songs_dsn=world.owner_dsn.replace("/deftunes", "/postgres"),
        progress=lambda _: during.append((fetch_from(url, "/health"), fetch_from(url, "/users").status)),
    ):
        assert [(health.status, users) for health, users in during] == [(503, 200)] * 2
        assert all(health.json()["status"] == "loading songs" for health, _ in during)
        assert all(health.json()["songs"] is None for health, _ in during)
        deadline = time.monotonic() + 20
        while (health := fetch_from(url, "/health")).status != 200 and time.monotonic() < deadline:
            time.sleep(0.05)  # the news is on its way to the other process
        told = health.json()
        assert (health.status, told["status"], told["songs"]) == (200, "ok", 20_000)
