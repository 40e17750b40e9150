"""Claims in prose are checked: links resolve, commands and make verbs exist, generated pages are what the code says."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
VERBS = set(re.findall(r"^([a-z0-9-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))


def _commands() -> set[str]:
    found: set[str] = set()
    for project in [*ROOT.glob("jobs/*/pyproject.toml"), *ROOT.glob("*/pyproject.toml")]:
        found |= set(tomllib.loads(project.read_text())["project"].get("scripts", {}))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_resolve(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_make_verbs_in_prose_exist(page: Path) -> None:
    named = re.findall(r"(?:^|`)make ([a-z0-9-]+)", page.read_text(), re.MULTILINE)
    assert set(named) <= VERBS


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_in_prose_exist(page: Path) -> None:
    known = _commands()
    for code in re.findall(r"`([^`\n]+)`", page.read_text()) + re.findall(
        r"```bash\n(.*?)```", page.read_text(), re.DOTALL
    ):
        for line in code.splitlines():
            for word in re.findall(r"(?:^|bin/)(deftunes(?:-[a-z]+)?)(?= |$)", line):
                assert word in known, f"{page.name} names {word}, which no package installs"


def test_every_command_is_on_the_commands_page() -> None:
    text = (ROOT / "docs" / "commands.md").read_text()
    for command in _commands():
        assert f"## {command}\n" in text


def test_the_readme_names_its_two_commands_first() -> None:
    text = (ROOT / "README.md").read_text()
    assert text.index("make demo") < text.index("make test") < text.index("make demo SONGS_CSV")


def test_every_decision_record_has_its_four_parts() -> None:
    records = sorted((ROOT / "docs" / "adr").glob("*.md"))
    numbers = [int(p.name[:4]) for p in records]
    assert len(set(numbers)) == len(numbers), "two records have one number"
    for record in records:
        text = record.read_text()
        for part in ("**Situation.**", "**Choice.**", "**Alternatives.**", "**Consequences.**"):
            assert part in text, f"{record.name} lacks {part}"
