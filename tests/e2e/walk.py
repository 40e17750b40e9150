"""A person at a shell: which cluster, and how commands of a page are run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]

_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "deftunes" / "cluster" / "bin"
_STATE = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "deftunes" / "cluster"


@dataclass(frozen=True)
class Cluster:
    """kubeconfig and context of the cluster under test."""

    kubeconfig: str
    context: str | None


def cluster_of(environment: Mapping[str, str]) -> Cluster | None:
    """The cluster that E2E_CONTEXT names, else the one of `make cluster-up` when `make e2e` asked for it."""
    if context := environment.get("E2E_CONTEXT"):
        return Cluster(environment.get("KUBECONFIG") or str(Path.home() / ".kube" / "config"), context)
    own = _STATE / "admin.conf"
    return Cluster(str(own), None) if environment.get("E2E") and own.is_file() else None


def clean_environment() -> dict[str, str]:
    """This process's environment without settings of a platform or of AWS."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("DEFTUNES_", "AWS_"))}


def blocks(markdown: str) -> str:
    """All ```bash blocks of a page, as one script."""
    return "\n".join(re.findall(r"^```bash\n(.*?)^```", markdown, flags=re.DOTALL | re.MULTILINE))


def section(page: str, name: str) -> str:
    """The ```bash blocks of one section of a page in docs/."""
    text = (REPOSITORY / "docs" / page).read_text(encoding="utf-8")
    (found,) = re.findall(rf"^## {name}\n(.*?)^## ", text, flags=re.DOTALL | re.MULTILINE)
    return blocks(found)


@dataclass(frozen=True)
class Shell:
    """Runs commands from the repository's root, with kubectl, helm and deftunes on PATH."""

    environment: dict[str, str]
    folder: Path
    namespace: str = "deftunes"

    @classmethod
    def on(cls, cluster: Cluster, folder: Path, namespace: str = "deftunes") -> Shell:
        """A shell of its own: changing its current namespace changes nobody else's."""
        own = folder / "kubeconfig"
        shutil.copy(cluster.kubeconfig, own)
        own.chmod(0o600)
        path = f"{_CACHE}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        kept = {k: v for k, v in os.environ.items() if not re.match(r"DEFTUNES_|AWS_", k)}
        shell = cls(
            kept | {"PATH": path, "KUBECONFIG": str(own), "DEFTUNES_HOME": str(folder / "home")}, folder, namespace
        )
        if cluster.context:
            shell.run(f"kubectl config use-context {cluster.context}")
        return shell

    def script(self, text: str, seconds: float) -> None:
        """Run a script as a person would paste it, stopping at the first failure; its log is in the assertion."""
        # what commands write (verify.json) belongs to the person's folder and not to the repository
        text = text.replace("> verify.json", f"> {self.folder}/verify.json")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-x", "-c", text],
            env=self.environment,
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )
        if done.returncode:
            state = self.try_(
                f"kubectl get pods,jobs --namespace {self.namespace}; kubectl get events --namespace {self.namespace}"
                " --sort-by=.lastTimestamp | tail -20"
            )
            raise AssertionError(f"ended with {done.returncode}:\n{done.stdout[-6000:]}\n{state}")

    def run(self, command: str, seconds: float = 300) -> str:
        """Run one command, return standard output; it must succeed."""
        done = self._run(command, seconds)
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
        return done.stdout

    def try_(self, command: str, seconds: float = 300) -> str:
        """Run one command, return all it said; it may fail."""
        done = self._run(command, seconds)
        return done.stdout + done.stderr

    def code(self, command: str, seconds: float = 300) -> int:
        """Run one command, return its exit code."""
        return self._run(command, seconds).returncode

    def get(self, what: str) -> Any:
        """`kubectl get … -o json` in the platform's namespace."""
        return json.loads(self.run(f"kubectl get {what} --namespace {self.namespace} --output json"))

    def until(self, what: str, ready: Callable[[], Any], seconds: float = 120) -> Any:
        """Wait until something is so."""
        deadline = time.monotonic() + seconds
        while not (found := ready()):
            assert time.monotonic() < deadline, f"expected {what} within {seconds:.0f} s"
            time.sleep(0.3)
        return found

    def _run(self, command: str, seconds: float) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", command],
            env=self.environment,
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
