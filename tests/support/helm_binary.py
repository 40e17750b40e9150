"""Where Helm is: the one that `make cluster-tools` built, else what is on PATH."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest


def helm_or_skip() -> str:
    """Path of the binary; without one the test is skipped, with the reason."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    own = caches / "deftunes" / "cluster" / "bin" / "helm"
    helm = str(own) if own.exists() else shutil.which("helm")
    if helm is None:
        pytest.skip(f"expected helm at {own} or on PATH, found none; make cluster-tools builds it")
    return helm
