"""Who may do what: one IAM document a stage, down to prefix and database, as plain data.

| role      | landing_zone | transform_zone | quality | Glue  | Redshift    | logs bucket |
| extract   | replace      |                |         |       |             |             |
| transform | read         | replace        |         | write |             |             |
| quality   |              | read           | write   | read  |             |             |
| lake      |              | replace        | read    | write |             |             |
| dbt       |              | read           |         | read  | credentials |             |
| verify    | read         | read           |         | read  | credentials |             |
| spectrum  |              | read           |         | read  |             |             |
| airflow   |              |                |         |       |             | write       |

Pure functions of ARNs, so that a linter and a simulator of IAM can look at the very documents that are installed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Statement = dict[str, Any]

STAGES = ("extract", "transform", "quality", "lake", "dbt", "verify")
"""Stages with an identity of their own, each named like its service account."""

LANDING, TABLES, REPORTS, LOGS = "landing_zone", "transform_zone", "quality", "airflow"
"""Prefixes of the lake's bucket (deftunes_contract.layout), and Airflow's of the logs bucket."""

_READ_TABLES = ("glue:GetDatabase", "glue:GetTable")
_WRITE = ("s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
# a rerun takes away what the earlier one left over; versions keep it for a while all the same
_REPLACE = (*_WRITE, "s3:DeleteObject")
_WRITE_TABLES = (*_READ_TABLES, "glue:CreateTable", "glue:UpdateTable")


@dataclass(frozen=True)
class ResourceArns:
    """ARNs of what there is to be read and written.

    `glue` are the ARNs of catalog, database and all its tables; `warehouse` is the ARN of the Redshift workgroup or of
    the cluster's database (dbname), in which the role has an account of its own.
    """

    lake: str
    logs: str
    key: str
    region: str
    glue: tuple[str, ...]
    warehouse: str
    is_serverless: bool


def document(stage: str, stores: ResourceArns) -> dict[str, Any]:
    """IAM policy of a stage, of `spectrum` or of `airflow`. Raises KeyError for any other name."""
    return {"Version": "2012-10-17", "Statement": _STATEMENTS[stage](stores)}


def assume_role_policy(
    *services: str, actions: Iterable[str] = ("sts:AssumeRole",), only: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Trust policy: these AWS services may take the role on, if the conditions in `only` hold.

    A service works for every account of AWS. Without conditions it may be talked into using our role for somebody else
    (the confused deputy): the policy pack refuses such a document, except for EC2, which sends nothing to go by.
    """
    statement = {"Effect": "Allow", "Principal": {"Service": list(services)}, "Action": list(actions)}
    return {"Version": "2012-10-17", "Statement": [statement | ({"Condition": dict(only)} if only else {})]}


def on_behalf_of(account: str, resource: str) -> dict[str, dict[str, str]]:
    """Conditions of a trust policy: the service acts for this resource (an ARN, which may end in *) of this account."""
    return {"StringEquals": {"aws:SourceAccount": account}, "ArnLike": {"aws:SourceArn": resource}}


def for_users_of(account: str, warehouse: str) -> dict[str, dict[str, str]]:
    """Conditions of a trust policy: Redshift acts for a user of this warehouse (dbuser:name/*, an ARN).

    Redshift says whom it works for as the external id; no page of AWS's promises that it names the account as well,
    so that counts only where it does (Redshift management guide, "Restricting access to IAM roles").
    """
    return {"StringLike": {"sts:ExternalId": warehouse}, "StringEqualsIfExists": {"aws:SourceAccount": account}}


def _extract(stores: ResourceArns) -> list[Statement]:
    return [*_objects(stores.lake, LANDING, *_REPLACE), *_key(stores, writes=True)]


def _transform(stores: ResourceArns) -> list[Statement]:
    return [
        *_objects(stores.lake, LANDING),
        *_objects(stores.lake, TABLES, *_REPLACE),
        _glue(stores, _WRITE_TABLES),
        *_key(stores, writes=True),
    ]


def _quality(stores: ResourceArns) -> list[Statement]:
    return [
        *_objects(stores.lake, TABLES),
        *_objects(stores.lake, REPORTS, *_WRITE),
        _glue(stores, _READ_TABLES),
        *_key(stores, writes=True),
    ]


def _lake(stores: ResourceArns) -> list[Statement]:
    return [
        *_objects(stores.lake, REPORTS),
        *_objects(stores.lake, TABLES, *_REPLACE),
        _glue(stores, _WRITE_TABLES),
        *_key(stores, writes=True),
    ]


def _spectrum(stores: ResourceArns) -> list[Statement]:
    # what Redshift asks to list an external schema and to plan a query
    partitions = ("glue:GetTables", "glue:GetPartition", "glue:GetPartitions", "glue:BatchGetPartition")
    return [
        *_objects(stores.lake, TABLES),
        _glue(stores, (*_READ_TABLES, *partitions)),
        *_key(stores),
    ]


def _dbt(stores: ResourceArns) -> list[Statement]:
    return [
        *_objects(stores.lake, TABLES),
        _glue(stores, _READ_TABLES),
        _login(stores),
        *_key(stores),
    ]


def _verify(stores: ResourceArns) -> list[Statement]:
    """Every hop, to count it again; nothing may be written."""
    return [*_objects(stores.lake, LANDING), *_dbt(stores)]


def _login(stores: ResourceArns) -> Statement:
    actions = (
        ("redshift-serverless:GetCredentials", "redshift-serverless:GetWorkgroup")
        if stores.is_serverless
        else ("redshift:GetClusterCredentialsWithIAM",)
    )
    return {"Sid": "Warehouse", "Effect": "Allow", "Action": list(actions), "Resource": stores.warehouse}


def _airflow(stores: ResourceArns) -> list[Statement]:
    """Task logs, and nothing else: Airflow carries no data."""
    return [*_objects(stores.logs, LOGS, *_WRITE), *_key(stores, writes=True)]


_STATEMENTS = {
    "extract": _extract,
    "transform": _transform,
    "quality": _quality,
    "lake": _lake,
    "dbt": _dbt,
    "verify": _verify,
    "spectrum": _spectrum,
    "airflow": _airflow,
}


def _objects(bucket: str, prefix: str, *more: str) -> list[Statement]:
    """Objects below a prefix: to read, to list (without it S3 says 403 to what is not there), and `more`."""
    name = "".join(part.capitalize() for part in prefix.split("_"))
    return [
        {
            "Sid": f"{'Write' if more else 'Read'}{name}",
            "Effect": "Allow",
            "Action": ["s3:GetObject", *more],
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


def _glue(stores: ResourceArns, actions: Iterable[str]) -> Statement:
    return {"Sid": "Catalog", "Effect": "Allow", "Action": list(actions), "Resource": list(stores.glue)}


def _key(stores: ResourceArns, *, writes: bool = False) -> list[Statement]:
    """The lake's key, for what goes through S3 only."""
    return [
        {
            "Sid": "Key",
            "Effect": "Allow",
            "Action": ["kms:Decrypt", *(["kms:GenerateDataKey"] if writes else [])],
            "Resource": stores.key,
            "Condition": {"StringEquals": {"kms:ViaService": f"s3.{stores.region}.amazonaws.com"}},
        }
    ]
