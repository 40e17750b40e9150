"""The same delivery on S3."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from aws_fakes import aws_fakes, environment_of

from deftunes_contract.receipt import Receipt

FOLDER = "lakes/one/landing_zone/api/users/ingest_on=2020-02-01"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with aws_fakes() as aws:
        for name, value in environment_of(aws).items():
            monkeypatch.setenv(name, value)
        yield boto3.client("s3")


def keys(client: Any) -> list[str]:
    return [found["Key"] for found in client.list_objects_v2(Bucket="lake").get("Contents", [])]


def read(client: Any, key: str) -> bytes:
    content: bytes = client.get_object(Bucket="lake", Key=key)["Body"].read()
    return content


def test_a_delivery_its_restatement_and_a_failure(bucket: Any, api: Any, extract: Any, make: Any) -> None:
    old, new = [make.user(n) for n in range(100)], [make.user(n, user_name="new") for n in range(90)]
    cut = api.body(json.dumps(new).encode()[:-9])
    api.say(api.records(old), api.records(new), cut)
    where = {"DEFTUNES_LAKE": "s3://lake/lakes/one/", "DEFTUNES_API_URL": api.url, "DEFTUNES_PART_BYTES": 3000}
    assert extract("users", **where).code == 0
    first = Receipt.model_validate_json(read(bucket, f"{FOLDER}/_receipt.json"))
    assert extract("users").code == 0
    second = Receipt.model_validate_json(read(bucket, f"{FOLDER}/_receipt.json"))
    assert {o.name for o in first.objects}.isdisjoint(o.name for o in second.objects)
    delivered = {f"{FOLDER}/_receipt.json", *(f"{FOLDER}/{o.name}" for o in second.objects)}
    assert set(keys(bucket)) == delivered
    stored = [read(bucket, f"{FOLDER}/{o.name}") for o in second.objects]
    assert [hashlib.sha256(content).hexdigest() for content in stored] == [o.sha256 for o in second.objects]
    assert [json.loads(line) for content in stored for line in gzip.decompress(content).splitlines()] == new

    assert extract("users", DEFTUNES_EXTRACT_ATTEMPTS=2).code == 75
    assert set(keys(bucket)) == delivered
    assert Receipt.model_validate_json(read(bucket, f"{FOLDER}/_receipt.json")) == second


def test_a_missing_bucket_is_a_usage_error(bucket: Any, api: Any, extract: Any, make: Any) -> None:
    api.say(api.records([make.user(1)]))
    outcome = extract("users", DEFTUNES_LAKE="s3://elsewhere/x", DEFTUNES_API_URL=api.url)
    assert outcome.code == 2
    assert "NoSuchBucket" in outcome.said
    assert "s3://elsewhere/x/landing_zone/api/users" in outcome.said
