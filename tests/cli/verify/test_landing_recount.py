"""The recount of landed files follows the rules of docs/architecture.md, not the extract's code."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from deftunes_contract.object_store import LocalStore, ObjectStore, open_store
from deftunes_contract.receipt import LandedObject, Receipt
from deftunes_contract.registry import load
from deftunes_serving.verify.landing_recount import recount_landing
from deftunes_serving.verify.model import Figures

FOLDER = "landing_zone/api/sessions/ingest_on=2020-02-01"


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    if request.param == "folder":
        yield LocalStore(tmp_path)
        return
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket="lake", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        yield open_store("s3://lake/below")


def land(store: ObjectStore, *parts: list[str], compress: Any = gzip.compress) -> Receipt:
    """Deliver lines as objects, with a receipt that is right about bytes and records."""
    objects = []
    for number, lines in enumerate(parts):
        content = compress("".join(f"{line}\n" for line in lines).encode())
        name = f"part-{number:05}.jsonl.gz"
        store.write(f"{FOLDER}/{name}", content)
        sha256 = hashlib.sha256(content).hexdigest()
        objects.append(LandedObject(name=name, bytes=len(content), sha256=sha256, records=len(lines)))
    return Receipt(
        entity="sessions", start=date(2020, 1, 1), end=date(2020, 2, 1), contract_version="1.0.0", run_id="r",
        source="s", format="jsonl", objects=tuple(objects), records=sum(map(len, parts)), units=0, amount=None,
        min_time=None, max_time=None, landed_at=datetime(2020, 2, 1, tzinfo=UTC),
    )  # fmt: skip


def counted(store: ObjectStore, *lines: str) -> Figures | None:
    found = recount_landing(store, load("sessions"), land(store, list(lines)))
    assert found.faults == ()
    return found.figures


def of(units: int, amount: str) -> Figures:
    return Figures(units=units, amount=Decimal(amount))


def items(*prices: str) -> str:
    return '{"session_items": [' + ", ".join(f'{{"price": {price}}}' for price in prices) + "]}"


def test_counts_items_and_cents_over_all_objects(store: ObjectStore) -> None:
    receipt = land(store, [items("0.33", "1.85"), items("0.1")], [items("0.2", "1")])
    assert recount_landing(store, load("sessions"), receipt).figures == of(5, "3.48")


@pytest.mark.parametrize(
    "line", ['{"session_items": []}', '{"session_items": null}', "{}", "[]", "7", '{"session_items": [{', ""]
)
def test_a_record_without_items_stands_for_one_row(store: ObjectStore, line: str) -> None:
    assert counted(store, line) == of(1, "0.00")


@pytest.mark.parametrize(
    ("price", "amount"),
    [
        ("1.1", "1.10"), ("2", "2.00"), ("-0.5", "-0.50"), ("99999999.99", "99999999.99"), ("1e1", "10.00"),
        ("0.333", "0"), ("100000000", "0"), ("-100000000", "0"), ("true", "0"), ('"1.10"', "0"), ("null", "0"),
        ("NaN", "0"), ("1e999", "0"),
    ],
)  # fmt: skip
def test_only_readable_prices_are_money(tmp_path: Path, price: str, amount: str) -> None:
    assert counted(LocalStore(tmp_path), items(price, "1")) == of(2, f"{Decimal(amount) + 1:.2f}")


def test_many_small_prices_sum_exactly(tmp_path: Path) -> None:
    assert counted(LocalStore(tmp_path), *[items("0.1", "0.2")] * 1000) == of(2000, "300.00")


def test_an_item_that_is_no_object_is_a_row_without_money(tmp_path: Path) -> None:
    assert counted(LocalStore(tmp_path), '{"session_items": [7, null, {"price": 1}]}') == of(3, "1.00")


def test_other_entities_count_lines(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    receipt = land(store, ["a\tb", "\\N\tc"])
    for name in receipt.objects:
        content = store.read(f"{FOLDER}/{name.name}")
        assert content is not None
        store.write(f"landing_zone/db_songs/ingest_on=2020-02-01/{name.name}", content)
    assert recount_landing(store, load("songs"), receipt).figures == Figures(units=2)


def test_a_gzip_of_several_members_is_read_whole(tmp_path: Path) -> None:
    def members(content: bytes) -> bytes:
        return b"".join(gzip.compress(line + b"\n") for line in content.splitlines())

    store = LocalStore(tmp_path)
    receipt = land(store, [items("1"), items("2"), items("3")], compress=members)
    assert recount_landing(store, load("sessions"), receipt).figures == of(3, "6.00")


def test_bytes_after_the_gzip_stream_are_part_of_the_checksum(store: ObjectStore) -> None:
    receipt = land(store, [items("1")])
    path = f"{FOLDER}/{receipt.objects[0].name}"
    store.write(path, (store.read(path) or b"") + b"\0" * 100)
    (fault,) = recount_landing(store, load("sessions"), receipt).faults
    assert receipt.objects[0].sha256 in fault.expected


def test_another_content_is_tampering(store: ObjectStore) -> None:
    receipt = land(store, [items("1")])
    store.write(f"{FOLDER}/{receipt.objects[0].name}", gzip.compress(items("2").encode() + b"\n"))
    (fault,) = recount_landing(store, load("sessions"), receipt).faults
    assert fault.hop == "landed object"
    assert "deftunes-extract sessions --start 2020-01-01 --end 2020-02-01" in fault.sentence


def test_an_object_that_is_gone_is_said_and_not_counted_as_empty(store: ObjectStore) -> None:
    receipt = land(store, [items("1")], [items("2")])
    store.delete(f"{FOLDER}/{receipt.objects[0].name}")
    found = recount_landing(store, load("sessions"), receipt)
    assert found.figures is None
    (fault,) = found.faults
    assert "expected the landed object part-00000.jsonl.gz, found nothing at " in fault.sentence


def test_a_torn_object_is_said(store: ObjectStore) -> None:
    receipt = land(store, [json.dumps({"n": n}) for n in range(5000)])
    path = f"{FOLDER}/{receipt.objects[0].name}"
    store.write(path, (store.read(path) or b"")[:1000])
    found = recount_landing(store, load("sessions"), receipt)
    assert found.figures is None
    assert [fault.hop for fault in found.faults] == ["landed object unreadable", "landed object"]


def test_the_checksum_is_of_the_whole_object_even_when_its_beginning_is_broken(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    noise = [random.Random(number).randbytes(1000).hex() for number in range(3000)]
    receipt = land(store, noise)
    path = f"{FOLDER}/{receipt.objects[0].name}"
    stored = bytearray(store.read(path) or b"")
    assert len(stored) > 3 << 20, "several reads long"
    stored[1000:1100] = b"\xff" * 100
    store.write(path, bytes(stored))
    faults = recount_landing(store, load("sessions"), receipt).faults
    assert [fault.hop for fault in faults] == ["landed object unreadable", "landed object"]
    assert faults[1].found == hashlib.sha256(stored).hexdigest()


def test_a_wrong_number_of_records_is_said(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    receipt = land(store, [items("1")])
    wrong = receipt.objects[0].model_copy(update={"records": 2})
    (fault,) = recount_landing(store, load("sessions"), receipt.model_copy(update={"objects": (wrong,)})).faults
    assert "expected 2 records, found 1" in fault.sentence
