"""What the DAGs are: ids, schedule with its intervals spelled out, sequence, and what happens to what fails."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

API, SONGS, MAINTENANCE = "deftunes_api_pipeline_dag", "deftunes_songs_pipeline_dag", "deftunes_maintenance_dag"

EDGES = {
    API: {
        "extract_users": {"transform_json"},
        "extract_sessions": {"transform_json"},
        "transform_json": {"quality_users", "quality_sessions"},
        "quality_users": {"publish"},
        "quality_sessions": {"publish"},
        "publish": {"dbt"},
        "dbt": {"verify"},
        "verify": set(),
    },
    SONGS: {
        "extract_songs": {"transform_songs"},
        "transform_songs": {"quality_songs"},
        "quality_songs": {"publish"},
        "publish": {"dbt"},
        "dbt": {"verify"},
        "verify": set(),
    },
    MAINTENANCE: {"maintain": set()},
}


def test_there_are_these_dags(dags: dict[str, Any]) -> None:
    assert set(dags) == set(EDGES)


@pytest.mark.parametrize("dag_id", EDGES)
def test_the_sequence_is_the_missions(dags: dict[str, Any], dag_id: str) -> None:
    assert {task.task_id: task.downstream_task_ids for task in dags[dag_id].tasks} == EDGES[dag_id]


@pytest.mark.parametrize(("dag_id", "months"), [(API, 3), (SONGS, 2)])
def test_the_first_runs_are_these_months(dags: dict[str, Any], dag_id: str, months: int) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    # what the scheduler works with; a bare cron string would give three intervals without width
    dag = DagSerialization.from_dict(DagSerialization.to_dict(dags[dag_id]))
    found, run = [], dag.next_dagrun_info(last_automated_run_info=None)
    while run is not None:
        found.append((run.data_interval.start, run.data_interval.end))
        run = dag.next_dagrun_info(last_automated_run_info=run)
    edges = [datetime(2020, month, 1, tzinfo=UTC) for month in range(2, 3 + months)]
    assert found == list(pairwise(edges))


@pytest.mark.parametrize("dag_id", [API, SONGS])
def test_months_follow_each_other_and_catch_up(dags: dict[str, Any], dag_id: str) -> None:
    dag = dags[dag_id]
    assert dag.catchup
    assert dag.max_active_runs == 1


def test_maintenance_does_not_catch_up(dags: dict[str, Any]) -> None:
    assert not dags[MAINTENANCE].catchup
    assert dags[MAINTENANCE].max_active_runs == 1


@pytest.mark.parametrize("dag_id", EDGES)
def test_every_task_waits_outside_of_a_process_and_ends_as_agreed(dags: dict[str, Any], dag_id: str) -> None:
    for task in dags[dag_id].tasks:
        assert type(task).__name__ == "StagePodOperator"
        assert task.deferrable
        assert task.durable
        assert task.on_finish_action.value == "delete_succeeded_pod"
        assert task.skip_on_exit_code == [99]
        assert task.log_events_on_failure
        assert task.retries >= 3
        assert task.schedule_timeout_seconds >= 600
        assert task.startup_timeout_seconds >= 600
        assert task.execution_timeout is not None


def test_only_dbt_takes_the_serving_slot(dags: dict[str, Any]) -> None:
    pools = {(dag_id, task.task_id): task.pool for dag_id, dag in dags.items() for task in dag.tasks}
    assert {key for key, pool in pools.items() if pool == "deftunes_serving"} == {(API, "dbt"), (SONGS, "dbt")}
    assert {pool for key, pool in pools.items() if key[1] != "dbt"} == {"default_pool"}


def test_only_publish_emits_assets(dags: dict[str, Any]) -> None:
    found = {
        (dag_id, task.task_id): [asset.name for asset in task.outlets]
        for dag_id, dag in dags.items()
        for task in dag.tasks
        if task.outlets
    }
    assert found == {
        (API, "publish"): ["deftunes_users", "deftunes_sessions"],
        (SONGS, "publish"): ["deftunes_songs"],
    }


@pytest.mark.parametrize("dag_id", EDGES)
def test_a_dag_explains_itself(dags: dict[str, Any], dag_id: str) -> None:
    assert "public" in (dags[dag_id].doc_md or "")
    assert dags[dag_id].description
