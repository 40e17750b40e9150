"""What each image installs, with hashes: exported from the lock into the image's folder. `--check` only compares.

python tests/images/requirements.py [--check]
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = {
    "jobs/contract": ["deftunes-contract", "--extra=s3"],
    "jobs/extract": ["deftunes-extract"],
    "jobs/lake": ["deftunes-lake"],
    "jobs/transform": ["deftunes-transform"],
    "jobs/quality": ["deftunes-quality"],
    "jobs/dbt": ["deftunes-serving"],
    "simulator": ["deftunes-simulator", "--extra=cloud"],
}
"""Folder of the Dockerfile, and what uv is asked to export of the workspace."""
PROJECTS = ("airflow",)
"""Folders with a lock of their own."""


def exported(folder: str) -> str:
    """The requirements of one image."""
    command = [os.environ.get("UV", "uv"), "export", "--frozen", "--quiet", "--no-dev", "--no-emit-workspace"]
    command += ["--no-header", "--no-annotate", "--format=requirements-txt"]
    command += ["--project", folder] if folder in PROJECTS else ["--package", *PACKAGES[folder]]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout


def main() -> None:
    """Write, or with --check compare."""
    stale = []
    for folder in (*PACKAGES, *PROJECTS):
        file = REPOSITORY / folder / "requirements.lock"
        text = exported(folder)
        if "--check" not in sys.argv:
            file.write_text(text, encoding="utf-8")
        elif not file.is_file() or file.read_text(encoding="utf-8") != text:
            stale.append(str(file.relative_to(REPOSITORY)))
    if stale:
        raise SystemExit(f"expected these to be what the lock says: {', '.join(stale)}; run `make lock`")


if __name__ == "__main__":
    main()
