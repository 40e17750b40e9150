"""A PostgreSQL of one's own: its account and no other gets in, its data stay, its password is shown nowhere."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from deftunes_simulator.__main__ import main
from deftunes_simulator.database import data_folder
from deftunes_simulator.postgres import claim, postmaster_pid

PASSWORD = 'b4ck-stage it\'s "all"'


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A folder for a database; root's data lie elsewhere and are kept, so they are removed here."""
    folder = tmp_path / "home"
    yield folder
    shutil.rmtree(data_folder(folder, "database"), ignore_errors=True)


def _file(home: Path, password: str = PASSWORD) -> str:
    file = home.with_name("password")
    file.write_text(f"{password}\n")
    return str(file)


class Running:
    """A ``database`` command that serves."""

    def __init__(self, process: subprocess.Popen[str], shown: str) -> None:
        self.process, self.shown = process, shown
        found = re.search(r"DATABASE +postgresql://\w+@[\d.]+:(\d+)/", shown)
        assert found is not None, shown
        self.port = int(found[1])

    def connect(self, user: str = "airflow", password: str = PASSWORD, **where: Any) -> psycopg.Connection[Any]:
        """Connect as somebody; a given password keeps PGPASSWORD and ~/.pgpass out."""
        where = {"host": "127.0.0.1", "dbname": "airflow"} | where
        return psycopg.connect(port=self.port, user=user, password=password, connect_timeout=20, **where)

    def end(self, number: int = signal.SIGTERM) -> tuple[str, str]:
        self.process.send_signal(number)
        return self.process.communicate(timeout=60)


@contextmanager
def _database(home: Path, *options: str, password: str = PASSWORD) -> Iterator[Running]:
    command = [sys.executable, "-m", "deftunes_simulator", "database", "--name", "airflow", "--home", str(home)]
    command += ["--password-file", _file(home, password), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Running(process, "".join(process.stdout.readline() for _ in range(3)))
        finally:
            if process.poll() is None:
                process.terminate()
                process.communicate(timeout=60)


def _own_address() -> str:
    """An IPv4 address of this machine beside loopback: from there a connection comes as from another pod."""
    for one in (one for found in psutil.net_if_addrs().values() for one in found if one.family is socket.AF_INET):
        if not one.address.startswith("127."):
            with socket.socket() as probe:
                try:
                    probe.bind((one.address, 0))
                except OSError:
                    continue
                return str(one.address)
    pytest.skip("this machine has no other IPv4 address than loopback")


def test_its_account_and_nobody_else_gets_in(home: Path) -> None:
    elsewhere = _own_address()
    with _database(home, "--host", "0.0.0.0") as running:
        for host in ("127.0.0.1", elsewhere):
            with running.connect(host=host) as connection:  # Airflow's migrations make types, tables and indexes
                connection.execute("create table dag (id int primary key)")
                connection.execute("drop table dag")
                [version] = connection.execute("show server_version").fetchone() or [""]
                assert int(version.split(".")[0]) >= 14  # what Airflow 3 asks for
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                running.connect(host=host, password="something else")
            with pytest.raises(psycopg.OperationalError, match="no pg_hba.conf entry"):
                running.connect(host=host, dbname="postgres")
        with pytest.raises(psycopg.OperationalError, match="no pg_hba.conf entry"):
            running.connect("postgres", host=elsewhere)
        for password in ("", PASSWORD):
            with pytest.raises(psycopg.OperationalError, match="no pg_hba.conf entry"):
                running.connect("postgres", password)
        folder = (data_folder(home, "database") / "postmaster.pid").read_text().splitlines()[4]
        assert Path(folder).stat().st_mode & 0o777 == 0o700
        with running.connect("postgres", "", host=folder) as owner:
            select = "select rolpassword, rolsuper, rolcreaterole from pg_authid where rolname = 'airflow'"
            [stored, *powers] = owner.execute(select).fetchone() or [""]
            assert (stored.startswith("SCRAM-SHA-256$"), powers) == (True, [False, False])
            # an evaluation's metadata may survive its machine: unlike the songs', they are written through
            assert owner.execute("show fsync").fetchone() == ("on",)


def test_the_password_is_shown_nowhere(home: Path) -> None:
    with _database(home) as running:
        running.connect().close()
        with pytest.raises(psycopg.OperationalError):
            running.connect(password="something else")
        words = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
        log = (data_folder(home, "database") / "log").read_text()
        said = running.end()
    assert "password authentication failed" in log  # it is the log of this server
    assert not [text for text in (*words, log, running.shown, *said) if PASSWORD in text]


def test_data_survive_a_restart_and_a_changed_password_counts(home: Path) -> None:
    with _database(home) as running:
        with running.connect() as connection:
            connection.execute("create table kept as select 7 as n")
        said = running.end()
        assert running.process.returncode == 0, said
        assert said == (f"Stopped: PostgreSQL has ended; its data stay in {data_folder(home, 'database')}.\n", "")
    with _database(home, password="another one") as running:
        with running.connect(password="another one") as connection:
            assert connection.execute("select n from kept").fetchone() == (7,)
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            running.connect()
        running.end(signal.SIGINT)
        assert running.process.returncode == 0
        with pytest.raises(psycopg.OperationalError):
            running.connect(password="another one")


def test_a_killed_one_is_taken_over_and_a_number_that_is_somebody_elses_is_left_alone(home: Path) -> None:
    data = data_folder(home, "database")
    with _database(home) as running:
        with running.connect() as connection:
            connection.execute("create table kept as select 7 as n")
        running.process.kill()
        running.process.wait()
        left = postmaster_pid(data)
        assert left is not None
        assert psutil.pid_exists(left)
    with _database(home) as running:
        with running.connect() as connection:
            assert connection.execute("select n from kept").fetchone() == (7,)
        assert postmaster_pid(data) != left
        kept = (data / "postmaster.pid").read_text()
    # as on a volume whose pod was killed: in the next pod the number is another process's, here the test's
    (data / "postmaster.pid").write_text("\n".join([str(os.getpid()), *kept.split("\n")[1:]]))
    with _database(home) as running, running.connect() as connection:
        assert connection.execute("select n from kept").fetchone() == (7,)


def test_it_says_when_postgresql_dies(home: Path) -> None:
    with _database(home) as running:
        psutil.Process(postmaster_pid(data_folder(home, "database"))).kill()
        _, errors = running.process.communicate(timeout=60)
        assert running.process.returncode == 75
        assert "PostgreSQL ended by itself; see" in errors


def test_another_owner_is_refused(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with _database(home, "--user", "one") as running:
        running.connect("one").close()
    other = ["database", "--name", "airflow", "--user", "two", "--password-file", _file(home), "--home", str(home)]
    assert main(other) == 2
    assert re.search("--user: expected one, who owns the database airflow in .*, found two", capsys.readouterr().err)
    assert postmaster_pid(data_folder(home, "database")) is None  # nothing keeps running


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--name", "air flow"], "--name: expected small letters, digits and _"),
        (["--name", "postgres"], "--name: expected small letters"),
        (["--user", "pg_monitor"], "--user: expected small letters"),
        (["--password-file", "/nowhere"], "--password-file: expected a readable file"),
    ],
)
def test_what_cannot_be_is_a_usage_error(
    options: list[str], said: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    usual = ["database", "--name", "airflow", "--password-file", _file(home), "--home", str(home)]
    assert main([*usual, *options]) == 2
    assert said in capsys.readouterr().err
    assert not home.exists()


def test_a_taken_port_and_a_taken_folder_are_usage_errors(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    usual = ["database", "--name", "airflow", "--password-file", _file(home), "--home", str(home)]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main([*usual, "--port", str(port)]) == 2
        assert f"--port: expected a free port on 127.0.0.1, {port} is taken" in capsys.readouterr().err
    with claim(home, "world"):
        assert main(usual) == 2
        assert "another world or database runs in" in capsys.readouterr().err
