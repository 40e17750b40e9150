"""### Maintenance of the Iceberg tables

Small files become large, old snapshots and stray files go; what is public stays row for row the same. Never while a
run's branch is open: the stage then ends with 75 and is tried again every half hour, a working day long.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronTriggerTimetable

from deftunes_pods import stage_pod

with DAG(
    dag_id="deftunes_maintenance_dag",
    description="Compaction, snapshot expiry and removal of orphan files",
    doc_md=__doc__,
    schedule=CronTriggerTimetable(os.environ.get("DEFTUNES_MAINTENANCE_SCHEDULE", "0 4 * * 0"), timezone="UTC"),
    start_date=datetime(2020, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    tags=["deftunes"],
):
    stage_pod(
        "maintain",
        "maintain",
        arguments=["maintain", "--when-quiet"],
        retries=16,
        retry_delay=timedelta(minutes=30),
        retry_exponential_backoff=False,
    )
