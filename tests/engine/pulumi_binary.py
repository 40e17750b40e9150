"""Pulumi's command line in the one version that the tests are written against: on PATH, else built from Go modules.

Its installer's site cannot be reached from every build machine, Go's module proxy can: that is where it comes from.
On its own (`python tests/engine/pulumi_binary.py`) it prints the path; so a build of five minutes is no test's timeout.
What protects it: one builder at a time (a lock beside the binary), a partial file that is renamed when it is whole.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VERSION = "v3.259.0"
"""Of the engine; cli/go.mod and infra_pulumi's pin of the SDK say the same (test_facts.py)."""
MODULE = Path(__file__).resolve().parent / "cli"
PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
# without it the engine calls itself a version that the automation API refuses to talk to
LINK_FLAGS = f"-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version={VERSION}"
PROGRESS_SECONDS = 30


def home() -> Path:
    """The folder that the built binary lives in, as bin/pulumi: outside the checkout, kept between runs."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "deftunes" / "pulumi" / VERSION


def say(text: str) -> None:
    """Progress, to standard error: standard output holds the path alone."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def version_of(binary: Path) -> str | None:
    """What a binary says it is; None when it cannot be run."""
    quiet = os.environ | {"PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        done = subprocess.run([binary, "version"], capture_output=True, text=True, check=False, timeout=60, env=quiet)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def find() -> Path | None:
    """The binary on PATH when it is of the pinned version, else the one built before; None when there is neither.

    Another version on PATH is passed over: plans and messages differ between versions, and tests quote them.
    """
    on_path = shutil.which("pulumi")
    for candidate in (Path(on_path) if on_path else None, home() / "bin" / "pulumi"):
        if candidate is not None and candidate.is_file() and version_of(candidate) == VERSION:
            return candidate
    return None


def find_or_build() -> Path:
    """The binary, built first when it is nowhere. Raises SystemExit with what to install when that cannot be."""
    found = find()
    if found is not None:
        return found
    with _alone():
        # whoever held the lock before may have built it
        return find() or _build()


@contextmanager
def _alone() -> Iterator[None]:
    """Wait until nobody else builds; the lock is gone with the process, however it ends."""
    home().mkdir(parents=True, exist_ok=True)
    with (home() / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another process that builds pulumi {VERSION}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build() -> Path:
    go = shutil.which("go")
    if go is None:
        raise SystemExit(
            f"expected pulumi {VERSION} on PATH, or Go 1.25.11 or newer to build it with; found neither."
            f" Install Go (https://go.dev/dl) or pulumi {VERSION}, and call again"
        )
    binary = home() / "bin" / "pulumi"
    binary.parent.mkdir(parents=True, exist_ok=True)
    aside = binary.with_name(f".pulumi.{os.getpid()}.partial")
    command = [go, "build", "-trimpath", "-ldflags", LINK_FLAGS, "-o", str(aside), PACKAGE]
    # the toolchain that is installed, and no C compiler: what is built depends on nothing else of the machine
    environment = os.environ | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}
    say(f"building pulumi {VERSION} from its Go module (five minutes on two cores the first time)")
    try:
        _run(command, environment)
        found = version_of(aside)
        if found != VERSION:
            raise SystemExit(f"expected the built pulumi to call itself {VERSION}, found {found}")
        aside.replace(binary)
    finally:
        aside.unlink(missing_ok=True)
    return binary


def _run(command: list[str], environment: dict[str, str]) -> None:
    """Run to its end with a line every so often; a failure ends the program with its last words."""
    began = time.monotonic()
    with subprocess.Popen(
        command, cwd=MODULE, env=environment, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        while True:
            try:
                _, errors = process.communicate(timeout=PROGRESS_SECONDS)
                break
            except subprocess.TimeoutExpired:
                say(f"  still building after {time.monotonic() - began:.0f} s")
            except BaseException:
                process.kill()
                raise
    if process.returncode:
        last = errors.strip()[-2000:]
        raise SystemExit(f"expected {' '.join(command)} to succeed, it ended with {process.returncode}: {last}")


if __name__ == "__main__":
    sys.stdout.write(f"{find_or_build()}\n")
