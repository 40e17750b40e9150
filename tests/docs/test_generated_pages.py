"""docs/commands.md and docs/settings.md hold every command and every setting that the code has."""

import re

import pytest
from public_names import ROOT, actual

from deftunes_cli.command_tree import commands, scripts
from deftunes_cli.generate_docs import PAGES, settings_classes

NO_SETTING = {"DEFTUNES_SPARK_EXECUTOR"}
"""The common beginning of other names."""


@pytest.mark.parametrize("page", PAGES)
def test_the_page_is_what_the_code_says(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert text == PAGES[page](), "run .venv/bin/python -m deftunes_cli.generate_docs and commit the result"


def test_every_command_and_verb_has_its_help_on_the_page() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "docs" / "commands.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings == [command.name for command in commands()]
    assert {name.split()[0] for name in headings} == set(scripts())


def test_every_variable_of_the_code_is_on_the_settings_page() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert [name for name in actual("environment") if not re.search(rf"\b{name}\b", page)] == sorted(NO_SETTING)


def test_every_alias_of_a_settings_class_is_on_the_settings_page() -> None:
    """Standard names too, and classes that no command of this test imported: the sources are searched."""
    found: set[str] = set()
    for file in [*ROOT.glob("jobs/*/src/**/*.py"), *ROOT.glob("cli/src/**/*.py")]:
        found |= set(re.findall(r'\balias="([A-Z][A-Z0-9_]+)"', file.read_text(encoding="utf-8")))
    listed = {field.alias for _, kind in settings_classes() for field in kind.model_fields.values()}
    assert found - listed == set(), "yield their class in deftunes_cli.generate_docs.settings_classes"
    assert len(found) > 50
