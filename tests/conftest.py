"""Fixtures that several rooms share: one Spark session for the whole test run, on a lake in a temporary folder."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
import structlog
from pyspark.sql import SparkSession

from deftunes_lake.session import open_session
from deftunes_lake.settings import SparkSettings

collect_ignore = ["dags", "infra", "engine"]
"""These run in environments of their own: `make test-dags`, `make test-infra`, `make e2e-infra`."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The rooms with the longest files first, the short rooms last: no worker ends long after the others."""
    first = ("system", "warehouse", "lake", "quality", "transform")
    items.sort(key=lambda item: next((at for at, room in enumerate(first) if room in item.path.parts), len(first)))


def pytest_configure() -> None:
    """Python's collector walks less often through what dbt makes by the million: a twenty-fifth of such tests' time."""
    gc.set_threshold(50_000, 20, 50)


@pytest.fixture(scope="session")
def spark_settings(tmp_path_factory: pytest.TempPathFactory) -> SparkSettings:
    """Settings of a lake in a folder; a test takes `model_copy(update={"database": ...})` of it to be alone.

    The JVM's second compiler would cost more than it saves on tables as small as the tests', and so would Java code
    generated for each query (a ninth of all time). Generated code is what the runs in processes of their own use.
    """
    return SparkSettings(
        DEFTUNES_LAKE=str(tmp_path_factory.mktemp("lake")),
        DEFTUNES_SPARK_MASTER="local[2]",
        DEFTUNES_SPARK_SMALL=True,
        DEFTUNES_SPARK_CONF="spark.sql.codegen.wholeStage=false;spark.sql.codegen.factoryMode=NO_CODEGEN",
    )


@pytest.fixture(scope="session")
def spark(spark_settings: SparkSettings) -> Iterator[SparkSession]:
    """The one Spark session."""
    session = open_session(spark_settings, "tests")
    yield session
    session.stop()


@pytest.fixture(autouse=True)
def _fresh_logs() -> None:
    """No test inherits the log level of a command that ran before it: who waits for a line would wait for ever."""
    structlog.reset_defaults()
