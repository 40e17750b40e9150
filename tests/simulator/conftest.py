"""One small world for the whole folder, reached over real HTTP and a real PostgreSQL."""

import http.client
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from deftunes_simulator import World, WorldConfig, start_world

SEED = 7


@dataclass(frozen=True)
class Reply:
    """An HTTP reply, read to its end."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


Get = Callable[..., Reply]


def fetch(base_url: str, path: str, timeout: float = 20, **query: str) -> Reply:
    address = urlsplit(base_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=timeout)
    try:
        connection.request("GET", f"{path}?{urlencode(query)}" if query else path)
        reply = connection.getresponse()
        return Reply(reply.status, reply.headers, reply.read())
    finally:
        connection.close()


@pytest.fixture(scope="session")
def small_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world of the smallest scale: 36 months, 2020-07 empty, 2020-03 without likes."""
    with start_world(WorldConfig(seed=SEED, scale=100), tmp_path_factory.mktemp("world")) as world:
        yield world


@pytest.fixture
def world(small_world: World) -> Iterator[World]:
    """The small world without faults, before and after."""
    small_world.set_faults([])
    yield small_world
    small_world.set_faults([])


@pytest.fixture
def get(world: World) -> Get:
    """``get("/users", start_date=…, end_date=…)`` on the small world."""
    return lambda path, **options: fetch(world.api_url, path, **options)


@pytest.fixture(scope="session")
def fetch_from() -> Get:
    """``fetch_from(base_url, path, **query)`` for other worlds."""
    return fetch


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with real payloads and songs, which is not part of the repository."""
    beside_the_repository = Path(__file__).parents[2].parent / "shared"
    folder = Path(os.environ.get("DEFTUNES_SHARED", beside_the_repository)) / "data" / "real"
    if not folder.is_dir():
        pytest.skip(f"real data is not at {folder}; set DEFTUNES_SHARED to the folder that holds data/real")
    return folder
