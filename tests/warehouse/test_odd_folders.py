"""A serving file is built, and built again, in a folder of any name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deftunes_contract.errors import UsageError
from deftunes_serving.settings import ServingSettings


@pytest.mark.parametrize("name", ["shop #1", "a?b ducklake: [x] {a,b} 100% it's"])
def test_a_build_in_a_folder_of_that_name(
    name: str, lake: Any, build: Callable[..., str], environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # the tables themselves lie elsewhere: the writer of these tests, pyiceberg, takes their folder for a URL
    lake.serving = tmp_path / "shops" / name / "serving.duckdb"
    environment.setenv("DEFTUNES_SERVING", str(lake.serving))
    for month, user in (("2020-01-01", "u1"), ("2020-02-01", "u2")):
        lake.publish("users", month, [{"user_id": user, "country_code": "US"}])
        assert str(lake.serving) in build("2019-12-01", "2020-02-01")
    assert lake.value("SELECT count(*) FROM deftunes_serving.dim_users WHERE user_id IN ('u1', 'u2')") == 2
    assert [folder.name for folder in (tmp_path / "shops").iterdir()] == [name]
    assert {file.name for file in lake.serving.parent.iterdir()} == {"serving.duckdb", "serving.duckdb.lock"}


def test_a_file_that_duckdb_cannot_write_is_refused_by_the_settings_name() -> None:
    with pytest.raises(UsageError, match=r"^DEFTUNES_SERVING: "):
        _ = ServingSettings(lake="/x", serving="/x/a?b.duckdb").serving_file
