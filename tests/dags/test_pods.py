"""The pod of every task is the chart's template, with arguments and labels added, and what the run is about in them."""

from __future__ import annotations

import copy
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

JANUARY = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 2, 1, tzinfo=UTC))
MONTH = ["--start", "2020-01-01", "--end", "2020-02-01", "--run-id", "scheduled__2020-01-01T00:00:00+00:00"]

TASKS = {
    ("deftunes_api_pipeline_dag", "extract_users"): ("extract-users", ["users", *MONTH]),
    ("deftunes_api_pipeline_dag", "extract_sessions"): ("extract-sessions", ["sessions", *MONTH]),
    ("deftunes_api_pipeline_dag", "transform_json"): ("transform-api", ["users", "sessions", *MONTH]),
    ("deftunes_api_pipeline_dag", "quality_users"): ("quality-api", ["users", *MONTH]),
    ("deftunes_api_pipeline_dag", "quality_sessions"): ("quality-api", ["sessions", *MONTH]),
    ("deftunes_api_pipeline_dag", "publish"): ("publish-api", ["publish", "users", "sessions", *MONTH]),
    ("deftunes_api_pipeline_dag", "dbt"): ("dbt", ["build", *MONTH]),
    ("deftunes_api_pipeline_dag", "verify"): ("verify", ["users", "sessions", *MONTH]),
    ("deftunes_songs_pipeline_dag", "extract_songs"): ("extract-songs", ["songs", *MONTH]),
    ("deftunes_songs_pipeline_dag", "transform_songs"): ("transform-songs", ["songs", *MONTH]),
    ("deftunes_songs_pipeline_dag", "quality_songs"): ("quality-songs", ["songs", *MONTH]),
    ("deftunes_songs_pipeline_dag", "publish"): ("publish-songs", ["publish", "songs", *MONTH]),
    ("deftunes_songs_pipeline_dag", "dbt"): ("dbt", ["build", *MONTH]),
    ("deftunes_songs_pipeline_dag", "verify"): ("verify", ["songs", *MONTH]),
    ("deftunes_maintenance_dag", "maintain"): ("maintain", ["maintain", "--when-quiet"]),
}


def _context(dag: Any, **params: Any) -> dict[str, Any]:
    given = {name: param.value for name, param in dag.params.items()} if hasattr(dag.params, "items") else {}
    return {
        "params": given | params,
        "data_interval_start": JANUARY[0],
        "data_interval_end": JANUARY[1],
        "run_id": MONTH[-1],
    }


def _rendered(dags: dict[str, Any], dag_id: str, task_id: str, **context: Any) -> Any:
    """The operator with its templates rendered by Airflow's own environment."""
    dag = dags[dag_id]
    task = copy.copy(dag.get_task(task_id))
    task.render_template_fields({**_context(dag), **context}, jinja_env=dag.get_template_env())
    return task


def _pod(task: Any) -> dict[str, Any]:
    from kubernetes.client import ApiClient

    pod = task.build_pod_request_obj(dry_run=True)
    return dict(ApiClient().sanitize_for_serialization(pod))


def _bare(pod: dict[str, Any]) -> dict[str, Any]:
    """Without what Airflow may add (arguments, labels, a suffix of the name) and without empty parts."""
    pod = copy.deepcopy(pod)
    for container in pod["spec"]["containers"]:
        container.pop("args", None)
    if pod["spec"].get("hostNetwork") is False:
        del pod["spec"]["hostNetwork"]  # the operator says what is so anyway
    metadata = {"annotations": pod["metadata"].get("annotations")}
    return dict(_full({"metadata": metadata, "spec": pod["spec"]}))


def _full(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: found for key, inner in value.items() if (found := _full(inner)) not in (None, {}, [])}
    return [_full(inner) for inner in value] if isinstance(value, list) else value


def test_every_task_is_here(dags: dict[str, Any]) -> None:
    assert {(dag_id, task.task_id) for dag_id, dag in dags.items() for task in dag.tasks} == set(TASKS)


@pytest.mark.parametrize(("dag_id", "task_id"), list(TASKS), ids=lambda name: name)
def test_a_tasks_pod_is_the_charts(dags: dict[str, Any], templates: Path, dag_id: str, task_id: str) -> None:
    workload, arguments = TASKS[dag_id, task_id]
    template = yaml.safe_load((templates / f"{workload}.yaml").read_text(encoding="utf-8"))
    pod = _pod(_rendered(dags, dag_id, task_id))
    assert _bare(pod) == _bare(template)
    assert pod["spec"]["containers"][0]["args"] == arguments
    assert pod["metadata"]["name"].startswith(template["metadata"]["name"])
    assert template["metadata"]["labels"].items() <= pod["metadata"]["labels"].items()


def test_a_run_about_one_entity_leaves_the_other_out(dags: dict[str, Any]) -> None:
    dag = dags["deftunes_api_pipeline_dag"]
    only = _context(dag, entities=["users"])
    task = _rendered(dags, dag.dag_id, "transform_json", **only)
    assert _pod(task)["spec"]["containers"][0]["args"] == ["users", *MONTH]
    with pytest.raises(Exception, match="not asked for: this run is about users") as skipped:
        _rendered(dags, dag.dag_id, "extract_sessions", **only).execute(only)
    assert type(skipped.value).__name__ == "AirflowSkipException"


def test_parameters_name_another_month(dags: dict[str, Any]) -> None:
    dag = dags["deftunes_api_pipeline_dag"]
    given = _context(dag, start="2020-03-01", end="2020-04-01")
    args = _pod(_rendered(dags, dag.dag_id, "publish", **given))["spec"]["containers"][0]["args"]
    assert args[3:7] == ["--start", "2020-03-01", "--end", "2020-04-01"]


def test_a_month_that_is_not_over_is_read_when_the_parameters_say_so(dags: dict[str, Any]) -> None:
    for dag_id, task_id in TASKS:
        dag = dags[dag_id]
        plain = _pod(_rendered(dags, dag_id, task_id))["spec"]["containers"][0]["args"]
        args = _pod(_rendered(dags, dag_id, task_id, **_context(dag, partial=True)))["spec"]["containers"][0]["args"]
        assert args == (["--partial", *plain] if task_id.startswith("extract") else plain)
    assert dags["deftunes_api_pipeline_dag"].params["partial"] is False


@pytest.mark.parametrize("params", [{}, {"start": "2020-03-01"}, {"end": "2020-03-01"}])
def test_a_run_without_a_month_is_refused_at_once(dags: dict[str, Any], params: dict[str, str]) -> None:
    dag = dags["deftunes_api_pipeline_dag"]
    given = _context(dag, **params) | {"data_interval_start": None, "data_interval_end": None}
    with pytest.raises(Exception, match="expected a month, found a run by hand without one") as refused:
        _rendered(dags, dag.dag_id, "extract_users", **given).execute(given)
    assert type(refused.value).__name__ == "AirflowFailException"


ALLOW = ["empty=users", "shrink=sessions:2020-01", "source-change=sessions:2020-01", "shrink=users"]


@pytest.mark.parametrize(
    ("task_id", "flags"),
    [
        ("extract_users", ["--allow-empty", "users", "--allow-shrink", "users"]),
        ("extract_sessions", ["--allow-shrink", "sessions:2020-01"]),
        ("transform_json", []),
        ("quality_users", ["--allow-shrink", "users"]),
        (
            "quality_sessions",
            ["--allow-shrink", "sessions:2020-01", "--allow-source-change", "sessions:2020-01"],
        ),
        ("publish", []),
        ("dbt", ["--allow-shrink", "sessions:2020-01", "--allow-shrink", "users"]),
    ],
)
def test_lifted_guards_reach_the_stages_that_have_them(
    dags: dict[str, Any], monkeypatch: pytest.MonkeyPatch, task_id: str, flags: list[str]
) -> None:
    from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator

    monkeypatch.setattr(KubernetesPodOperator, "execute", lambda self, context: None)
    dag = dags["deftunes_api_pipeline_dag"]
    given = _context(dag, allow=ALLOW)
    task = _rendered(dags, dag.dag_id, task_id, **given)
    plain = list(task.arguments)
    task.execute(given)
    assert task.arguments == [*plain, *flags]


@pytest.mark.parametrize("allow", [["shrink"], ["shrink=songs"], ["shrink=users:2020"], ["all=users"], "shrink=users"])
def test_what_lifts_no_guard_is_refused(dags: dict[str, Any], allow: Any) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    param = dags["deftunes_api_pipeline_dag"].params.get_param("allow")
    assert param.resolve(ALLOW) == ALLOW
    with pytest.raises(ParamValidationError):
        param.resolve(allow)


@pytest.mark.parametrize("entities", [[], ["songs"], ["users", "users"]])
def test_entities_that_are_none_are_refused(dags: dict[str, Any], entities: list[str]) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    param = dags["deftunes_api_pipeline_dag"].params.get_param("entities")
    assert param.resolve(["sessions"]) == ["sessions"]
    with pytest.raises(ParamValidationError):
        param.resolve(entities)


@pytest.mark.parametrize(
    ("task_id", "params", "wanted"),
    [
        ("extract_users", {"entities": ["users"]}, {"entity": "users", "interval": "2020-01-01_2020-02-01"}),
        (
            "publish",
            {"entities": ["users", "sessions"]},
            {"entity": "users_sessions", "interval": "2020-01-01_2020-02-01"},
        ),
        ("publish", {"entities": ["users"]}, {"entity": "users", "interval": "2020-01-01_2020-02-01"}),
        ("dbt", {"start": "2020-03-01", "end": "2020-04-01"}, {"interval": "2020-03-01_2020-04-01"}),
    ],
)
def test_a_pod_is_labelled_with_what_the_run_is_about(
    dags: dict[str, Any], monkeypatch: pytest.MonkeyPatch, task_id: str, params: dict[str, Any], wanted: dict[str, str]
) -> None:
    from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator

    monkeypatch.setattr(KubernetesPodOperator, "execute", lambda self, context: None)
    dag = dags["deftunes_api_pipeline_dag"]
    given = _context(dag, **params)
    task = _rendered(dags, dag.dag_id, task_id, **given)
    task.execute(given)
    labels = {
        key.removeprefix("deftunes.io/"): value
        for key, value in _pod(task)["metadata"]["labels"].items()
        if key.startswith("deftunes.io/")
    }
    assert wanted.items() <= labels.items()
    assert re.fullmatch(r"scheduled__2020-01-01[A-Za-z0-9_.-]*[a-z0-9]", labels["run-id"])
    assert len(labels["run-id"]) <= 63
    assert (labels.get("entity") is None) is (task_id == "dbt")
