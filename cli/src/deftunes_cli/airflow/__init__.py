"""Runs of the pipelines in Airflow, over its public REST API: backfilled months, one by hand, what became of them."""
