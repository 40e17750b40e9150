"""A shop and platforms to run against it: everything real, from HTTP and PostgreSQL to the serving views."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import StringIO
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg
import pytest
from killable import start_platform
from pyspark.sql import SparkSession

from deftunes_cli.__main__ import main
from deftunes_cli.run_record import RunRecord, last_record
from deftunes_cli.workspace import Workspace
from deftunes_lake.settings import SparkSettings
from deftunes_simulator.config import WorldConfig
from deftunes_simulator.world import World, start_world

COMPARED = ("items", "total_sales", "sales", "tables")
"""The parts of `deftunes verify --json` that must be equal when the state is."""
PATIENCE = 240
"""Seconds after which a subprocess that should have moved on counts as stuck."""


@dataclass
class Platform:
    """One embedded platform in a folder of its own, run in this process or in one that can be killed."""

    root: Path
    shop: World
    more: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Workspace:
        return Workspace(self.root)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "DEFTUNES_HOME": str(self.root),
            "DEFTUNES_LAKE": str(self.home.lake),
            "DEFTUNES_SERVING": str(self.home.serving),
            "DEFTUNES_API_URL": self.shop.api_url,
            "DEFTUNES_SONGS_DSN": self.shop.songs_dsn,
            "DEFTUNES_SPARK_MASTER": "local[2]",
            "DEFTUNES_SPARK_SMALL": "true",
            **self.more,
        }

    def call(self, *argv: str) -> tuple[int, str, str]:
        """Run a `deftunes` command in this process: exit code, standard output, standard error."""
        out, err = StringIO(), StringIO()
        with (
            mock.patch.dict(os.environ, self.environment),
            mock.patch("sys.stdout", out),
            mock.patch("sys.stderr", err),
        ):
            code = main(list(argv))
        return code, out.getvalue(), err.getvalue()

    def run(self, start: str, end: str, *more: str) -> int:
        return self.call("run", "--start", start, "--end", end, *more)[0]

    def verify(self) -> dict[str, Any]:
        code, out, err = self.call("verify", "--json")
        found: dict[str, Any] = json.loads(out)
        assert code == (0 if found["reconciled"] else 1), err
        return found

    def state(self) -> dict[str, Any]:
        """What must be equal between equal states; the platform must reconcile."""
        found = self.verify()
        assert found["reconciled"], [fault["sentence"] for fault in found["faults"]]
        return {name: found[name] for name in COMPARED}

    def shop_database(self) -> psycopg.Connection[Any]:
        """The shop's own database, as its reader."""
        return psycopg.connect(self.shop.songs_dsn)

    def record(self) -> RunRecord:
        found = last_record(self.home)
        assert found is not None
        return found

    def sentences(self) -> str:
        return "\n".join(step.sentence for step in self.record().steps)

    def spawn(self, *argv: str) -> BaseProcess:
        """Run a `deftunes` command in a process group of its own, JVM included; only the imports are done already."""
        self.root.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, **self.environment, "DEFTUNES_LOG_LEVEL": "INFO"}
        return start_platform(environment, argv, self.root / "spawned.log")

    def kill_when(self, ready: Callable[[Platform], bool], *argv: str) -> bool:
        """Run a command and SIGKILL it with all its children at the moment `ready`; False when it ended before.

        `ready` is asked once the command's own record is there: that of an earlier run says nothing of this one.
        """
        earlier = set(self.home.runs.glob("[!.]*.json"))
        running = self.spawn(*argv)
        assert running.pid is not None
        deadline = time.monotonic() + PATIENCE
        while running.exitcode is None:
            if earlier < set(self.home.runs.glob("[!.]*.json")) and ready(self):
                os.killpg(running.pid, signal.SIGKILL)
                running.join()
                return True
            assert time.monotonic() < deadline, (self.root / "spawned.log").read_text()[-3000:]
            time.sleep(0.01)
        return False


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A small shop without faults."""
    with start_world(WorldConfig(seed=7, scale=400), tmp_path_factory.mktemp("shop")) as world:
        yield world


@pytest.fixture(scope="session")
def platforms(
    tmp_path_factory: pytest.TempPathFactory, shop: World, spark: SparkSession, spark_settings: SparkSettings
) -> Callable[[str], Platform]:
    """Make an empty platform. They share the session's JVM, each with a catalog of its own."""
    return lambda name: Platform(tmp_path_factory.mktemp(name), shop)


@pytest.fixture
def platform(platforms: Callable[[str], Platform], request: pytest.FixtureRequest) -> Platform:
    """An empty platform for one test."""
    return platforms(request.node.name.replace("[", "-").replace("]", ""))


@pytest.fixture(scope="session")
def loaded(platforms: Callable[[str], Platform]) -> Platform:
    """January and February, loaded in one go: what every other way of loading them is compared with."""
    found = platforms("loaded")
    assert found.run("2020-01-01", "2020-03-01") == 0, found.sentences()
    return found


@pytest.fixture(scope="session")
def as_loaded(loaded: Platform) -> dict[str, Any]:
    """The state of `loaded` when it was new: no test may change it, so each compares with this."""
    return loaded.state()


@pytest.fixture(scope="session")
def january(platforms: Callable[[str], Platform]) -> dict[str, Any]:
    """The state after January alone."""
    found = platforms("january")
    assert found.run("2020-01-01", "2020-02-01") == 0, found.sentences()
    return found.state()


@pytest.fixture
def misbehave(shop: World) -> Callable[..., Any]:
    """`with misbehave("sessions:http_500") as shop:` lets the shop's API misbehave for a while."""

    @contextmanager
    def faults(*rules: str) -> Iterator[World]:
        shop.set_faults(rules)
        try:
            yield shop
        finally:
            shop.set_faults([])

    return faults
