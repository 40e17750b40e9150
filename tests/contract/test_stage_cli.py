"""How a stage begins and ends: one grammar, the right exit code, one last sentence."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from deftunes_contract.errors import DataRejected, ExitCode, NothingToDo, RetryableError, UsageError
from deftunes_contract.logs import configure_logs
from deftunes_contract.object_store import open_store
from deftunes_contract.settings import LakeSettings, from_environment
from deftunes_contract.stage_cli import add_interval, interval_of, new_parser, run_console, run_id_of, run_stage


def _parse(*argv: str) -> tuple[str, str]:
    parser = new_parser("deftunes-x", "Does x.", "  deftunes-x --start 2020-01-01 --end 2020-02-01")
    add_interval(parser)
    arguments = parser.parse_args(argv)
    return str(interval_of(arguments)), run_id_of(arguments)


def test_the_grammar() -> None:
    assert _parse("--start", "2020-01-01", "--end", "2020-02-01") == ("[2020-01-01, 2020-02-01)", "manual")


def test_an_airflow_run_id_becomes_a_branch_name() -> None:
    parsed = _parse("--start", "2020-01-01", "--end", "2020-02-01", "--run-id", "scheduled__2020-02-01T00:00:00+00:00")
    assert parsed[1] == "scheduled-2020-02-01t00-00-00-00-00-9ad8c3c5"


@pytest.mark.parametrize("argv", [["--start", "2020-01-01"], ["--end"], ["--start", "x", "--end", "y", "--what"]])
def test_wrong_arguments_end_with_2_and_point_to_help(argv: list[str]) -> None:
    with pytest.raises(UsageError, match="deftunes-x --help"):
        _parse(*argv)


def test_a_run_id_without_letters_is_refused() -> None:
    with pytest.raises(UsageError, match="--run-id"):
        _parse("--start", "2020-01-01", "--end", "2020-02-01", "--run-id", "::")


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (UsageError("u"), ExitCode.USAGE),
        (DataRejected("d"), ExitCode.REFUSED),
        (RetryableError("t"), ExitCode.TEMPORARY),
        (NothingToDo("n"), ExitCode.NOTHING_TO_DO),
        (RuntimeError("b"), ExitCode.BUG),
        (KeyboardInterrupt(), ExitCode.TEMPORARY),
    ],
)
def test_the_type_of_the_error_is_the_exit_code_and_its_sentence_comes_last(
    raised: BaseException, code: ExitCode, capsys: pytest.CaptureFixture[str]
) -> None:
    def work(_: Sequence[str]) -> str:
        raise raised

    configure_logs("json")
    assert run_stage("deftunes-x", work, []) == code
    last = json.loads(capsys.readouterr().err.strip().splitlines()[-1])
    assert last["stage"] == "deftunes-x"
    assert last["event"]


@pytest.mark.parametrize("level", ["INFO", "LOUD"])
def test_a_process_ends_with_the_code_of_its_stage_whatever_the_log_settings(
    level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEFTUNES_LOG_LEVEL", level)
    with pytest.raises(SystemExit) as ended:
        run_console(lambda: ExitCode.REFUSED)
    assert ended.value.code == ExitCode.REFUSED


def test_success_is_0() -> None:
    assert run_stage("deftunes-x", lambda _: "done", []) == ExitCode.DONE


def test_all_missing_settings_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEFTUNES_LAKE", raising=False)
    monkeypatch.setenv("DEFTUNES_LOG_LEVEL", "LOUD")
    with pytest.raises(UsageError, match="DEFTUNES_LOG_LEVEL.*DEFTUNES_LAKE|DEFTUNES_LAKE.*DEFTUNES_LOG_LEVEL"):
        from_environment(LakeSettings)


@pytest.mark.parametrize(
    ("lake", "catalog", "glue", "file"),
    [
        ("s3://b/p", "", True, None),
        ("/data/lake", "", False, "/data/lake/catalog.db"),
        ("file:///data/lake/", "", False, "/data/lake/catalog.db"),
        ("/data/lake", "sqlite:///srv/c.db", False, "/srv/c.db"),
        ("/data/lake", "glue", True, None),
    ],
)
def test_the_catalog_follows_the_lake(lake: str, catalog: str, glue: bool, file: str | None) -> None:
    settings = LakeSettings(lake=lake, catalog=catalog)
    assert settings.is_glue is glue
    if file:
        assert settings.catalog_file == file
    else:
        with pytest.raises(UsageError, match="glue"):
            _ = settings.catalog_file


def test_an_unknown_catalog_is_refused() -> None:
    with pytest.raises(UsageError, match="expected glue or sqlite"):
        _ = LakeSettings(lake="/x", catalog="hive").catalog_file


@pytest.mark.parametrize(
    ("lake", "root"),
    [
        ("/srv/shop #1/lake", "/srv/shop #1/lake"),
        ("/srv/a?b/lake/", "/srv/a?b/lake"),
        ("/srv/100%/%23", "/srv/100%/%23"),
        ("/srv/[x]{a,b}*;~", "/srv/[x]{a,b}*;~"),
        ("/srv/file:/s3:/x", "/srv/file:/s3:/x"),
        ("/srv//a b/./ü", "/srv/a b/ü"),
        ("//srv/lake", "/srv/lake"),
        ("~/lake", "{home}/lake"),
        ("shop #1/lake", "{here}/shop #1/lake"),
        ("./~/lake", "{here}/~/lake"),
        ("a:b", "{here}/a:b"),
        ("file:///srv/shop%20%231/100%25", "/srv/shop #1/100%"),
        ("file://localhost/srv/a?b", "/srv/a?b"),
        ("s3://bucket/a b/100%/", "s3://bucket/a b/100%"),
    ],
)
def test_a_path_is_a_path_wherever_it_is_used(
    lake: str, root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/of somebody")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    root = root.replace("{home}", "/home/of somebody").replace("{here}", str(tmp_path))
    settings = LakeSettings(lake=lake)
    assert settings.lake_root == root
    assert settings.warehouse == f"{root}/transform_zone"
    assert open_store(lake).uri("zone/a") == f"{root}/zone/a"
    if not settings.is_glue:
        assert settings.catalog_file == f"{root}/catalog.db"
        assert LakeSettings(lake="/x", catalog=f"sqlite:///{root}/c.db").catalog_file == f"{root}/c.db"


@pytest.mark.parametrize(
    "lake",
    [
        "ftp://host/lake",
        "S3://bucket",
        "s3a://bucket/x",
        "file:/srv/lake",
        "file:lake",
        "file://host/lake",
        "file://lake",
        "s3://",
        "s3:///lake",
        "s3://bucket/a#b",
        "s3://bucket/a?b",
        "s3://bucket/[a]",
        "s3://bucket/a*",
        "/srv/a\nb",
        "/srv/a\x1bb",
        "file:///srv/a%0Ab",
        "/srv/a\0b",
        "~nobody-here/x",
    ],
)
def test_a_place_that_no_reader_could_open_is_refused_by_the_settings_name(lake: str) -> None:
    with pytest.raises(UsageError, match="^DEFTUNES_LAKE: expected "):
        open_store(lake)
    with pytest.raises(UsageError, match="DEFTUNES_LAKE: expected "):
        _ = from_environment(LakeSettings, DEFTUNES_LAKE=lake).lake_root
