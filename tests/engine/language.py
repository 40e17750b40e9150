"""What `pulumi` itself needs to run a program in Python from its folder: the language host, built from a Go module.

The host of the engine's own version is a module that the proxy does not give (403 on all its versions), and its binary
is on a site that cannot be reached from every build machine. Up to v3.79.0 it was a part of the SDK's module, which the
proxy has; that one speaks the protocol of today in what a preview and an update ask of it. Fifty seconds to build.

    environment = os.environ | language_host()          # PATH, and which Python runs the program
    subprocess.run(["pulumi", "preview", "--stack", "dev"], cwd="infra_pulumi", env=environment | …)

What it cannot: `toolchain: uv` and `typechecker` of Pulumi.yaml mean nothing to it (the program runs in infra_pulumi's
environment as it is), it makes no environment, and it cannot start a policy pack, because what says where the pack lies
came later. So policies are tested with inline programs, where no language host may be on PATH (program.py).
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from pathlib import Path

from pulumi_binary import home, say

HOST = "v3.79.0"
"""The last SDK that holds the host; language_host/go.mod says the same."""
MODULE = Path(__file__).resolve().parent / "language_host"
SDK = "github.com/pulumi/pulumi/sdk/v3"
PYTHON = Path(__file__).resolve().parents[2] / "infra_pulumi" / ".venv" / "bin" / "python"
# it looks for plugins in what pip lists, and an environment made by uv has no pip; the aws provider is attached
_PYTHON_SCRIPT = """#!/bin/sh
if [ "$1 $2 $3" = "-m pip list" ]; then echo '[]'; exit 0; fi
exec '{python}' "$@"
"""


def language_host() -> dict[str, str]:
    """Settings with which `pulumi` finds it, built first when it is nowhere. Raises SystemExit when that cannot be."""
    folder = home() / f"language-{HOST}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "pulumi-language-python").is_file():
            _build(folder)
        python = folder / "python"
        python.write_text(_PYTHON_SCRIPT.format(python=PYTHON))
        python.chmod(0o755)
    binary = home() / "bin"
    return {
        "PATH": os.pathsep.join([str(folder), str(binary), os.environ["PATH"]]),
        "PULUMI_PYTHON_CMD": str(python),
    }


def _build(folder: Path) -> None:
    go = shutil.which("go")
    if go is None:
        raise SystemExit(
            "expected Go 1.24 or newer to build Pulumi's language host with, found none: https://go.dev/dl"
        )
    environment = os.environ | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"}
    say(f"building Pulumi's language host {HOST} from its Go module (a minute on two cores)")
    listed = _go([go, "mod", "download", "-json", f"{SDK}@{HOST}"], environment)
    aside = folder / ".partial"
    _go([go, "build", "-trimpath", "-o", str(aside), f"{SDK}/python/cmd/pulumi-language-python"], environment)
    # the script that it starts the program with stands beside it
    script = "pulumi-language-python-exec"
    shutil.copyfile(Path(json.loads(listed)["Dir"]) / "python" / "cmd" / script, folder / script)
    (folder / script).chmod(0o755)
    aside.replace(folder / "pulumi-language-python")


def _go(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=MODULE, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(
            f"expected {' '.join(command)} to succeed, it ended with {done.returncode}: {done.stderr[-2000:]}"
        )
    return done.stdout
