"""Pipelines that the chart adds: their DAGs follow from one setting; packaged ones take added entities in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

DAGS = Path(__file__).resolve().parents[2] / "airflow" / "dags"
PIPELINES = {"api": ["users", "sessions", "plays"], "songs": ["songs"], "box-office": ["opening_acts", "tickets"]}


@pytest.fixture
def added(templates: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """All DAGs, with these pipelines in the settings."""
    from airflow.dag_processing.dagbag import DagBag

    monkeypatch.setenv("DEFTUNES_PIPELINES", json.dumps(PIPELINES))
    monkeypatch.setenv("DEFTUNES_BOX_OFFICE_PIPELINE_START", "2020-05-01")
    monkeypatch.setenv("DEFTUNES_BOX_OFFICE_PIPELINE_END", "")
    bag = DagBag(DAGS)
    assert bag.import_errors == {}
    return dict(bag.dags)


def test_an_added_pipeline_has_the_sequence_of_the_packaged_ones(added: dict[str, Any], dags: dict[str, Any]) -> None:
    assert set(added) - set(dags) == {"deftunes_box-office_pipeline_dag"}
    dag = added["deftunes_box-office_pipeline_dag"]
    assert {task.task_id: task.downstream_task_ids for task in dag.tasks} == {
        "extract_opening_acts": {"transform"},
        "extract_tickets": {"transform"},
        "transform": {"quality_opening_acts", "quality_tickets"},
        "quality_opening_acts": {"publish"},
        "quality_tickets": {"publish"},
        "publish": {"dbt"},
        "dbt": {"verify"},
        "verify": set(),
    }
    workloads = {task.task_id: task.pod_template_file.rpartition("/")[2] for task in dag.tasks}
    assert workloads["extract_opening_acts"] == "extract-opening-acts.yaml"
    assert {workloads[task] for task in ("quality_tickets", "quality_opening_acts")} == {"quality-box-office.yaml"}
    assert (dag.start_date.month, dag.end_date, dag.catchup, dag.max_active_runs) == (5, None, True, 1)
    assert "public" in dag.doc_md


def test_an_entity_may_join_a_packaged_pipeline(added: dict[str, Any], dags: dict[str, Any]) -> None:
    before, after = (of["deftunes_api_pipeline_dag"] for of in (dags, added))
    assert set(after.task_ids) - set(before.task_ids) == {"extract_plays", "quality_plays"}
    assert set(before.task_ids) < set(after.task_ids)
    assert after.get_task("transform_json").entities == ("users", "sessions", "plays")
    assert after.params.get_param("entities").resolve(["plays"]) == ["plays"]
    assert [asset.name for asset in after.get_task("publish").outlets][-1] == "deftunes_plays"
    assert added["deftunes_songs_pipeline_dag"].task_ids == dags["deftunes_songs_pipeline_dag"].task_ids
