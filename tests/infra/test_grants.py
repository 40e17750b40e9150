"""The IAM documents of the stages: nothing in them is wrong, missing, or more than the house rules give.

Two judges. A linter made for it (parliament, with the list of AWS's actions, resources and condition keys that it
carries: no network) reads every document. An evaluator (rights.py, which agrees with iam-simulate) answers calls on
concrete ARNs: what each stage has to do, and what it must be refused, its neighbour's store before all.

What this hides: policies that AWS looks at besides an identity's own (bucket, key, endpoint, organization); which calls
a client really makes (test_enforced.py has real clients make them); and actions that AWS renamed since parliament's
list was made, which the linter then calls unknown.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from typing import Any

import parliament
import pytest
from rights import Call, decide

from deftunes_cloud.grants import STAGES, ResourceArns, assume_role_policy, document

ACCOUNT, REGION = "123456789012", "us-west-2"
LAKE = f"arn:aws:s3:::deftunes-dev-lake-{ACCOUNT}-{REGION}"
LOGS = f"arn:aws:s3:::deftunes-dev-logs-{ACCOUNT}-{REGION}"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
GLUE = f"arn:aws:glue:{REGION}:{ACCOUNT}"
CATALOG = (f"{GLUE}:catalog", f"{GLUE}:database/deftunes_dev_transform", f"{GLUE}:table/deftunes_dev_transform/*")
WORKGROUP = f"arn:aws:redshift-serverless:{REGION}:{ACCOUNT}:workgroup/11111111-2222-3333-4444-555555555555"
CLUSTER = f"arn:aws:redshift:{REGION}:{ACCOUNT}:dbname:deftunes-dev/deftunes"
SERVERLESS = ResourceArns(
    lake=LAKE, logs=LOGS, key=KEY, region=REGION, glue=CATALOG, warehouse=WORKGROUP, is_serverless=True
)
SHELVES = {"serverless": SERVERLESS, "cluster": replace(SERVERLESS, warehouse=CLUSTER, is_serverless=False)}
ROLES = (*STAGES, "spectrum", "airflow")

# finding -> why it is no fault. Empty, and meant to stay so
SUPPRESSED: dict[str, str] = {}

IN_LAKE = ("landing_zone", "transform_zone", "quality", "serving.duckdb", "somewhere_else")
SEES = {
    "extract": {"landing_zone"},
    "transform": {"landing_zone", "transform_zone"},
    "quality": {"transform_zone", "quality"},
    "lake": {"transform_zone", "quality"},
    "dbt": {"transform_zone"},
    "verify": {"landing_zone", "transform_zone"},
    "spectrum": {"transform_zone"},
    "airflow": set(),
}
"""Prefixes that a role may read and list."""
OWNS = {"extract": "landing_zone", "transform": "transform_zone", "quality": "quality", "lake": "transform_zone"}
"""The one store that a role may write; the others write none of the lake."""
READS_CATALOG = {"transform", "quality", "lake", "dbt", "verify", "spectrum"}
WRITES_CATALOG = {"transform", "lake"}
"""Stages that commit to tables. None may drop one, and none makes the database: that is the program's."""

READ = ("s3:GetObject",)
WRITE = ("s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
REMOVE = ("s3:DeleteObject",)
REMOVES = {"extract", "transform", "lake"}
"""Roles that take away what they replace; reports and logs stay until they are too old."""
# rights to the buckets themselves, for nobody
ADMINISTER = (
    "s3:DeleteBucket",
    "s3:PutBucketPolicy",
    "s3:DeleteBucketPolicy",
    "s3:PutBucketPublicAccessBlock",
    "s3:PutEncryptionConfiguration",
    "s3:PutLifecycleConfiguration",
    "s3:PutBucketVersioning",
    "s3:PutBucketAcl",
)
# what is past restoring: versions are kept for the day somebody finds out
ERASE = ("s3:DeleteObjectVersion", "s3:PutObjectAcl", "s3:BypassGovernanceRetention", "s3:GetObjectVersion")
THROUGH_S3 = {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}
TABLE = f"{GLUE}:table/deftunes_dev_transform/sessions"
READ_CATALOG = {"glue:GetDatabase": CATALOG[1], "glue:GetTable": TABLE}
LIST_CATALOG = {"glue:GetTables": TABLE}
WRITE_CATALOG = {"glue:CreateTable": TABLE, "glue:UpdateTable": TABLE}
DROP = {
    "glue:DeleteTable": TABLE,
    "glue:BatchDeleteTable": TABLE,
    "glue:DeleteTableVersion": TABLE,
    "glue:DeleteDatabase": CATALOG[1],
    "glue:CreateDatabase": CATALOG[1],
    "glue:UpdateDatabase": CATALOG[1],
    "glue:PutResourcePolicy": CATALOG[0],
}


def is_allowed(role: str, call: Call, kind: str = "serverless") -> bool:
    return decide([document(role, SHELVES[kind])], call) == "allowed"


def objects(actions: tuple[str, ...], store: str, bucket: str = LAKE) -> Iterator[Call]:
    name = store if "." in store else f"{store}/sessions/ingest_on=2020-02-01/part-0.parquet"
    return (Call(action, f"{bucket}/{name}") for action in actions)


def listings(store: str, bucket: str = LAKE) -> Iterator[Call]:
    # with the slash as our store and Iceberg ask, without it as Hadoop does when it looks for a folder
    return (Call("s3:ListBucket", bucket, {"s3:prefix": text}) for text in (store, f"{store}/", f"{store}/sessions/"))


def calls(named: dict[str, str]) -> Iterator[Call]:
    """On the table or database, and on what contains it: Glue asks for the right to all of them."""
    for action, resource in named.items():
        containers = CATALOG[: 2 if ":table/" in resource else 1]
        yield from (Call(action, arn) for arn in dict.fromkeys((*containers, resource)))


def wanted(role: str) -> Iterator[Call]:
    """All that a role has to be able to do."""
    for store in SEES[role]:
        yield from chain(objects(READ, store), listings(store))
    if role in OWNS:
        yield from objects(WRITE, OWNS[role])
    if role in REMOVES:
        yield from objects(REMOVE, OWNS[role])
    if role in READS_CATALOG:
        yield from calls(READ_CATALOG)
    if role in WRITES_CATALOG:
        yield from calls(WRITE_CATALOG)
    if role == "spectrum":
        yield from calls(LIST_CATALOG)
    if role == "airflow":
        yield from chain(objects((*READ, "s3:PutObject"), "airflow", LOGS), listings("airflow", LOGS))
    yield Call("kms:Decrypt", KEY, THROUGH_S3)
    if role in OWNS or role == "airflow":
        yield Call("kms:GenerateDataKey", KEY, THROUGH_S3)


def refused(role: str) -> Iterator[Call]:
    """What a role must not be able to do; everything that nobody may is among it."""
    for store in IN_LAKE:
        if store not in SEES[role]:
            yield from chain(objects(READ, store), listings(store))
        if store != OWNS.get(role):
            yield from objects(WRITE, store)
        if store != OWNS.get(role) or role not in REMOVES:
            yield from objects(REMOVE, store)
        yield from objects(ERASE, store)
    yield from (Call("s3:ListBucket", bucket) for bucket in (LAKE, LOGS))
    yield from (Call("s3:ListBucket", LAKE, {"s3:prefix": text}) for text in ("", "landing", "landing_zone_old/"))
    yield from (Call(action, bucket) for action in ADMINISTER for bucket in (LAKE, LOGS))
    # objects of another stack, or of anybody
    yield from objects((*READ, *WRITE), OWNS.get(role, "landing_zone"), LAKE.replace("-dev-", "-prod-"))
    if role != "airflow":
        yield from chain(objects((*READ, *WRITE), "airflow", LOGS), listings("airflow", LOGS))
    yield from objects((*READ, *WRITE), "access", LOGS)
    yield from of_services(role)


def of_services(role: str) -> Iterator[Call]:
    """The same for what is not S3."""
    if role not in READS_CATALOG:
        yield from (Call(action, arn) for action, arn in READ_CATALOG.items())
    if role not in WRITES_CATALOG:
        yield from (Call(action, arn) for action, arn in WRITE_CATALOG.items())
    if role != "spectrum":
        yield from (Call(action, arn) for action, arn in LIST_CATALOG.items())
    yield from (Call(action, arn) for action, arn in DROP.items())
    elsewhere = TABLE.replace("_dev_", "_prod_")
    yield from (Call(action, elsewhere) for action in ("glue:GetTable", "glue:CreateTable", "glue:UpdateTable"))
    for action in ("kms:Decrypt", "kms:GenerateDataKey"):
        yield from (Call(action, KEY), Call(action, KEY, {"kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com"}))
        yield Call(action, KEY.replace("1111", "9999"), THROUGH_S3)
    yield from (Call(action, KEY, THROUGH_S3) for action in ("kms:ScheduleKeyDeletion", "kms:PutKeyPolicy"))
    if role not in OWNS and role != "airflow":
        yield Call("kms:GenerateDataKey", KEY, THROUGH_S3)
    yield from (Call("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/deftunes-dev-{other}") for other in ROLES)
    secret = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:deftunes-dev/songs-dsn-AbCdEf"
    yield from (Call("secretsmanager:GetSecretValue", secret), Call("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/x"))
    if role not in {"dbt", "verify"}:
        yield from (Call("redshift-serverless:GetCredentials", WORKGROUP),)
        yield Call("redshift:GetClusterCredentialsWithIAM", CLUSTER)


@pytest.mark.parametrize("kind", SHELVES)
@pytest.mark.parametrize("role", ROLES)
def test_the_linter_finds_nothing(role: str, kind: str) -> None:
    assert findings(document(role, SHELVES[kind])) == []


def findings(policy: dict[str, Any]) -> list[str]:
    found = parliament.analyze_policy_string(json.dumps(policy), include_community_auditors=True).findings
    return [f"{one.issue}: {one.detail}" for one in found if one.issue not in SUPPRESSED]


@pytest.mark.parametrize(
    ("mistake", "issue"),
    [
        ({"Action": "s3:GetObjects", "Resource": f"{LAKE}/*"}, "UNKNOWN_ACTION"),
        ({"Action": "s3:GetObject", "Resource": LAKE}, "RESOURCE_MISMATCH"),
        ({"Action": "s3:ListBucket", "Resource": f"{LAKE}/*"}, "RESOURCE_MISMATCH"),
        ({"Action": "redshift-serverless:GetCredentials", "Resource": CLUSTER}, "RESOURCE_MISMATCH"),
        ({"Action": "glue:GetTable", "Resource": "*"}, "RESOURCE_STAR"),
        (
            {"Action": "s3:GetObject", "Resource": f"{LAKE}/*", "Condition": {"StringLike": {"s3:prefix": "a"}}},
            "UNKNOWN_CONDITION_FOR_ACTION",
        ),
    ],
)
def test_the_linter_would_find_it(mistake: dict[str, Any], issue: str) -> None:
    found = findings({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **mistake}]})
    assert [one for one in found if one.startswith(issue)], found


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_its_work(role: str) -> None:
    asked = list(wanted(role))
    assert len(asked) > 3
    assert [str(call) for call in asked if not is_allowed(role, call)] == []


@pytest.mark.parametrize("kind", SHELVES)
@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_not_do_anything_else(role: str, kind: str) -> None:
    asked = list(refused(role))
    assert len(asked) > 100
    assert [str(call) for call in asked if is_allowed(role, call, kind)] == []


@pytest.mark.parametrize("role", ["dbt", "verify"])
def test_serving_logs_in_to_its_warehouse_only(role: str) -> None:
    serverless = [Call(f"redshift-serverless:{name}", WORKGROUP) for name in ("GetCredentials", "GetWorkgroup")]
    cluster = Call("redshift:GetClusterCredentialsWithIAM", CLUSTER)
    assert [is_allowed(role, call) for call in (*serverless, cluster)] == [True, True, False]
    assert [is_allowed(role, call, "cluster") for call in (*serverless, cluster)] == [False, False, True]
    assert not is_allowed(role, Call("redshift-serverless:GetCredentials", WORKGROUP.replace("1111", "9999")))
    # an account in the database by name: dbt has its role's own, and may not become the administrator
    account = CLUSTER.replace("dbname:deftunes-dev/deftunes", "dbuser:deftunes-dev/deftunes_admin")
    assert not is_allowed(role, Call("redshift:GetClusterCredentials", account), "cluster")


def test_no_statement_of_any_role_is_about_everything() -> None:
    for role, stores in ((role, stores) for role in ROLES for stores in SHELVES.values()):
        for statement in document(role, stores)["Statement"]:
            named = [*_listed(statement["Action"]), *_listed(statement["Resource"])]
            assert "*" not in named, statement
            assert not [action for action in _listed(statement["Action"]) if "*" in action], statement


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def test_only_a_service_of_aws_may_become_a_role() -> None:
    # parliament reads no trust policies: there is little to read
    pods = assume_role_policy("pods.eks.amazonaws.com", actions=("sts:AssumeRole", "sts:TagSession"))
    (statement,) = pods["Statement"]
    assert statement == {
        "Effect": "Allow",
        "Principal": {"Service": ["pods.eks.amazonaws.com"]},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
    }
    (both,) = assume_role_policy("redshift.amazonaws.com", "redshift-serverless.amazonaws.com")["Statement"]
    assert both["Principal"] == {"Service": ["redshift.amazonaws.com", "redshift-serverless.amazonaws.com"]}
    assert both["Action"] == ["sts:AssumeRole"]
