"""The one factory for a pipeline's DAG: what runs follows from its entities, and these from the contracts.

    extract, a pod an entity ─► transform ─► quality, a pod an entity ─► publish, all together ─► dbt ─► verify

Settings, all from the chart: DEFTUNES_PIPELINES (JSON, entities by pipeline in the order in which they are published;
without it a DAG has the packaged ones) and DEFTUNES_{PIPELINE}_PIPELINE_{START,END}.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime

from airflow.sdk import DAG, Asset, CronDataIntervalTimetable, Param

from deftunes_pods import PARTIAL, SERVING_POOL, stage_pod


def pipelines() -> dict[str, list[str]]:
    """Entities by pipeline, as the chart knows them; empty without DEFTUNES_PIPELINES."""
    found: dict[str, list[str]] = json.loads(os.environ.get("DEFTUNES_PIPELINES") or "{}")
    return found


def pipeline_dag(
    pipeline: str, *packaged: str, description: str, doc_md: str, transform_task: str = "transform"
) -> DAG:
    """The DAG of a pipeline. `packaged`: its entities where DEFTUNES_PIPELINES does not name it.

    Raises KeyError without DEFTUNES_<PIPELINE>_PIPELINE_START.
    """
    entities = pipelines().get(pipeline, list(packaged))
    workload = pipeline.replace("_", "-")
    with DAG(
        dag_id=f"deftunes_{pipeline}_pipeline_dag",
        description=description,
        doc_md=doc_md,
        # named in full: a bare cron string has no data interval in Airflow 3
        schedule=CronDataIntervalTimetable("0 0 1 * *", timezone="UTC"),
        start_date=first_month(pipeline),
        end_date=last_month(pipeline),
        catchup=True,
        # a month is compared with the published one before it
        max_active_runs=1,
        params=parameters(*entities),
        tags=["deftunes"],
    ) as dag:
        extract = [
            stage_pod(f"extract_{entity}", f"extract-{entity.replace('_', '-')}", PARTIAL, entities=[entity])
            for entity in entities
        ]
        # a run may leave entities out: the rest goes on
        some = "none_failed_min_one_success"
        transform = stage_pod(transform_task, f"transform-{workload}", entities=entities, trigger_rule=some)
        quality = [stage_pod(f"quality_{entity}", f"quality-{workload}", entities=[entity]) for entity in entities]
        outlets = [Asset(f"deftunes_{entity}") for entity in entities]
        publish = stage_pod(
            "publish", f"publish-{workload}", "publish", entities=entities, trigger_rule=some, outlets=outlets
        )
        dbt = stage_pod("dbt", "dbt", "build", pool=SERVING_POOL)
        verify = stage_pod("verify", "verify", entities=entities)
        extract >> transform >> quality >> publish >> dbt >> verify
    return dag


def first_month(pipeline: str) -> datetime:
    """Start of the first month that catch-up runs. Raises KeyError without DEFTUNES_<PIPELINE>_PIPELINE_START."""
    return _month(os.environ[f"{_prefix(pipeline)}_START"])


def last_month(pipeline: str) -> datetime | None:
    """Start of the last month that the schedule runs; None: there is no last one."""
    end = os.environ.get(f"{_prefix(pipeline)}_END")
    return _month(end) if end else None


def parameters(*entities: str) -> dict[str, Param]:
    """What a run made by hand may say: a part of the pipeline's entities, and a month."""
    day = {"type": ["null", "string"], "format": "date"}
    return {
        "entities": Param(
            list(entities),
            type="array",
            items={"type": "string", "enum": list(entities)},
            minItems=1,
            uniqueItems=True,
            description="Entities to load again; the others stay as they are",
        ),
        "allow": Param(
            [],
            type="array",
            items={
                "type": "string",
                "pattern": rf"^(empty|shrink|source-change|overlap)=({'|'.join(entities)})(:\d{{4}}-\d{{2}})?$",
            },
            uniqueItems=True,
            description="Guards that this run lifts, each by name, such as shrink=sessions:2020-01",
        ),
        "start": Param(None, **day, description="First day of the month, instead of the run's own interval"),
        "end": Param(None, **day, description="First day of the month after; needed with start"),
        "partial": Param(False, type="boolean", description="The month may still be running; it is provisional then"),
    }


def _prefix(pipeline: str) -> str:
    return f"DEFTUNES_{pipeline.upper().replace('-', '_')}_PIPELINE"


def _month(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC)
