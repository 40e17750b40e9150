"""Who may read what a process writes: its own account alone, unless DEFTUNES_SHARE_FILES says that others may."""

from __future__ import annotations

import os
from collections.abc import Mapping

_YES = frozenset({"1", "true", "yes", "on"})


def is_shared(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether DEFTUNES_SHARE_FILES is set."""
    return environment.get("DEFTUNES_SHARE_FILES", "").strip().lower() in _YES


def file_mode() -> int:
    """Mode of a file that is written aside and renamed: 0600, or 0644 when shared."""
    return 0o644 if is_shared() else 0o600


def keep_private() -> None:
    """Let everything that this process makes from now on, and what it starts, be for its account alone."""
    if not is_shared():
        os.umask(0o077)
