"""DAG and task ids that people hold on to are kept; new ones are listed on purpose in tests/docs/frozen_names.yaml."""

from pathlib import Path
from typing import Any

import yaml

LIST = Path(__file__).parents[1] / "docs" / "frozen_names.yaml"


def test_dag_and_task_ids_are_kept(dags: dict[str, Any]) -> None:
    frozen = set(yaml.safe_load(LIST.read_text(encoding="utf-8"))["dags"])
    now = set(dags) | {f"{dag_id}.{task_id}" for dag_id, dag in dags.items() for task_id in dag.task_ids}
    assert not frozen - now, f"gone: {sorted(frozen - now)}; runs, clears and alerts name these ids, so keep them"
    assert not now - frozen, f"new: {sorted(now - frozen)}; add them to section dags of tests/docs/{LIST.name}"
