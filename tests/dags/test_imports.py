"""DAG files are read every few seconds: quick, without a side effect, and free of what stages need."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HOME = Path(__file__).resolve().parents[2] / "airflow"
FILES = sorted((HOME / "dags").glob("*.py"))
SOURCES = [*FILES, *sorted((HOME / "plugins").glob("*.py"))]

READ = """
import builtins, importlib.util, json, socket, subprocess, sys, time
# the dag processor has these loaded before it reads a file; croniter, for one, starts a process when it is imported
import deftunes_pipelines
from airflow.sdk import DAG, Asset, CronDataIntervalTimetable, CronTriggerTimetable
real = {"open": builtins.open, "socket": socket.socket.connect, "process": subprocess.Popen.__init__}
touched = []
def watched(kind):
    def call(*args, **kwargs):
        if not str(args[0]).startswith(sys.prefix):
            touched.append(f"{kind} {args[0]}")
        return real[kind](*args, **kwargs)
    return call
builtins.open, socket.socket.connect, subprocess.Popen.__init__ = map(watched, real)
for file in sys.argv[1:]:
    spec = importlib.util.spec_from_file_location("read", file)
    module = importlib.util.module_from_spec(spec)
    touched.clear()
    started = time.perf_counter()
    spec.loader.exec_module(module)
    seconds = time.perf_counter() - started
    own = ("deftunes_pods", "deftunes_pipelines")
    stages = [name for name in sys.modules if name.startswith("deftunes_") and name not in own]
    heavy = [name for name in ("pyspark", "pandas", "great_expectations", "dbt", "pyiceberg") if name in sys.modules]
    print(json.dumps([seconds, [*touched, *stages, *heavy]]))
"""


@pytest.fixture(scope="module")
def readings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[float, list[str]]]:
    """Seconds and side effects of reading each file, and of one that has some: in one process, as Airflow does it."""
    bad = tmp_path_factory.mktemp("dags") / "bad.py"
    bad.write_text("import pathlib, socket\nopen('/etc/hostname').read()\n", encoding="utf-8")
    files = [*FILES, bad]
    done = subprocess.run(
        [sys.executable, "-c", READ, *map(str, files)],
        env=os.environ | {"PYTHONPATH": str(HOME / "plugins")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    return {file.stem: (seconds, touched) for file, (seconds, touched) in zip(files, lines, strict=True)}


@pytest.mark.parametrize("name", [file.stem for file in FILES])
def test_a_file_is_read_within_a_second_and_touches_nothing(readings: dict[str, Any], name: str) -> None:
    seconds, touched = readings[name]
    assert seconds < 1
    assert touched == []


def test_the_check_of_side_effects_sees_one(readings: dict[str, Any]) -> None:
    assert readings["bad"][1] == ["open /etc/hostname"]


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: file.stem)
def test_no_source_names_a_stage_and_dags_stay_short(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    imported = {
        name.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([ast.alias(node.module or "")] if isinstance(node, ast.ImportFrom) else node.names)
    }
    assert imported <= {
        "__future__",
        "airflow",
        "collections",
        "datetime",
        "deftunes_pipelines",
        "deftunes_pods",
        "json",
        "kubernetes",
        "os",
        "typing",
    }
    if file.parent.name == "dags":
        assert len(file.read_text(encoding="utf-8").splitlines()) < 80
