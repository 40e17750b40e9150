"""Where Helm is: the one that `make cluster-tools` built, else what is on PATH."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest


def _built() -> Path:
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return caches / "deftunes" / "cluster" / "bin" / "helm"


def find_helm() -> str | None:
    """Path of the binary, if there is one."""
    return str(_built()) if _built().exists() else shutil.which("helm")


def helm_or_skip() -> str:
    """Path of the binary; without one the test is skipped, with the reason."""
    helm = find_helm()
    if helm is None:
        pytest.skip(f"expected helm at {_built()} or on PATH, found none; make cluster-tools builds it")
    return helm
