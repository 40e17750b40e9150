"""Fixtures of the lake's tests: each test has a database of its own in the one session's lake."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest
from lake_cases import LakeCase
from lake_worker import Worker
from pyspark.sql import SparkSession

from deftunes_lake.settings import SparkSettings

NUMBERS = itertools.count(1)


@pytest.fixture
def settings(spark_settings: SparkSettings) -> SparkSettings:
    """Settings with a database that nobody else has."""
    return spark_settings.model_copy(update={"database": f"lake_{next(NUMBERS)}"})


@pytest.fixture
def case(spark: SparkSession, settings: SparkSettings) -> LakeCase:
    """Empty tables."""
    return LakeCase.open(settings)


@pytest.fixture
def new_worker(settings: SparkSettings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Worker]]:
    """Makes processes that work on the test's own database; they are gone at the end."""
    workers: list[Worker] = []

    def make() -> Worker:
        environment = {
            "DEFTUNES_LAKE": settings.lake,
            "DEFTUNES_DATABASE": settings.database,
            "DEFTUNES_SPARK_MASTER": "local[2]",
            "DEFTUNES_SPARK_DRIVER_MEMORY": "1g",
            "DEFTUNES_SPARK_SMALL": "true",
        }
        workers.append(Worker(environment, tmp_path_factory.mktemp("worker") / "log"))
        return workers[-1]

    yield make
    for worker in workers:
        if worker.process.poll() is None:
            worker.close()
