"""### The songs catalogue, month by month

Each run loads the whole catalogue as it is, as the snapshot of its month: extracts it from PostgreSQL, transforms it to
a branch of the Iceberg table, validates the branch, publishes it, builds the serving star with it and counts every hop
again. A closed gate (exit code 65) fails the run at quality: nothing becomes public, serving stays as it was. Correct
the source and clear the run.

Every task may be cleared at any time: the same catalogue gives the same result. A run by hand of a month that is not
over needs `partial`; it is provisional until it is loaded again after its end.
"""

from __future__ import annotations

from airflow.sdk import DAG

from deftunes_pipelines import pipeline_dag

dag: DAG = pipeline_dag(
    "songs",
    "songs",
    description="Songs: PostgreSQL → landing zone → Iceberg → gate → public → serving",
    doc_md=__doc__,
    transform_task="transform_songs",
)
