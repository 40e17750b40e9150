"""The one place that calls Iceberg's Java API, for what SQL cannot express or does slowly.

Loading a table here takes milliseconds where a metadata query takes half a second, and one `update_refs` moves
branches and tags in ONE commit that fails when anybody else committed since the table was loaded. Everything typed
`Any` is a Java object and stays inside deftunes_lake.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors.exceptions.captured import CapturedException
from pyspark.sql import SparkSession

from deftunes_contract.errors import RetryableError

JAVA_ERRORS = (Py4JJavaError, CapturedException)
"""pyspark turns Java errors that it knows into its own and leaves the others to py4j."""
CONFLICTS = {"CommitFailedException", "ValidationException"}
"""What Iceberg throws when somebody else's commit came first."""


class CommitConflict(Exception):
    """Somebody else committed to the table meanwhile: nothing was changed, look again and decide anew."""


class NoTable(RetryableError):
    """The table is not there."""


def load_table(spark: SparkSession, name: str) -> Any:
    """The Iceberg table of a three-part name, as it is now. Raises NoTable."""
    # a thread that Spark does not know yet has no active session, and would look for the catalog in vain
    spark._get_j_spark_session_class(spark._jvm).setActiveSession(spark._jsparkSession)
    try:
        return jvm(spark).org.apache.iceberg.spark.Spark3Util.loadIcebergTable(spark._jsparkSession, name)
    except JAVA_ERRORS as error:
        if "NoSuchTableException" in causes(error) or "TABLE_OR_VIEW_NOT_FOUND" in first_line(error):
            raise NoTable(f"expected a table {name}, found none; run deftunes-lake create") from None
        raise


def causes(error: Exception) -> set[str]:
    """Simple class names of a Java error and of all its causes."""
    cause = error.java_exception if isinstance(error, Py4JJavaError) else getattr(error, "_origin", None)
    names: set[str] = set()
    while cause is not None:
        names.add(str(cause.getClass().getSimpleName()))
        cause = cause.getCause()
    return names


def first_line(error: Exception) -> str:
    """A Java error in one line."""
    text = str(error.java_exception.toString()) if isinstance(error, Py4JJavaError) else str(error)
    return text.splitlines()[0]


@contextmanager
def translate_commit_errors(what: str) -> Iterator[None]:
    """Turn Iceberg's commit errors into CommitConflict (try again) or RetryableError (outcome unknown)."""
    try:
        yield
    except JAVA_ERRORS as error:
        names = causes(error)
        if "CommitStateUnknownException" in names:
            raise RetryableError(
                f"the catalog did not report whether it took {what}: {first_line(error)}; run the same again"
            ) from error
        if names & CONFLICTS:
            raise CommitConflict(f"{what}: {first_line(error)}") from error
        raise


def properties_of(snapshot: Any) -> dict[str, str]:
    """The summary of a Java snapshot."""
    summary = snapshot.summary()
    return {} if summary is None else dict(summary)


def jvm(spark: SparkSession) -> Any:
    """The Java packages."""
    return spark._jvm
