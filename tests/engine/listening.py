"""Servers of the main environment as processes of a test: started, heard until they say where they listen, ended."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

COMMANDS = Path(__file__).resolve().parents[2] / ".venv" / "bin"
"""Where the main environment has its commands."""


@contextmanager
def listening(*command: str, schemes: tuple[str, ...] = ("http://",), **more: str) -> Iterator[dict[str, str]]:
    """Run a command of the main environment; yields scheme -> the first address of it that it prints.

    `more` goes into its environment. Raises RuntimeError when it ends before it has said them all.
    """
    program = COMMANDS / command[0]
    if not program.exists():
        raise RuntimeError(f"expected the main environment's {program.name} at {program}; run `make setup`")
    environment = os.environ | {"PYTHONUNBUFFERED": "1"} | more
    with subprocess.Popen([program, *command[1:]], stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            told: dict[str, str] = {}
            while len(told) < len(schemes):
                line = process.stdout.readline()
                if not line:
                    raise RuntimeError(
                        f"expected {' '.join(command)} to say where it listens, it said {told} and ended"
                    )
                for word in line.split():
                    for scheme in schemes:
                        if word.startswith(scheme):
                            told.setdefault(scheme, word)
            yield told
        finally:
            process.terminate()
            process.wait(timeout=30)
