"""### Pipelines of added contracts, month by month

Contracts that the chart's `contracts.files` adds bring their pipelines: each gets a DAG, with the sequence of
the packaged ones. Airflow reads it when its pods start, so a new contract is there after `helm upgrade`. A closed gate
(exit code 65) keeps a month out of what is public; correct the source and clear the extract task.
"""

from __future__ import annotations

from deftunes_pipelines import pipeline_dag, pipelines

PACKAGED = ("api", "songs")

for name, entities in pipelines().items():
    if name not in PACKAGED:
        globals()[f"deftunes_{name}"] = pipeline_dag(
            name,
            description=f"{', '.join(entities)}: source → landing zone → Iceberg → gate → public → serving",
            doc_md=__doc__,
        )
