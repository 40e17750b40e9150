"""Which rights a request to S3 or Glue needs: the request, as it comes over the wire, as calls that IAM can judge.

After AWS's service authorization reference (S3, Glue, KMS). A request that is not known here is `Unknown`: whoever sent
it is refused and told so, because a guess would let through what AWS refuses.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from rights import Call


class Unknown(Exception):
    """A request that nobody has told this module about."""


@dataclass(frozen=True)
class Request:
    """What came over the wire. region and service are those of its signature; body only where it says what is meant."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    service: str
    region: str
    account: str


def calls(request: Request, keys: Mapping[str, str]) -> Sequence[Call]:
    """All that must be allowed. keys: bucket -> ARN of the KMS key that it encrypts with."""
    if request.service == "s3":
        return list(_of_s3(request, keys))
    if request.service == "glue":
        return list(_of_glue(request))
    raise Unknown(f"{request.service} {request.method} {request.path}")


# sub-resource in the query -> action; "" is the thing itself
_OF_BUCKET = {
    ("GET", ""): "ListBucket",
    ("GET", "list-type"): "ListBucket",
    ("HEAD", ""): "ListBucket",
    ("GET", "location"): "GetBucketLocation",
    ("GET", "uploads"): "ListBucketMultipartUploads",
    ("GET", "versions"): "ListBucketVersions",
    ("GET", "policy"): "GetBucketPolicy",
    ("PUT", "policy"): "PutBucketPolicy",
    ("DELETE", "policy"): "DeleteBucketPolicy",
    ("PUT", ""): "CreateBucket",
    ("DELETE", ""): "DeleteBucket",
}
_OF_OBJECT = {
    ("GET", ""): "GetObject",
    ("HEAD", ""): "GetObject",
    ("GET", "uploadId"): "ListMultipartUploadParts",
    ("GET", "versionId"): "GetObjectVersion",
    ("GET", "tagging"): "GetObjectTagging",
    ("PUT", ""): "PutObject",
    ("PUT", "partNumber"): "PutObject",
    ("PUT", "tagging"): "PutObjectTagging",
    ("PUT", "acl"): "PutObjectAcl",
    ("POST", "uploads"): "PutObject",
    ("POST", "uploadId"): "PutObject",
    ("DELETE", ""): "DeleteObject",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
    ("DELETE", "versionId"): "DeleteObjectVersion",
}
_SAYS = {name for table in (_OF_BUCKET, _OF_OBJECT) for _, name in table if name} | {"delete", "acl"}


def _of_s3(request: Request, keys: Mapping[str, str]) -> Iterator[Call]:
    bucket, _, key = request.path.lstrip("/").partition("/")
    arn = f"arn:aws:s3:::{bucket}"
    # partNumber comes with uploadId, and says more
    said = next((name for name in sorted(request.query.keys() & _SAYS, key=lambda name: name != "partNumber")), "")
    if not key:
        if (request.method, said) == ("POST", "delete"):
            yield from (Call("s3:DeleteObject", f"{arn}/{name}") for name in _keys_in(request.body))
            return
        action = _found(_OF_BUCKET, request, said)
        # the context is there only when the parameter is
        asked = {f"s3:{name}": request.query[name] for name in ("prefix", "delimiter") if name in request.query}
        yield Call(f"s3:{action}", arn, asked if action == "ListBucket" else {})
        return
    action = _found(_OF_OBJECT, request, said)
    yield Call(f"s3:{action}", f"{arn}/{key}")
    yield from _of_key(action, bool(said), keys.get(bucket))
    source = request.headers.get("x-amz-copy-source")
    if source and action == "PutObject":
        of_bucket, _, name = unquote(source).lstrip("/").partition("?")[0].partition("/")
        yield Call("s3:GetObject", f"arn:aws:s3:::{of_bucket}/{name}")
        yield from _of_key("GetObject", False, keys.get(of_bucket))


def _of_key(action: str, in_parts: bool, key: str | None) -> Iterator[Call]:
    """What S3 asks of KMS in the caller's name; an upload in parts also reads its own data key again."""
    if key is None:
        return
    # of the bucket's region, in which its key is too; a client may have signed for another one and be redirected
    through = {"kms:ViaService": f"s3.{key.split(':')[3]}.amazonaws.com"}
    if action in ("GetObject", "GetObjectVersion") or (action == "PutObject" and in_parts):
        yield Call("kms:Decrypt", key, through)
    if action == "PutObject":
        yield Call("kms:GenerateDataKey", key, through)


def _found(table: Mapping[tuple[str, str], str], request: Request, said: str) -> str:
    found = table.get((request.method, said))
    if found is None:
        raise Unknown(f"s3 {request.method} {request.path} {said}")
    return found


def _keys_in(body: bytes) -> Iterator[str]:
    for element in ElementTree.fromstring(body).iter():
        if element.tag.rpartition("}")[2] == "Key":
            yield element.text or ""


_DATABASES = ("GetDatabase", "CreateDatabase", "UpdateDatabase", "DeleteDatabase")
_TABLES = ("GetTable", "CreateTable", "UpdateTable", "DeleteTable", "GetTableVersions", "GetTableVersion")
_PARTITIONS = ("GetPartition", "GetPartitions", "BatchGetPartition", "BatchCreatePartition")


def _of_glue(request: Request) -> Iterator[Call]:
    """Glue wants the right to a table, to its database, and to the catalog."""
    action = request.headers.get("x-amz-target", "").rpartition(".")[2]
    body = json.loads(request.body or b"{}")
    named = body.get("DatabaseName") or body.get("DatabaseInput", {}).get("Name") or body.get("Name") or "default"
    if action in _DATABASES:
        resources = ["catalog", f"database/{named}"]
    elif action == "GetDatabases":
        resources = ["catalog", "database/*"]
    elif action in _TABLES or action in _PARTITIONS:
        table = body.get("TableName") or body.get("Name") or body.get("TableInput", {}).get("Name")
        resources = ["catalog", f"database/{body['DatabaseName']}", f"table/{body['DatabaseName']}/{table}"]
    elif action == "GetTables":
        resources = ["catalog", f"database/{named}", f"table/{named}/*"]
    else:
        raise Unknown(f"glue {action}")
    home = f"arn:aws:glue:{request.region}:{request.account}"
    yield from (Call(f"glue:{action}", f"{home}:{name}") for name in resources)
