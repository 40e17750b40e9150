"""A folder's name is a name: whatever signs it has, the delivery lands below it and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

NAMES = [
    "shop #1", "a?b", "100%", "a%20b", "a b", "ü", "[x]", "{a,b}", "*", "a;b", "file:x", "file:", "s3:", "~", "it's",
    '"q"', "$HOME", "a&b=c", "a:b", "a\\b", "..x", "-x", "\u3000", "x#",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_delivery_lands_below_its_lake(name: str, api: Any, extract: Any, make: Any, tmp_path: Path) -> None:
    lake = tmp_path / "shops" / name / "lake"
    api.say(api.records([make.user(1)]))
    outcome = extract("users", DEFTUNES_API_URL=api.url, DEFTUNES_LAKE=f"{lake}/")
    assert outcome.code == 0
    assert str(lake) in outcome.said
    (receipt,) = tmp_path.rglob("_receipt.json")
    assert receipt == lake / "landing_zone/api/users/ingest_on=2020-02-01/_receipt.json"
    assert [folder.name for folder in (tmp_path / "shops").iterdir()] == [name]


@pytest.mark.parametrize("name", NAMES)
def test_the_same_relative_to_the_working_folder_or_through_a_link(
    name: str, api: Any, extract: Any, make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    (here / name).mkdir(parents=True)
    (here / "link").symlink_to(here / name)
    monkeypatch.chdir(here)
    for lake in (f"./{name}/relative", "link/linked"):
        api.say(api.records([make.user(1)]))
        assert extract("users", DEFTUNES_API_URL=api.url, DEFTUNES_LAKE=lake).code == 0
    found = sorted(path.relative_to(here).parts[:2] for path in here.glob("*/*/landing_zone"))
    assert set(found) == {(name, "relative"), (name, "linked"), ("link", "relative"), ("link", "linked")}
    assert sorted(path.name for path in here.iterdir()) == sorted([name, "link"])


@pytest.mark.parametrize("name", ["a\nb", "a\tb", "a\x1b[31mb", "a\x7fb"])
def test_a_name_that_is_no_text_is_refused_before_anything_is_written(
    name: str, api: Any, extract: Any, tmp_path: Path
) -> None:
    outcome = extract("users", DEFTUNES_API_URL=api.url, DEFTUNES_LAKE=str(tmp_path / "new" / name / "lake"))
    assert outcome.code == 2
    assert "DEFTUNES_LAKE" in outcome.said
    assert api.asked == []
    assert not (tmp_path / "new").exists()


def test_a_receipt_that_names_files_outside_the_lake_reads_and_removes_none(
    api: Any, extract: Any, lake: Any, make: Any
) -> None:
    api.say(api.records([make.user(1)]), api.records([make.user(1), make.user(2)]))
    assert extract("users", DEFTUNES_API_URL=api.url).code == 0
    receipt = lake.folder("users") / "_receipt.json"
    outside = receipt.parents[5] / "outside"
    outside.write_bytes(b"mine")
    (name,) = [file.name for file in receipt.parent.glob("part-*")]
    receipt.write_text(receipt.read_text().replace(name, "../../../../../outside"))
    outcome = extract("users")
    assert outcome.code == 65
    assert "objects.0.name" in outcome.said
    assert str(receipt) in outcome.said
    assert outside.read_bytes() == b"mine"
