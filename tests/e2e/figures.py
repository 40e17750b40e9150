"""What the platform on the cluster holds, counted by `deftunes verify` through a forwarded port."""

from __future__ import annotations

import json
from typing import Any

from walk import Shell, section


def figures(shell: Shell) -> dict[str, Any]:
    """`deftunes verify --json`, as docs/kubernetes.md says, without what differs between equal states: who ran when."""
    shell.script(section("kubernetes.md", "The figures"), seconds=300)
    return comparable(json.loads((shell.folder / "verify.json").read_text(encoding="utf-8")))


def comparable(verification: dict[str, Any]) -> dict[str, Any]:
    """Fingerprints, rows and money; not the runs and their times."""
    return {key: value for key, value in verification.items() if key != "runs"}
