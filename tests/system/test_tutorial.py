"""docs/tutorials/add-a-feed.md: its commands, run as they stand, bring a new feed from an API to a served table."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorials" / "add-a-feed.md"


def _script(port: int) -> str:
    """The tutorial's blocks as one script; what goes into a second terminal runs in the background."""
    blocks = re.findall(r"^```bash\n(.*?)^```", TUTORIAL.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 7
    served = f"until (exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null; do sleep 0.1; done"
    lines = ["set -euo pipefail", "trap 'kill $(jobs -p)' EXIT"]
    for block in blocks:
        is_server = block.startswith("deftunes-simulator serve")
        lines += [f"{block.rstrip()} >shop.log 2>&1 &", served] if is_server else [block]
    return "\n".join(lines).replace("8000", str(port))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_the_tutorial_works_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / ".venv").symlink_to(Path(sys.prefix))
    own = {name: value for name, value in os.environ.items() if not name.startswith("DEFTUNES_")}
    environment = own | {"DEFTUNES_SPARK_SMALL": "true", "DEFTUNES_SPARK_MASTER": "local[2]", "COLUMNS": "200"}
    script = _script(_free_port()) + "\ndeftunes verify --json > verified.json\n"
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "verified.json").read_text(encoding="utf-8"))
    (payments,) = [check for check in found["intervals"] if check["entity"] == "payments"]
    assert found["reconciled"] is True
    assert payments["fact"] == payments["published"] == payments["source"]
    assert payments["fact"]["units"] > 100, "more than one page"
    assert 'id="fact-payments"' in (tmp_path / ".deftunes" / "dashboard.html").read_text(encoding="utf-8")
