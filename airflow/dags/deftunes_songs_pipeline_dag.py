"""### The songs catalogue, month by month

Each run loads the whole catalogue as it is, as the snapshot of its month: extracts it from PostgreSQL, transforms it to
a branch of the Iceberg table, judges the branch, publishes it and builds the serving star with it. A closed gate (exit
code 65) fails the run at quality: nothing becomes public, serving stays as it was. Correct the source and clear the
run.

Every task may be cleared at any time: the same catalogue gives the same result. A run by hand of a month that is not
over needs `partial`; it is provisional until it is loaded again after its end.
"""

from __future__ import annotations

from airflow.sdk import DAG, Asset, CronDataIntervalTimetable

from deftunes_pods import PARTIAL, SERVING_POOL, first_month, last_month, parameters, stage_pod

with DAG(
    dag_id="deftunes_songs_pipeline_dag",
    description="Songs: PostgreSQL → landing zone → Iceberg → gate → public → serving",
    doc_md=__doc__,
    # named in full: a bare cron string has no data interval in Airflow 3
    schedule=CronDataIntervalTimetable("0 0 1 * *", timezone="UTC"),
    start_date=first_month("SONGS"),
    end_date=last_month("SONGS"),
    catchup=True,
    # a catalogue is compared with the published one before it
    max_active_runs=1,
    params=parameters("songs"),
    tags=["deftunes"],
):
    extract = stage_pod("extract_songs", "extract-songs", PARTIAL, entities=["songs"])
    transform = stage_pod("transform_songs", "transform-songs", entities=["songs"])
    quality = stage_pod("quality_songs", "quality-songs", entities=["songs"])
    publish = stage_pod("publish", "publish-songs", "publish", entities=["songs"], outlets=[Asset("deftunes_songs")])
    dbt = stage_pod("dbt", "dbt", "build", pool=SERVING_POOL)

    extract >> transform >> quality >> publish >> dbt
