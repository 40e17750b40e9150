"""`pulumi` as a person types it, in a copy of the folder: Pulumi.yaml, stacks' files and __main__.py themselves."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from language import language_host
from program import Engine
from standin import StandIn

PROGRAM = Path(__file__).resolve().parents[2] / "infra_pulumi"
REGION = "eu-west-1"


@pytest.fixture(scope="module")
def environment(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A person with a state of their own and the stand-in for AWS."""
    home = tmp_path_factory.mktemp("home")
    (home / "state").mkdir()
    with StandIn(None, REGION) as standin:
        yield {
            **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PULUMI_"))},
            **language_host(),
            "PULUMI_HOME": str(home),
            "PULUMI_BACKEND_URL": f"file://{home / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "of these tests alone",
            "PULUMI_DEBUG_PROVIDERS": f"aws:{standin.port}",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }


@pytest.mark.parametrize("name", ["dev", "staging", "prod"])
def test_a_stack_of_the_folder_is_planned(environment: dict[str, str], tmp_path: Path, name: str) -> None:
    folder = tmp_path / "infra_pulumi"
    shutil.copytree(PROGRAM, folder, ignore=shutil.ignore_patterns(".venv", "__pycache__", ".mypy_cache"))

    def pulumi(*words: str) -> str:
        done = subprocess.run(
            ["pulumi", *words, "--non-interactive"], cwd=folder, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"pulumi {' '.join(words)}: {done.stdout[-3000:]}{done.stderr[-1000:]}"
        return done.stdout

    pulumi("stack", "init", name)
    pulumi("config", "set", "aws:region", REGION)
    planned = re.search(r"\+ (\d+) to create", pulumi("preview"))
    assert planned is not None
    assert int(planned[1]) > 100
