"""### Users and sessions of the shop's API, month by month

Each run loads one month: extracts what the API says of it, transforms it to a branch of the Iceberg tables, validates
the branch, publishes both tables together, builds the serving star with it and counts every hop again. A closed gate
(exit code 65) fails the run at quality: nothing becomes public, serving stays as it was. Correct the source and clear
the run's extract tasks.

*Load one table of a month again:* trigger with `entities` and with `start` and `end` of the month. Every task may be
cleared at any time: the same month gives the same result. *A month that is not over* needs `partial`; it is provisional
until it is loaded again after its end.
"""

from __future__ import annotations

from airflow.sdk import DAG

from deftunes_pipelines import pipeline_dag

dag: DAG = pipeline_dag(
    "api",
    "users",
    "sessions",
    description="Users and sessions: API → landing zone → Iceberg → gate → public → serving",
    doc_md=__doc__,
    transform_task="transform_json",
)
