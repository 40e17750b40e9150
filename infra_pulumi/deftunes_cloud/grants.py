"""Who may do what: one IAM document a stage, down to prefix and database, as plain data.

| stage     | landing_zone | transform_zone | quality | serving.duckdb | Glue   | Redshift    | logs bucket |
| extract   | write        |                |         |                |        |             |             |
| transform | read         | write          |         |                | write  |             |             |
| quality   | read         | read           | write   |                | read   |             |             |
| lake      | read         | write          | read    |                | write  |             |             |
| dbt       |              | read           |         |                | read   | credentials |             |
| spectrum  |              | read           |         |                | read   |             |             |
| airflow   |              |                |         |                |        |             | write       |

Pure functions of ARNs, so that a linter and a simulator of IAM can look at the very documents that are installed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Statement = dict[str, Any]

STAGES = ("extract", "transform", "quality", "lake", "dbt")
"""Stages with an identity of their own, each named like its service account."""

LANDING, TABLES, REPORTS, LOGS = "landing_zone", "transform_zone", "quality", "airflow"
"""Shelves: prefixes of the lake's bucket (deftunes_contract.zones), and Airflow's of the logs bucket."""

_READ_TABLES = ("glue:GetDatabase", "glue:GetTable", "glue:GetTables")
_WRITE_TABLES = (*_READ_TABLES, "glue:CreateTable", "glue:UpdateTable")


@dataclass(frozen=True)
class Shelves:
    """ARNs of what there is to be read and written.

    `glue` are the ARNs of catalog, database and all its tables; `warehouse` is the ARN of the Redshift workgroup or of
    the cluster's account in the database (dbuser).
    """

    lake: str
    logs: str
    key: str
    region: str
    glue: tuple[str, ...]
    warehouse: str
    is_serverless: bool


def document(stage: str, shelves: Shelves) -> dict[str, Any]:
    """IAM policy of a stage, of `spectrum` or of `airflow`. Raises KeyError for any other name."""
    return {"Version": "2012-10-17", "Statement": _STATEMENTS[stage](shelves)}


def trusted(*services: str, actions: Iterable[str] = ("sts:AssumeRole",)) -> dict[str, Any]:
    """Trust policy: these AWS services may take the role on."""
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": list(services)}, "Action": list(actions)}],
    }


def _extract(shelves: Shelves) -> list[Statement]:
    return [*_objects(shelves.lake, LANDING, writes=True), *_key(shelves, writes=True)]


def _transform(shelves: Shelves) -> list[Statement]:
    return [
        *_objects(shelves.lake, LANDING),
        *_objects(shelves.lake, TABLES, writes=True),
        _glue(shelves, _WRITE_TABLES),
        *_key(shelves, writes=True),
    ]


def _quality(shelves: Shelves) -> list[Statement]:
    return [
        *_objects(shelves.lake, LANDING),
        *_objects(shelves.lake, TABLES),
        *_objects(shelves.lake, REPORTS, writes=True),
        _glue(shelves, _READ_TABLES),
        *_key(shelves, writes=True),
    ]


def _lake(shelves: Shelves) -> list[Statement]:
    return [
        *_objects(shelves.lake, LANDING),
        *_objects(shelves.lake, REPORTS),
        *_objects(shelves.lake, TABLES, writes=True),
        _glue(shelves, _WRITE_TABLES),
        *_key(shelves, writes=True),
    ]


def _spectrum(shelves: Shelves) -> list[Statement]:
    partitions = ("glue:GetPartition", "glue:GetPartitions", "glue:BatchGetPartition")
    return [
        *_objects(shelves.lake, TABLES),
        _glue(shelves, (*_READ_TABLES, *partitions)),
        *_key(shelves),
    ]


def _dbt(shelves: Shelves) -> list[Statement]:
    login = (
        ("redshift-serverless:GetCredentials", "redshift-serverless:GetWorkgroup")
        if shelves.is_serverless
        else ("redshift:GetClusterCredentialsWithIAM",)
    )
    return [
        *_objects(shelves.lake, TABLES),
        _glue(shelves, _READ_TABLES),
        {"Sid": "Warehouse", "Effect": "Allow", "Action": list(login), "Resource": shelves.warehouse},
        *_key(shelves),
    ]


def _airflow(shelves: Shelves) -> list[Statement]:
    """Task logs, and nothing else: Airflow carries no data."""
    return [*_objects(shelves.logs, LOGS, writes=True), *_key(shelves, writes=True)]


_STATEMENTS = {
    "extract": _extract,
    "transform": _transform,
    "quality": _quality,
    "lake": _lake,
    "dbt": _dbt,
    "spectrum": _spectrum,
    "airflow": _airflow,
}


def _objects(bucket: str, prefix: str, *, writes: bool = False) -> list[Statement]:
    """Objects below a prefix, and their listing. Whoever writes may also replace and take away: reruns do."""
    name = "".join(part.capitalize() for part in prefix.split("_"))
    actions = ["s3:GetObject"]
    if writes:
        actions += ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
    return [
        {
            "Sid": f"{'Write' if writes else 'Read'}{name}",
            "Effect": "Allow",
            "Action": actions,
            "Resource": f"{bucket}/{prefix}/*",
        },
        {
            "Sid": f"List{name}",
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": bucket,
            "Condition": {"StringLike": {"s3:prefix": [prefix, f"{prefix}/*"]}},
        },
    ]


def _glue(shelves: Shelves, actions: Iterable[str]) -> Statement:
    return {"Sid": "Catalog", "Effect": "Allow", "Action": list(actions), "Resource": list(shelves.glue)}


def _key(shelves: Shelves, *, writes: bool = False) -> list[Statement]:
    """The lake's key, for what goes through S3 only."""
    return [
        {
            "Sid": "Key",
            "Effect": "Allow",
            "Action": ["kms:Decrypt", *(["kms:GenerateDataKey"] if writes else [])],
            "Resource": shelves.key,
            "Condition": {"StringEquals": {"kms:ViaService": f"s3.{shelves.region}.amazonaws.com"}},
        }
    ]
