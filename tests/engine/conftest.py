"""Fixtures of the tests that use Pulumi's real engine; they run in infra_pulumi's environment, not in the main one."""

from __future__ import annotations

import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

# by path: this environment knows nothing of the main one's pytest settings
sys.path.insert(0, str(Path(__file__).resolve().parent))

from listening import listening
from program import Engine, Program, Stack
from pulumi_binary import find_or_build
from standin import StandIn

REGION = "eu-west-1"


@pytest.fixture(scope="session")
def engine() -> Engine:
    """Pulumi's command line in the pinned version; built first when nobody did (five minutes)."""
    return Engine(find_or_build())


@pytest.fixture(scope="session")
def _moto() -> Iterator[str]:
    """moto's server, for the whole run: the simulator's cloud, as a process of the main environment."""
    # AWS's own policies (AmazonEKSClusterPolicy …) exist in an account; stock moto leaves them out
    command = ("python", "-m", "deftunes_simulator", "cloud", "--region", REGION)
    with listening(*command, MOTO_IAM_LOAD_MANAGED_POLICIES="true") as told:
        yield told["http://"]


@pytest.fixture(scope="module")
def moto(_moto: str) -> str:
    """An account in moto that is empty at the start of each file."""
    reset = urllib.request.Request(f"{_moto}/moto-api/reset", method="POST")
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(reset).close()
    return _moto


@pytest.fixture(scope="module")
def stack(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Stack]]:
    """Makes stacks: stack(program, config, endpoint=moto, project=…, name=…, policies=[…]).

    Each has a folder and a stand-in of its own, both gone at the end of the file.
    """
    with ExitStack() as ends:

        def make(
            program: Program, config: Mapping[str, Any] | None = None, *, endpoint: str | None = None, **more: Any
        ) -> Stack:
            standin = ends.enter_context(StandIn(endpoint, REGION))
            return Stack(engine, standin, tmp_path_factory.mktemp("stack"), program, config, **more)

        yield make
