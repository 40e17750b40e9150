"""Public names are kept: every listed one is still there, and a new one is listed on purpose."""

import pytest
from helm_binary import helm_or_skip
from public_names import LIST, ROOT, SECTIONS, actual, listed

WHERE = LIST.relative_to(ROOT)


@pytest.fixture(scope="module")
def frozen() -> dict[str, set[str]]:
    return {section: {str(name) for name in names} for section, names in listed().items()}


@pytest.mark.parametrize("section", SECTIONS)
def test_public_names_are_kept(section: str, frozen: dict[str, set[str]]) -> None:
    if section == "kubernetes":
        helm_or_skip()
    now = set(actual(section))
    gone, new = sorted(frozen[section] - now), sorted(now - frozen[section])
    assert not gone, (
        f"{section}: {', '.join(gone)} in {WHERE} but not in the code any more: people hold on to these names, "
        "so keep them, or keep the old name beside the new one"
    )
    assert not new, (
        f"{section}: {', '.join(new)} in the code but not in {WHERE}: a name that people will hold on to; list it on "
        "purpose with .venv/bin/python tests/support/public_names.py --add"
    )


def test_every_section_is_compared_somewhere(frozen: dict[str, set[str]]) -> None:
    assert set(frozen) == {*SECTIONS, "dags"}
    assert all(frozen.values())
