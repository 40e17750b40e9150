"""How a build ends when it does not end well: the exit code, the sentence, and a serving file that is as it was."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from deftunes_contract.errors import DataRejected, ExitCode, RetryableError, StageError, UsageError
from deftunes_serving.__main__ import main, parser

PROJECT = Path(__file__).parents[2] / "jobs" / "dbt"
JANUARY = ("build", "--start", "2020-01-01", "--end", "2020-02-01")


@pytest.fixture
def built(shop, lake, golden):
    """A lake like the golden one with a serving file; tells the file's bytes."""
    golden()
    shutil.copy(shop.serving, lake.serving)
    return lake.serving.read_bytes


def leftovers(lake):
    return sorted(path.name for path in lake.root.iterdir() if path.name.startswith("building"))


def test_a_failed_test_names_itself_its_model_and_its_rows(lake, built, sell, build):
    before = built()
    bad = [sell(f"bad{n}", 0, "TR-1", "2.50", user="u-ada") for n in range(3)]
    lake.publish("sessions", "2020-02-01", [*bad, sell("bad0", 0, "TR-1", "0.10", user="u-ada")])
    with pytest.raises(DataRejected) as refused:
        build()
    assert refused.value.exit_code == 65
    sentence = str(refused.value)
    # (bad0, 0) is there twice
    assert "test prices_are_between_0_and_2 on model fact_session found 3 failing rows" in sentence
    assert "test fact_session_has_one_row_per_item on model fact_session found 1 failing row;" in sentence
    assert f"{lake.serving} is as it was" in sentence
    assert built() == before
    assert leftovers(lake) == []


def test_what_is_only_worth_a_warning_is_counted_and_built(lake, built, build):
    assert "passed 33 tests (3 with warnings)" in build()


def test_a_model_that_the_database_refuses_is_a_bug_and_named(lake, built, build, environment, tmp_path):
    before = built()
    project = tmp_path / "dbt"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("src"))
    model = project / "models" / "star" / "dim_songs.sql"
    model.write_text(model.read_text(encoding="utf-8").replace("        year,\n", "        yaer,\n"), encoding="utf-8")
    environment.setenv("DEFTUNES_DBT_PROJECT", str(project))
    with pytest.raises(StageError, match=r'model dim_songs: .*Binder Error: .*"yaer" not found') as fault:
        build()
    assert fault.value.exit_code == ExitCode.BUG
    assert built() == before
    model.write_text("select {{ nothing_of_that_name() }}", encoding="utf-8")
    with pytest.raises(StageError, match=r"model dim_songs: Compilation Error .*nothing_of_that_name"):
        build()
    model.write_text("select * from {{ ref('dim_nothing') }}", encoding="utf-8")
    with pytest.raises(StageError, match=r"dbt could not build .*dim_nothing") as fault:
        build()
    assert fault.value.exit_code == ExitCode.BUG
    assert built() == before


def test_data_files_that_cannot_be_read_are_temporary(lake, built, build):
    before = built()
    for file in lake.root.glob("transform_zone/**/songs/**/*.parquet"):
        file.unlink()
    with pytest.raises(RetryableError, match="model int_catalogue: .*IO Error"):
        build()
    assert built() == before


def test_a_fault_while_dbt_connects_keeps_its_meaning(lake, built, build):
    Path(lake.table("users").metadata_location).unlink()
    with pytest.raises(RetryableError, match="^published table users at"):
        build()


def test_a_project_that_is_not_there_is_a_wrong_setting(built, build, environment, tmp_path):
    environment.setenv("DEFTUNES_DBT_PROJECT", str(tmp_path))
    with pytest.raises(UsageError, match=r"DEFTUNES_DBT_PROJECT: expected dbt_project\.yml"):
        build()


@pytest.mark.parametrize(
    ("argv", "setting", "code", "says"),
    [
        ((*JANUARY, "--select", "dim_nothing"), {}, 2, "nothing called dim_nothing"),
        (("build", "--start", "2020-01-01", "--end", "2020-02-15"), {}, 2, "cuts 2020-02"),
        (("build", "--start", "2020-02-01", "--end", "2020-02-01"), {}, 2, "--start before --end"),
        (("build", "--start", "2020-01-01"), {}, 2, "--end"),
        ((), {}, 2, "COMMAND"),
        (JANUARY, {"DEFTUNES_DBT_THREADS": "none"}, 2, "DEFTUNES_DBT_THREADS"),
        (JANUARY, {"DEFTUNES_SERVING": "/tmp/deftunes_serving.duckdb"}, 2, "must not be called like a schema"),
        (JANUARY, {"DEFTUNES_LAKE": "s3://bucket/lake"}, 2, "DEFTUNES_SERVING: expected a path"),
        (
            JANUARY,
            {"DEFTUNES_LAKE": "/nowhere", "DEFTUNES_SERVING": "/tmp/x.duckdb"},
            75,
            "expected the lake's catalog",
        ),
    ],
)
def test_wrong_calls_end_with_their_code_and_a_sentence(built, lake, environment, capsys, argv, setting, code, says):
    before = built()
    for name, value in setting.items():
        environment.setenv(name, value)
    assert main(argv) == code
    said = capsys.readouterr()
    assert says in said.out + said.err
    assert "Traceback" not in said.out + said.err
    assert built() == before


def test_a_build_of_some_models_leaves_the_others(lake, built, build):
    lake.publish("songs", "2020-03-01", [{"track_id": "TR-1", "artist_id": "AR-1", "artist_name": "Renamed"}])
    sentence = build("2020-01-01", "2020-02-01", "--select", "dim_artists")
    assert "built 5 models" in sentence  # the four of staging too: they are not stored
    assert lake.query("SELECT artist_name FROM deftunes_serving.dim_artists ORDER BY 1") == [
        ("Bjork",),
        ("Gone",),
        ("Renamed",),
        ("Unknown",),
    ]
    assert lake.value("SELECT count(*) FROM deftunes_serving.dim_songs") == 6


def test_help_has_examples_that_parse():
    shown = parser().format_help()
    examples = re.findall(r"^  deftunes-dbt (.*?)(?:   .*)?$", shown, re.MULTILINE)
    assert len(examples) == 6
    for example in examples:
        parser().parse_args(example.split())
