"""The command itself: grammar, settings, secrets."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from deftunes_extract.__main__ import main

SOURCES = ("DEFTUNES_API_URL", "DEFTUNES_SONGS_DSN", "DEFTUNES_SONGS_DSN_FILE")
NOTHING = dict.fromkeys((*SOURCES, "DEFTUNES_LAKE"))


@pytest.mark.parametrize(
    ("entities", "missing", "not_asked"),
    [
        (["users"], ["DEFTUNES_LAKE", "DEFTUNES_API_URL"], ["SONGS"]),
        (["songs"], ["DEFTUNES_LAKE", "DEFTUNES_SONGS_DSN"], ["API"]),
        (["songs", "sessions"], ["DEFTUNES_LAKE", "DEFTUNES_API_URL", "DEFTUNES_SONGS_DSN"], []),
    ],
)
def test_all_missing_settings_are_named_at_once_and_only_those_needed(
    extract: Any, entities: list[str], missing: list[str], not_asked: list[str]
) -> None:
    outcome = extract(*entities, **NOTHING)
    assert outcome.code == 2
    assert all(name in outcome.said for name in missing)
    assert not any(name in outcome.said for name in not_asked)


def test_a_dsn_and_a_dsn_file_contradict(extract: Any, tmp_path: Any) -> None:
    file = tmp_path / "dsn"
    file.write_text("postgresql://b/x")
    outcome = extract("songs", DEFTUNES_SONGS_DSN="postgresql://a/x", DEFTUNES_SONGS_DSN_FILE=file)
    assert outcome.code == 2
    assert "set one of the two" in outcome.said


@pytest.mark.parametrize(
    "settings",
    [
        {"DEFTUNES_API_URL": "ftp://me:hunter2@shop"},
        {"DEFTUNES_API_URL": "http://me:hunter2@shop:port"},
        {"DEFTUNES_API_URL": "https://me:hunter2@shop/?key=hunter2"},
        {"DEFTUNES_API_URL": "shop.example/hunter2"},
        {"DEFTUNES_API_URL": "http://shop", "DEFTUNES_API_TIMEOUT": "0"},
        {"DEFTUNES_API_URL": "http://shop", "DEFTUNES_EXTRACT_DEADLINE": "soon"},
        {"DEFTUNES_API_URL": "http://shop", "DEFTUNES_EXTRACT_ATTEMPTS": "0"},
        {"DEFTUNES_API_URL": "http://shop", "DEFTUNES_PART_BYTES": "0"},
    ],
)
def test_wrong_settings_are_named_but_not_shown(extract: Any, settings: dict[str, str]) -> None:
    outcome = extract("users", **settings)
    assert outcome.code == 2
    assert list(settings)[-1] in outcome.said
    assert "hunter2" not in outcome.log


@pytest.mark.parametrize("dsn", ["postgresql://me:hunter2@host:5432:1/x", "hunter2", "host='a password=hunter2"])
def test_a_broken_dsn_is_not_shown(extract: Any, dsn: str) -> None:
    outcome = extract("songs", DEFTUNES_SONGS_DSN=dsn)
    assert outcome.code == 2
    assert "DEFTUNES_SONGS_DSN" in outcome.said
    assert "hunter2" not in outcome.log


@pytest.mark.parametrize("answer", ["fine", "500", "404"])
def test_a_password_in_the_api_url_is_sent_and_never_shown(
    api: Any, extract: Any, lake: Any, make: Any, caplog: pytest.LogCaptureFixture, answer: str
) -> None:
    caplog.set_level("DEBUG")  # what libraries log counts too
    api.say({"fine": api.records([make.user(1)]), "500": api.body(b"", 500), "404": api.body(b"no", 404)}[answer])
    outcome = extract("users", DEFTUNES_API_URL=api.url.replace("//", "//me:hunter2@"), DEFTUNES_EXTRACT_ATTEMPTS=2)
    assert outcome.code == {"fine": 0, "500": 75, "404": 2}[answer]
    assert api.headers[0]["Authorization"].startswith("Basic ")
    assert "hunter2" not in outcome.log + caplog.text + str(lake.content())


def test_a_path_in_the_api_url_is_kept(api: Any, extract: Any, make: Any) -> None:
    api.say(api.records([make.user(1)]))
    assert extract("users", DEFTUNES_API_URL=f"{api.url}/shop/v1/").code == 0
    assert api.asked == ["/shop/v1/users?start_date=2020-01-01&end_date=2020-01-31"]


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["users"],
        ["albums", "--start", "2020-01-01", "--end", "2020-02-01"],
        ["users", "--start", "2020-01-02", "--end", "2020-02-01"],
        ["users", "--start", "2020-01-01", "--end", "2020-03-01"],
        ["users", "--start", "January", "--end", "2020-02-01"],
    ],
)
def test_wrong_arguments_are_usage_errors(api: Any, monkeypatch: pytest.MonkeyPatch, argv: list[str]) -> None:
    monkeypatch.setenv("DEFTUNES_API_URL", api.url)
    assert main(argv) == 2
    assert api.asked == []


def test_the_leap_day_is_asked_for(api: Any, extract: Any, make: Any) -> None:
    api.say(api.records([make.user(1)]))
    assert extract("users", month=("--start", "2020-02-01", "--end", "2020-03-01"), DEFTUNES_API_URL=api.url).code == 0
    assert api.asked == ["/users?start_date=2020-02-01&end_date=2020-02-29"]


def command(*argv: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DEFTUNES_")}
    return subprocess.run(
        [sys.executable, "-m", "deftunes_extract", *argv],
        env={**environment, **settings},
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_has_examples() -> None:
    shown = command("--help")
    assert shown.returncode == 0
    for words in ("deftunes-extract users sessions --start", "--allow-empty", "--allow-shrink", "--run-id"):
        assert words in shown.stdout


def test_the_process_ends_with_the_code_and_one_sentence_of_json(api: Any, lake: Any, make: Any) -> None:
    api.say(api.records([make.user(1)]))
    month = ("--start", "2020-01-01", "--end", "2020-02-01")
    done = command("users", *month, DEFTUNES_LAKE=str(lake.root), DEFTUNES_API_URL=api.url)
    assert (done.returncode, done.stdout) == (0, "")
    assert '"event": "delivered users for [2020-01-01, 2020-02-01): 1 records' in done.stderr.splitlines()[-1]
    wrong = command("users", *month, DEFTUNES_LOG_FORMAT="xml")
    assert wrong.returncode == 2
    assert "DEFTUNES_LOG_FORMAT" in wrong.stderr.splitlines()[-1]


def test_an_api_extract_imports_no_database_driver_and_no_spark() -> None:
    names = "psycopg", "pyspark", "boto3", "pandas", "httpx"
    code = f"import sys, deftunes_extract.__main__; print([n for n in {names} if n in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
