"""How a pod's end becomes a task's: tried again, skipped or failed, with the stage's own last sentence.

The pods are the API server's own objects, built here; that a real server gives such ones is shown by tests/e2e.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from unittest import mock

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException


def _pod(exit_code: int | None, message: str = "", reason: str | None = None, **status: Any) -> Any:
    from kubernetes.client import models as k8s

    terminated = None
    if exit_code is not None:
        terminated = k8s.V1ContainerStateTerminated(exit_code=exit_code, message=message, reason="Error")
    state = k8s.V1ContainerState(terminated=terminated)
    container = k8s.V1ContainerStatus(name="stage", image="i", image_id="i", ready=False, restart_count=0, state=state)
    return k8s.V1Pod(
        metadata=k8s.V1ObjectMeta(name="p", namespace="n", deletion_timestamp=status.pop("deleted", None)),
        status=k8s.V1PodStatus(
            phase="Succeeded" if exit_code == 0 else "Failed", reason=reason, container_statuses=[container], **status
        ),
    )


def _cleaned(dags: dict[str, Any], pod: Any) -> None:
    task = dags["deftunes_api_pipeline_dag"].get_task("quality_users")
    with mock.patch.multiple(
        type(task),
        is_istio_enabled=mock.Mock(return_value=False),
        patch_already_checked=mock.Mock(),
        process_pod_deletion=mock.Mock(),
        _read_pod_events=mock.Mock(),
        _read_pod_container_states=mock.Mock(),
    ):
        task.cleanup(pod, pod)


SENTENCE = "users: gate closed: 3 of 40 rows break user_id_complete; correct the source and run again"
LINE = json.dumps({"event": SENTENCE, "level": "error"})


@pytest.mark.parametrize("code", [1, 2, 65, 137, 143])
def test_what_would_end_the_same_way_fails_at_once(dags: dict[str, Any], code: int) -> None:
    with pytest.raises(AirflowFailException) as failed:
        _cleaned(dags, _pod(code, f"first\n{LINE}\n"))
    assert type(failed.value) is AirflowFailException
    assert str(failed.value) == f"{SENTENCE} (exit code {code})"


def test_temporary_is_tried_again(dags: dict[str, Any]) -> None:
    with pytest.raises(AirflowException) as failed:
        _cleaned(dags, _pod(75, LINE))
    assert type(failed.value) is AirflowException
    assert SENTENCE in str(failed.value)


def test_nothing_to_do_skips(dags: dict[str, Any]) -> None:
    with pytest.raises(AirflowSkipException) as skipped:
        _cleaned(dags, _pod(99))
    assert type(skipped.value) is AirflowSkipException


def test_done_is_done(dags: dict[str, Any]) -> None:
    _cleaned(dags, _pod(0))


def _disrupted() -> Any:
    from kubernetes.client import models as k8s

    return k8s.V1PodCondition(type="DisruptionTarget", status="True", reason="EvictionByEvictionAPI")


@pytest.mark.parametrize(
    ("pod", "why"),
    [
        (lambda: _pod(143, LINE, conditions=[_disrupted()]), "EvictionByEvictionAPI"),
        (lambda: _pod(137, "", reason="Evicted"), "Evicted"),
        (lambda: _pod(1, LINE, deleted=datetime(2020, 1, 1, tzinfo=UTC)), "deleted"),
        (lambda: _pod(None), "did not start"),
    ],
)
def test_what_kubernetes_took_away_is_tried_again(dags: dict[str, Any], pod: Any, why: str) -> None:
    with pytest.raises(AirflowException, match=why) as failed:
        _cleaned(dags, pod())
    assert type(failed.value) is AirflowException


@pytest.mark.parametrize(
    ("message", "said"),
    [("", "Error: the pod's log has the details"), ("Traceback…\nMemoryError: no", "MemoryError: no"), ("[1]", "[1]")],
)
def test_last_words_that_are_no_log_line(dags: dict[str, Any], message: str, said: str) -> None:
    with pytest.raises(AirflowFailException) as failed:
        _cleaned(dags, _pod(1, message))
    assert str(failed.value) == f"{said} (exit code 1)"


def test_alerts_are_sent_only_where_there_is_a_receiver(monkeypatch: pytest.MonkeyPatch) -> None:
    import deftunes_pods

    monkeypatch.delenv("AIRFLOW_CONN_DEFTUNES_ALERTS", raising=False)
    assert not deftunes_pods.stage_pod("t", "dbt").on_failure_callback
    monkeypatch.setenv("AIRFLOW_CONN_DEFTUNES_ALERTS", "{}")
    (notifier,) = deftunes_pods.stage_pod("t", "dbt").on_failure_callback
    assert "{{ exception }}" in notifier.json["text"]
