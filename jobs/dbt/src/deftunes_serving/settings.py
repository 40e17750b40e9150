"""Settings of serving: where the lake is, which warehouse is built, where dbt may write.

Built once, in `__main__`; dbt reads the same names (profiles/profiles.yml), so plain `dbt` and `deftunes-dbt` agree.
"""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from deftunes_contract.errors import UsageError
from deftunes_contract.paths import in_s3, local_folder
from deftunes_contract.settings import LakeSettings, Settings

SERVING_FILE = "serving.duckdb"
"""Name of the serving database in a lake that is a folder."""

TAKEN_NAMES = frozenset({"deftunes_serving", "deftunes_staging", "deftunes_transform", "temp", "system"})
"""DuckDB calls a database after its file's first name; equal to a schema's, `deftunes_serving.x` would be ambiguous."""


class ProjectSettings(Settings):
    """Where the dbt project is."""

    dbt_project: Path = Field(
        # beside src/ in the repository; an image copies the project and names its place
        Path(__file__).resolve().parents[2],
        alias="DEFTUNES_DBT_PROJECT",
        description="folder of dbt_project.yml; default: the repository's jobs/dbt",
    )
    dbt_home: Path | None = Field(
        None,
        alias="DEFTUNES_DBT_HOME",
        description="folder for dbt's own files; default: .dbt beside the serving file, else in the temp folder",
    )

    @property
    def home(self) -> Path:
        """Where dbt writes its own files: never the project, which is read-only in an image."""
        return self.dbt_home or Path(tempfile.gettempdir()) / f"deftunes-dbt-{os.getuid()}"


class WarehouseSettings(Settings):
    """Redshift: where it is, who builds in it, who reads it. profiles/profiles.yml reads the same names."""

    redshift_host: str = Field("", alias="REDSHIFT_HOST", description="address of the Redshift workgroup or cluster")
    redshift_port: int = Field(5439, alias="REDSHIFT_PORT", description="its port")
    redshift_database: str = Field("deftunes", alias="REDSHIFT_DATABASE", description="database in it")
    redshift_auth: Literal["password", "iam"] = Field(
        "password", alias="REDSHIFT_AUTH", description="iam asks AWS for credentials, as the identity of the pod"
    )
    redshift_user: str = Field(
        "", alias="REDSHIFT_USER", description="account that owns deftunes_serving; empty with iam: the role's own"
    )
    redshift_password: SecretStr = Field(SecretStr(""), alias="REDSHIFT_PASSWORD", description="its password")
    redshift_workgroup: str = Field(
        "", alias="REDSHIFT_WORKGROUP", description="name of the serverless workgroup; with iam, this or the next"
    )
    redshift_cluster: str = Field("", alias="REDSHIFT_CLUSTER", description="name of the provisioned cluster")
    redshift_sslmode: Literal["verify-full", "verify-ca", "require", "disable"] = Field(
        "verify-full", alias="REDSHIFT_SSLMODE", description="how the server proves itself; disable is for trials"
    )
    redshift_spectrum_role: str = Field(
        "default",
        alias="REDSHIFT_SPECTRUM_ROLE",
        pattern=r"^(default|arn:[A-Za-z0-9:/_+=,.@-]+)$",
        description="role with which Redshift reads the lake: its ARN, or default for the namespace's own",
    )
    redshift_readers: str = Field(
        "",
        alias="REDSHIFT_READERS",
        pattern=r"^((group|role):[A-Za-z_][A-Za-z0-9_]*(,(group|role):[A-Za-z_][A-Za-z0-9_]*)*)?$",
        description="who may read deftunes_serving: group:analysts,role:dashboards",
    )
    redshift_query_group: str = Field(
        "deftunes",
        alias="REDSHIFT_QUERY_GROUP",
        pattern=r"^[A-Za-z0-9_.-]+$",
        description="label of the build's queries",
    )

    def missing(self) -> list[str]:
        """Names of the variables without which nobody can connect."""
        needed = {"REDSHIFT_HOST": self.redshift_host}
        if self.redshift_auth == "password":
            needed |= {
                "REDSHIFT_USER": self.redshift_user,
                "REDSHIFT_PASSWORD": self.redshift_password.get_secret_value(),
            }
        else:
            needed |= {"REDSHIFT_WORKGROUP or REDSHIFT_CLUSTER": self.redshift_workgroup or self.redshift_cluster}
        return [name for name, value in needed.items() if not value]


class ServingSettings(ProjectSettings, LakeSettings, WarehouseSettings):
    """All of it. Raises UsageError from the properties when a part that the target needs is missing."""

    target: Literal["embedded", "redshift"] = Field(
        "embedded", alias="DEFTUNES_DBT_TARGET", description="embedded is a DuckDB file, redshift the warehouse"
    )
    serving: str = Field(
        "",
        alias="DEFTUNES_SERVING",
        description="the DuckDB file, a path or s3://bucket/key; default: LAKE/serving.duckdb for a folder lake",
    )
    threads: int = Field(
        2, ge=1, alias="DEFTUNES_DBT_THREADS", description="models and tests that run at the same time"
    )
    lock_seconds: float = Field(
        900, ge=0, alias="DEFTUNES_DBT_LOCK_SECONDS", description="how long a build waits for another one"
    )

    @property
    def is_remote(self) -> bool:
        """Whether the serving database is an object in S3, of which a build works on a local copy."""
        return in_s3(self.serving)

    @property
    def serving_file(self) -> Path:
        """The serving database of the embedded target: absolute path, for a distant one its name. Raises UsageError."""
        if self.serving:
            name = Path(self.serving).name
            if name.lstrip(".").split(".")[0] in TAKEN_NAMES:
                raise UsageError(
                    f"DEFTUNES_SERVING: a DuckDB file must not be called like a schema, found {name}; "
                    f"call it e.g. {SERVING_FILE}"
                )
            if "?" in name:
                raise UsageError(f"DEFTUNES_SERVING: DuckDB cannot write a file with a '?' in its name, found {name!r}")
            if self.is_remote:
                if not re.fullmatch(r"s3://[^/]+/(.+/)?[^/]+", self.serving):
                    raise UsageError(f"DEFTUNES_SERVING: expected s3://bucket/key, found {self.serving}")
                return Path(name)
            return local_folder(self.serving, "DEFTUNES_SERVING")
        if in_s3(self.lake):
            raise UsageError(
                f"DEFTUNES_SERVING: expected a path or s3://bucket/key, found none, and DEFTUNES_LAKE={self.lake} is "
                "no folder in which it could lie; set DEFTUNES_SERVING, or DEFTUNES_DBT_TARGET=redshift"
            )
        return Path(self.lake_root) / SERVING_FILE

    @property
    def home(self) -> Path:
        """See ProjectSettings; beside the serving file when there is one."""
        if self.dbt_home is None and self.target == "embedded" and not self.is_remote:
            return self.serving_file.parent / ".dbt"
        return super().home

    def check_target(self) -> None:
        """Raise UsageError naming what the target still needs."""
        if self.target == "embedded":
            self.serving_file  # noqa: B018  # raises
        elif missing := self.missing():
            raise UsageError(f"DEFTUNES_DBT_TARGET=redshift needs {', '.join(missing)}; see docs/settings.md")


class AwsSettings(Settings):
    """The region; botocore itself does not read AWS_REGION. Credentials and endpoints are botocore's business."""

    region: str | None = Field(None, alias="AWS_REGION", description="region of bucket and Glue catalog")
