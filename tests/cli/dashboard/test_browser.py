"""The page in a real browser: charts are drawn, nothing is logged as an error, nothing is asked of the network."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from deftunes_cli.dashboard import write_dashboard

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium")


def opened(page: Path, profile: Path) -> tuple[str, list[str]]:
    """The page's elements after its scripts ran, and what it wrote to the console."""
    found = subprocess.run(
        [
            str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            # whatever the browser itself wants from the network ends here
            "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={profile}", "--enable-logging=stderr",
            "--window-size=1280,900", "--virtual-time-budget=10000", "--dump-dom", page.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return found.stdout, re.findall(r"CONSOLE.*", found.stderr)


def test_charts_are_drawn_without_errors_or_requests(platform: Any, tmp_path: Path) -> None:
    page = write_dashboard(platform.home, platform.settings, platform.serving, None)
    elements, console = opened(page, tmp_path / "profile")
    assert console == []
    for chart in ("sales-by-country", "top-artists", "liked-tracks", "sessions-per-day"):
        (drawn,) = re.findall(rf'<div class="[^"]*" id="{chart}"[^>]*>', elements)
        assert 'data-drawn="true"' in drawn
    assert elements.count('class="main-svg"') >= 4
    assert len(re.findall(r'class="point"', elements)) == 2 * 3 + 4 + 4, "months by countries, artists, tracks"
    assert "alert(1)" in elements, "the name is there as text"
    assert not re.search(r"<script[^>]*>alert\(1\)", elements)


def test_a_request_would_have_been_seen(platform: Any, tmp_path: Path) -> None:
    """The test above proves something: an image, an error of the page, and a script that is not its own are logged."""
    page = write_dashboard(platform.home, platform.settings, platform.serving, None)
    spoiled = tmp_path / "spoiled.html"
    source = page.read_text(encoding="utf-8")
    wanted = "<img src='http://127.0.0.1:9/a.png' onerror='ranAnyway()'><script>alsoRan()</script>"
    source = source.replace('id="charts">', 'id="charts">no JSON ')
    spoiled.write_text(source.replace("</main>", f"</main>{wanted}"), encoding="utf-8")
    _, console = opened(spoiled, tmp_path / "profile")
    text = "\n".join(console)
    assert "a.png" in text
    assert "SyntaxError" in text
    assert "inline script" in text, "refused by the content security policy"
    assert "ReferenceError" not in text, "neither of the two ran"


def test_an_empty_page_is_without_errors_too(bare_platform: Any, tmp_path: Path) -> None:
    page = write_dashboard(bare_platform.home, bare_platform.settings, bare_platform.serving, None)
    elements, console = opened(page, tmp_path / "profile")
    assert console == []
    assert "nothing to verify yet" in elements
