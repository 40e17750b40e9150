"""### Users and sessions of the shop's API, month by month

Each run loads one month: extracts what the API says of it, transforms it to a branch of the Iceberg tables, judges the
branch, publishes both tables together and builds the serving star with it. A closed gate (exit code 65) fails the run
at quality: nothing becomes public, serving stays as it was. Correct the source and clear the run's extract tasks.

*Load one table of a month again:* trigger with `entities` and with `start` and `end` of the month. Every task may be
cleared at any time: the same month gives the same result. *A month that is not over* needs `partial`; it is provisional
until it is loaded again after its end.
"""

from __future__ import annotations

from airflow.sdk import DAG, Asset, CronDataIntervalTimetable

from deftunes_pods import PARTIAL, SERVING_POOL, first_month, last_month, parameters, stage_pod

with DAG(
    dag_id="deftunes_api_pipeline_dag",
    description="Users and sessions: API → landing zone → Iceberg → gate → public → serving",
    doc_md=__doc__,
    # named in full: a bare cron string has no data interval in Airflow 3
    schedule=CronDataIntervalTimetable("0 0 1 * *", timezone="UTC"),
    start_date=first_month("API"),
    end_date=last_month("API"),
    catchup=True,
    # a month is compared with the published one before it
    max_active_runs=1,
    params=parameters("users", "sessions"),
    tags=["deftunes"],
):
    extract_users = stage_pod("extract_users", "extract-users", PARTIAL, entities=["users"])
    extract_sessions = stage_pod("extract_sessions", "extract-sessions", PARTIAL, entities=["sessions"])
    transform = stage_pod(
        "transform_json", "transform-api", entities=["users", "sessions"], trigger_rule="none_failed_min_one_success"
    )
    quality_users = stage_pod("quality_users", "quality-api", entities=["users"])
    quality_sessions = stage_pod("quality_sessions", "quality-api", entities=["sessions"])
    publish = stage_pod(
        "publish",
        "publish-api",
        "publish",
        entities=["users", "sessions"],
        trigger_rule="none_failed_min_one_success",
        outlets=[Asset("deftunes_users"), Asset("deftunes_sessions")],
    )
    dbt = stage_pod("dbt", "dbt", "build", pool=SERVING_POOL)

    [extract_users, extract_sessions] >> transform >> [quality_users, quality_sessions] >> publish >> dbt
