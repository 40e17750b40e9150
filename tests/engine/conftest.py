"""Fixtures of the tests that use Pulumi's real engine; they run in infra_pulumi's environment, not in the main one."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

# by path: this environment knows nothing of the main one's pytest settings
sys.path.insert(0, str(Path(__file__).resolve().parent))

from program import Engine, Program, Stack
from pulumi_binary import find_or_build
from standin import StandIn

REPOSITORY = Path(__file__).resolve().parents[2]
REGION = "eu-west-1"


@pytest.fixture(scope="session")
def engine() -> Engine:
    """Pulumi's command line in the pinned version; built first when nobody did (five minutes)."""
    return Engine(find_or_build())


@pytest.fixture(scope="session")
def _moto() -> Iterator[str]:
    """moto's server, for the whole run: the simulator's cloud, as a process of the main environment."""
    python = REPOSITORY / ".venv" / "bin" / "python"
    if not python.exists():
        pytest.fail(f"expected the main environment at {python}; run `make setup`")
    command = [str(python), "-m", "deftunes_simulator", "cloud", "--region", REGION]
    # AWS's own policies (AmazonEKSClusterPolicy …) exist in an account; stock moto leaves them out
    environment = os.environ | {"MOTO_IAM_LOAD_MANAGED_POLICIES": "true", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if "http://" not in line:
                pytest.fail(f"expected the simulator's cloud to say where it listens, it said {line!r}")
            yield next(word for word in line.split() if word.startswith("http://"))
        finally:
            process.terminate()
            process.wait(timeout=20)


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
