"""The dbt project as a text: sources are the contracts, every model says its grain, contracts are enforced."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from deftunes_contract.registry import load, registry
from deftunes_serving import generate_sources

PROJECT = Path(__file__).parents[2] / "jobs" / "dbt"
SHOWN = {"sales_per_artist_vw", "sales_per_country_vw", "user_activity_vw", "music_preference_vw"}
VIEWS = {*SHOWN, "sales_per_country_at_sale_vw"}
MODELS = {path.stem: path for path in PROJECT.glob("models/**/*.sql")}


def described(model):
    """What the file beside a model says of it."""
    document = yaml.safe_load(MODELS[model].with_suffix(".yml").read_text(encoding="utf-8"))
    (entry,) = document["models"]
    return entry


def test_sources_are_what_the_contracts_say(monkeypatch):
    monkeypatch.delenv("DEFTUNES_DBT_PROJECT", raising=False)
    assert generate_sources.main(["--check"]) == 0


def test_the_check_notices_a_changed_file_and_writing_repairs_it(monkeypatch, tmp_path, capsys):
    file = tmp_path / "models" / "staging" / "sources.yml"
    file.parent.mkdir(parents=True)
    monkeypatch.setenv("DEFTUNES_DBT_PROJECT", str(tmp_path))
    assert generate_sources.main(["--check"]) == 1
    assert generate_sources.main([]) == 0
    file.write_text(file.read_text(encoding="utf-8").replace("track_id", "track"), encoding="utf-8")
    assert generate_sources.main(["--check"]) == 1
    assert "python -m deftunes_serving.generate_sources" in capsys.readouterr().err


def test_sources_list_every_column_with_its_description():
    (source,) = yaml.safe_load((PROJECT / "models/staging/sources.yml").read_text(encoding="utf-8"))["sources"]
    listed = {t["name"]: [(c["name"], c["description"]) for c in t["columns"]] for t in source["tables"]}
    assert listed == {name: [(c.name, c.description) for c in load(name).columns] for name in registry().tables}
    assert source["schema"] == "deftunes_transform"


@pytest.mark.parametrize("model", sorted(MODELS))
def test_a_model_is_described_beside_it_and_says_its_grain(model):
    entry = described(model)
    assert entry["name"] == model
    last_sentence = entry["description"].strip().removesuffix(".").rsplit(". ", 1)[-1]
    assert last_sentence.startswith("Grain: ")
    assert all(column.get("description") and column.get("data_type") for column in entry.get("columns", []))


@pytest.mark.parametrize("model", sorted(name for name in MODELS if not name.startswith(("stg_", "int_"))))
def test_the_star_and_the_views_have_key_and_completeness_tests(model):
    kinds = {kind for test in described(model)["data_tests"] for kind in test if kind != "config"}
    if model in VIEWS:  # sums_to_fact looks for nulls too, and at a key of one column
        assert {"sums_to_fact"} == kinds - {"unique_combination_of_columns"}
    elif model == "fact_session":
        assert "not_null_columns" in kinds
        assert (PROJECT / "tests" / "fact_session_has_one_row_per_item.sql").is_file()
    else:
        assert {"unique_combination_of_columns", "not_null_columns"} <= kinds


def test_contracts_are_enforced_for_the_star_and_the_views():
    project = yaml.safe_load((PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))
    for folder in ("star", "bi"):
        assert project["models"]["deftunes"][folder]["+contract"] == {"enforced": True}


def test_the_dashboard_is_an_exposure_of_the_four_views():
    (exposure,) = yaml.safe_load((PROJECT / "models/bi/exposures.yml").read_text(encoding="utf-8"))["exposures"]
    assert set(exposure["depends_on"]) == {f"ref('{view}')" for view in SHOWN}


def test_profiles_hold_no_value_of_their_own():
    profile = yaml.safe_load((PROJECT / "profiles/profiles.yml").read_text(encoding="utf-8"))["deftunes"]
    for target in profile["outputs"].values():
        for name in ("path", "host", "user", "password", "dbname", "port"):
            assert "env_var(" in target.get(name, "env_var(")


def test_dbt_writes_nothing_into_the_project(shop):
    assert {path.name for path in PROJECT.iterdir()} <= {
        *("dbt_project.yml", "profiles", "models", "macros", "tests"),
        *("src", "pyproject.toml", "Dockerfile", ".dockerignore", "requirements.lock"),
    }
