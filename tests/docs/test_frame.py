"""The frame keeps its own rules: CI calls the README's command, files stay small, tests can be found."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def _tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).exists()]


def test_ci_runs_what_the_readme_says() -> None:
    assert re.search(r"^make test\b", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    assert "make test" in (ROOT / "README.md").read_text()


def test_ci_runs_and_counts_every_suite() -> None:
    """A suite that has a verb of its own is easily forgotten."""
    suites = set(re.findall(r"call report,([\w-]+)\)", (ROOT / "Makefile").read_text()))
    run = (ROOT / ".ci" / "run").read_text()
    assert {name for line in re.findall(r"^counted (.+)", run, re.MULTILINE) for name in line.split()} == suites
    assert {line.split()[0] for line in (ROOT / ".ci" / "least-tests").read_text().splitlines()} == suites
    assert re.search(r"^make lint$", run, re.MULTILINE)


def test_no_file_grew_into_an_attic() -> None:
    """Sources stay below 300 lines; tests may list more cases of one thing."""
    most = {p: 400 if p.is_relative_to(ROOT / "tests") else 300 for p in _tracked("*.py")}
    assert {str(p.relative_to(ROOT)) for p, lines in most.items() if len(p.read_text().splitlines()) > lines} == set()


def test_no_helper_drawers() -> None:
    assert [p for p in _tracked("*.py") if re.fullmatch(r"(utils?|helpers?|common|misc)\.py", p.name)] == []


def test_name_traps() -> None:
    """A package named `dbt` or `airflow` would hide the real one; dbt loads any module named dbt_* as a plugin."""
    assert not (ROOT / "jobs" / "dbt" / "__init__.py").exists()
    assert [p for p in _tracked("*.py") if p.name.startswith("dbt_")] == []


def test_every_test_file_is_collected_by_its_name() -> None:
    for path in _tracked("tests/*.py"):
        text = path.read_text()
        if re.search(r"^def test_|^    def test_", text, re.MULTILINE):
            assert path.name.startswith("test_"), f"{path} holds tests but pytest would not collect it"


def test_git_holds_no_generated_data() -> None:
    suffixes = {".duckdb", ".parquet", ".avro", ".jar", ".db", ".gz", ".png", ".log"}
    assert [p for p in _tracked() if p.suffix in suffixes] == []
