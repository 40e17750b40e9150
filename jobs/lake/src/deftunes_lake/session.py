"""The Spark session: made here and nowhere else, from settings alone.

Data flow: none; every stage that works on tables gets its session from `open_session`. Try it alone:
`python -c "from deftunes_contract.settings import from_environment as f; from deftunes_lake.session import *;
print(open_session(f(SparkSettings)).version)"`.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyspark import SparkContext
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from deftunes_contract.aws import aws_session
from deftunes_contract.errors import StageError, UsageError
from deftunes_contract.paths import in_s3
from deftunes_contract.settings import from_environment
from deftunes_lake.catalog import CATALOG, IDENTITY, catalog_conf, prepare_catalog_file, s3a_conf
from deftunes_lake.jars import class_path
from deftunes_lake.jvm import EVERY_JVM, java_options, java_release
from deftunes_lake.k8s_conf import ExecutorSettings, executor_conf
from deftunes_lake.settings import SparkSettings

_OPEN: dict[str, SparkSession] = {}
"""Sessions of this process's JVM by lake: there can be one JVM, and usually there is one lake."""

__all__ = ["CATALOG", "close_session", "open_session", "session_conf", "session_of_process"]


def open_session(settings: SparkSettings, app_name: str = "deftunes", record_to: str = "") -> SparkSession:
    """The session on this lake: the running one when there is one, else a new one.

    A process has one JVM. When its running session belongs to another lake, a second session with its own catalog is
    opened in that JVM; heap, master and jars stay those of the first. record_to: see jvm.py. Raises UsageError when
    jars or Java are missing.
    """
    catalog = catalog_conf(settings)
    if not settings.is_glue:
        prepare_catalog_file(Path(settings.catalog_file))
    running = _running()
    session = _OPEN.get(catalog[IDENTITY]) if running is not None else None
    if session is None and running is not None:
        session = running.newSession()
        for key, value in (catalog | _sql_conf(settings) | s3a_conf(settings, prefix="")).items():
            session.conf.set(key, value)
    elif session is None:
        _OPEN.clear()
        session = _start(settings, app_name, record_to)
    _OPEN[catalog[IDENTITY]] = session
    # Iceberg takes the JVM's active session where none is passed
    SparkSession._get_j_spark_session_class(session._jvm).setActiveSession(session._jsparkSession)
    return session


def _running() -> SparkSession | None:
    """A session of the running JVM."""
    return next((session for session in _OPEN.values() if session.sparkContext._jsc is not None), None)


def _start(settings: SparkSettings, app_name: str, record_to: str) -> SparkSession:
    builder = SparkSession.builder.appName(app_name).master(settings.spark_master)
    for key, value in session_conf(settings, record_to).items():
        builder = builder.config(key, value)
    try:
        session = builder.getOrCreate()
    except PySparkException as error:
        raise StageError(
            f"Spark did not start with master {settings.spark_master}: {error}; see Spark's own lines above"
        ) from error
    session.sparkContext.setLogLevel("WARN")
    for name in ("DataFrameQueryContextLogger", "SQLQueryContextLogger"):
        # pyspark would print the whole trace of an exception that it raises anyway
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return session


@contextmanager
def session_of_process() -> Iterator[None]:
    """For console scripts: SIGTERM ends the work like an interrupt does, and Spark is stopped at the end.

    Kubernetes sends SIGTERM; without this, executors learn of the driver's death only by time-outs.
    """

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        close_session()


def close_session(*, wait: bool = False) -> None:
    """Stop the running session, if any. wait: also end the JVM and wait for it; no other can be started after that."""
    running = _running()
    gateway = SparkContext._gateway
    if running is not None:
        running.stop()
    if wait and gateway is not None:
        gateway.shutdown()
        # the JVM lives as long as its standard input
        gateway.proc.stdin.close()
        gateway.proc.wait()


def session_conf(settings: SparkSettings, record_to: str = "") -> dict[str, str]:
    """All Spark settings of a new session, `DEFTUNES_SPARK_CONF` last. Raises UsageError for missing jars or Java."""
    java_release()
    _check_environment(settings)
    jars = class_path(settings.jars)
    conf = {
        # one setting for both worlds: locally the folder is the user's, in pods it is the image's
        "spark.driver.extraClassPath": jars,
        "spark.executor.extraClassPath": jars,
        "spark.driver.memory": settings.spark_driver_memory,
        "spark.driver.extraJavaOptions": java_options(settings, record_to),
        "spark.executor.extraJavaOptions": EVERY_JVM,
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.eventLog.enabled": "false",
        # tracing every column expression back to its line of Python costs more than small queries do
        "spark.python.sql.dataFrameDebugging.enabled": "false",
        # Spark's default of 25 warns of every plan over a songs table
        "spark.sql.debug.maxToStringFields": "1000",
        # data lies in S3 or in this very process: there is no nearer place that a task could wait for
        "spark.locality.wait": "0",
    }
    if settings.is_local:
        # a local Spark talks to itself: no port of it may be reachable from outside
        conf |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    elif settings.spark_master.startswith("k8s://"):
        conf |= executor_conf(from_environment(ExecutorSettings))
    return conf | _sql_conf(settings) | s3a_conf(settings) | catalog_conf(settings) | settings.extra_conf


def _check_environment(settings: SparkSettings) -> None:
    """Variables that pyspark and AWS's Java client read by themselves. Raises UsageError that names a wrong one."""
    if (home := os.environ.get("SPARK_HOME")) and not Path(home, "bin", "spark-submit").is_file():
        raise UsageError(f"SPARK_HOME: expected a Spark at {home}, found no bin/spark-submit; correct or unset it")
    if settings.is_glue or in_s3(settings.lake):
        aws_session()


def _sql_conf(settings: SparkSettings) -> dict[str, str]:
    conf = {
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.ansi.enabled": "true",
        "spark.sql.adaptive.enabled": "true",
        # without Arrow a null string of a pandas frame becomes the text 'nan'
        "spark.sql.execution.arrow.pyspark.enabled": "true",
    }
    partitions = settings.spark_partitions or (settings.cores if settings.is_local else None)
    if partitions is not None:
        # Spark's default of 200 costs a local shuffle of a few thousand rows some 2 s of empty tasks
        conf["spark.sql.shuffle.partitions"] = str(partitions)
    return conf
