"""Finding and building the engine, with a `go` that takes no five minutes."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pulumi_binary
import pytest
from pulumi_binary import VERSION

# notes that it was called, takes its time, and "builds" something that says a version
GO = """#!/bin/sh
echo built >> "$LOG"
sleep 1
while [ "$1" != -o ]; do shift; done
printf '#!/bin/sh\\necho %s\\n' "$SAYS" > "$2"
chmod +x "$2"
"""


@pytest.fixture
def machine(tmp_path: Path) -> dict[str, str]:
    """The environment of a machine with that `go`, no pulumi and an empty cache."""
    tools = tmp_path / "tools"
    tools.mkdir()
    script(tools / "go", GO)
    return {
        "PATH": f"{tools}:/usr/bin:/bin",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "LOG": str(tmp_path / "log"),
        "SAYS": VERSION,
    }


def script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def call(machine: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, pulumi_binary.__file__]
    return subprocess.run(command, env=machine, capture_output=True, text=True, check=False, timeout=60)


def builds(machine: dict[str, str]) -> int:
    log = Path(machine["LOG"])
    return len(log.read_text().splitlines()) if log.exists() else 0


def test_two_at_once_build_once(machine: dict[str, str]) -> None:
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(call, [machine, machine]))
    expected = f"{machine['XDG_CACHE_HOME']}/deftunes/pulumi/{VERSION}/bin/pulumi"
    assert [one.stdout.strip() for one in done] == [expected, expected]
    assert builds(machine) == 1
    assert call(machine).stdout.strip() == expected
    assert builds(machine) == 1


def test_another_version_on_path_is_passed_over(machine: dict[str, str], tmp_path: Path) -> None:
    script(tmp_path / "tools" / "pulumi", "#!/bin/sh\necho v3.1.0\n")
    assert "/deftunes/pulumi/" in call(machine).stdout
    script(tmp_path / "tools" / "pulumi", f"#!/bin/sh\necho {VERSION}\n")
    assert call(machine).stdout.strip() == str(tmp_path / "tools" / "pulumi")


def test_a_build_of_another_version_is_not_kept(machine: dict[str, str]) -> None:
    done = call({**machine, "SAYS": "v0.0.0"})
    assert done.returncode == 1
    assert f"expected the built pulumi to call itself {VERSION}, found v0.0.0" in done.stderr
    assert list(Path(machine["XDG_CACHE_HOME"]).rglob("*pulumi.*")) == []


def test_without_go_it_says_what_to_install(machine: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "tools" / "go").unlink()
    done = call(machine)
    assert done.returncode == 1
    assert "Install Go" in done.stderr
