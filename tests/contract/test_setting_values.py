"""Settings as files, editors, `echo` and `kubectl` write them: stripped alike, or named."""

from __future__ import annotations

from pathlib import Path

import pytest

from deftunes_contract.errors import UsageError
from deftunes_contract.settings import LakeSettings, from_environment, read_secret

WRITTEN = ["{}\n", "{}\r\n", " {}\t", "\ufeff{}", '"{}"', "'{}'\n", '\ufeff"{}"\r\n']


@pytest.mark.parametrize("written", WRITTEN)
def test_values_and_files_are_stripped_alike(written: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEFTUNES_LAKE", written.format("/data/lake"))
    assert from_environment(LakeSettings).lake == "/data/lake"
    file = tmp_path / "secret"
    file.write_bytes(written.format("postgresql://h/d").encode())
    assert read_secret(file, "X") == "postgresql://h/d"


@pytest.mark.parametrize("value", ["/data\nlake", "/data\rlake", "a\x1bb"])
def test_a_line_break_inside_is_named_with_all_other_faults(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEFTUNES_LAKE", value)
    monkeypatch.setenv("DEFTUNES_LOG_LEVEL", "LOUD")
    with pytest.raises(UsageError, match=r"DEFTUNES_L.*DEFTUNES_L") as refused:
        from_environment(LakeSettings)
    assert "expected one line" in str(refused.value)


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_a_secret_that_cannot_be_read_names_its_variable(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageError, match="DEFTUNES_X_FILE: expected a readable file"):
        read_secret(file, "DEFTUNES_X_FILE")
