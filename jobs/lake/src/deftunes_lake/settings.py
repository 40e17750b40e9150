"""Settings of the lake: where Spark runs, how big it is, and where its jars and the AWS services are.

A cluster is configured by settings alone: `DEFTUNES_SPARK_MASTER=k8s://...` with what k8s_conf.py reads, and
everything else in `DEFTUNES_SPARK_CONF`, which has the last word over what session.py sets.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from pydantic import Field

from deftunes_contract.errors import UsageError
from deftunes_contract.settings import MANY_LINES, LakeSettings, LogSettings


def _default_jars() -> str:
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return f"{cache}/deftunes/jars"


class JarSettings(LogSettings):
    """Where jars come from and where they lie; the lake need not be known for fetching them."""

    jars: str = Field(
        default_factory=_default_jars,
        alias="DEFTUNES_JARS",
        description="folder of the jars named in jars.lock; default: deftunes/jars in the user's cache",
    )
    maven_url: str = Field(
        "https://repo.maven.apache.org/maven2",
        alias="DEFTUNES_MAVEN_URL",
        description="Maven repository that `deftunes-lake jars` downloads from: https://, http:// or file://",
    )


class SparkSettings(LakeSettings):
    """Where the lake is and how Spark works on it."""

    spark_master: str = Field("local[*]", alias="DEFTUNES_SPARK_MASTER", description="Spark master URL")
    spark_driver_memory: str = Field(
        "2g",
        alias="DEFTUNES_SPARK_DRIVER_MEMORY",
        pattern=r"^[0-9]+[kmgtKMGT]$",
        description="heap of the driver, which with a local master is all of Spark",
    )
    spark_conf: str = Field(
        "",
        alias="DEFTUNES_SPARK_CONF",
        description="further key=value pairs, separated by white space or ';'; they have the last word",
        json_schema_extra=MANY_LINES,
    )
    spark_partitions: int | None = Field(
        None,
        alias="DEFTUNES_SPARK_PARTITIONS",
        ge=1,
        description="shuffle partitions; default: the cores of a local master, Spark's own default elsewhere",
    )
    fast_start: bool = Field(
        False,
        alias="DEFTUNES_SPARK_SMALL",
        description="tune the JVM for runs of a minute or two: it starts faster and computes slower",
    )
    jars: str = Field(
        default_factory=_default_jars,
        alias="DEFTUNES_JARS",
        description="folder of the jars named in jars.lock; default: deftunes/jars in the user's cache",
    )
    aws_region: str = Field("", alias="AWS_REGION", description="region of S3 and Glue")
    aws_default_region: str = Field("", alias="AWS_DEFAULT_REGION", description="region where AWS_REGION is not set")
    endpoint: str = Field("", alias="AWS_ENDPOINT_URL", description="endpoint of all AWS services, for stand-ins")
    s3_endpoint: str = Field("", alias="AWS_ENDPOINT_URL_S3", description="endpoint of S3, over AWS_ENDPOINT_URL")
    glue_endpoint: str = Field("", alias="AWS_ENDPOINT_URL_GLUE", description="endpoint of Glue, over AWS_ENDPOINT_URL")

    @property
    def is_local(self) -> bool:
        """Whether driver and executors are one process."""
        return self.spark_master == "local" or self.spark_master.startswith("local[")

    @property
    def cores(self) -> int:
        """Cores of a local master. Raises UsageError when the master is not local or malformed."""
        found = re.fullmatch(r"local(?:\[(\*|[0-9]+)(?:,[0-9]+)?\])?", self.spark_master)
        if found is None:
            raise UsageError(
                f"DEFTUNES_SPARK_MASTER: expected local, local[N] or local[*], found {self.spark_master!r}"
            )
        number = found.group(1) or "1"
        return len(os.sched_getaffinity(0)) if number == "*" else int(number)

    @property
    def region(self) -> str:
        """Region of S3 and Glue, empty when the environment names none."""
        return self.aws_region or self.aws_default_region

    @property
    def extra_conf(self) -> dict[str, str]:
        """`DEFTUNES_SPARK_CONF`, parsed. Raises UsageError for a pair without '=' or without a key."""
        pairs = [pair for pair in re.split(r"[\s;]+", self.spark_conf) if pair]
        if wrong := [pair for pair in pairs if not re.fullmatch(r"[^=]+=.*", pair)]:
            raise UsageError(f"DEFTUNES_SPARK_CONF: expected key=value pairs, found {', '.join(map(repr, wrong))}")
        return dict(pair.split("=", 1) for pair in pairs)
