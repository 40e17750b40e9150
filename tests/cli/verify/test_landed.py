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

from deftunes_cli.verify.landed import recount
from deftunes_cli.verify.model import Figures
from deftunes_contract.entity import load
from deftunes_contract.receipt import LandedObject, Receipt
from deftunes_contract.shelf import FolderShelf, Shelf, open_shelf

FOLDER = "landing_zone/api/sessions/ingest_on=2020-02-01"


@pytest.fixture(params=["folder", "s3"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    if request.param == "folder":
        yield FolderShelf(tmp_path)
        return
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket="lake", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        yield open_shelf("s3://lake/below")


def land(shelf: Shelf, *parts: list[str], compress: Any = gzip.compress) -> Receipt:
    """Deliver lines as objects, with a receipt that is right about bytes and records."""
    objects = []
    for number, lines in enumerate(parts):
        content = compress("".join(f"{line}\n" for line in lines).encode())
        name = f"part-{number:05}.jsonl.gz"
        shelf.write(f"{FOLDER}/{name}", content)
        sha256 = hashlib.sha256(content).hexdigest()
        objects.append(LandedObject(name=name, bytes=len(content), sha256=sha256, records=len(lines)))
    return Receipt(
        entity="sessions", start=date(2020, 1, 1), end=date(2020, 2, 1), contract_version="1.0.0", run_id="r",
        source="s", format="jsonl", objects=tuple(objects), records=sum(map(len, parts)), units=0, amount=None,
        min_time=None, max_time=None, landed_at=datetime(2020, 2, 1, tzinfo=UTC),
    )  # fmt: skip


def counted(shelf: Shelf, *lines: str) -> Figures | None:
    found = recount(shelf, load("sessions"), land(shelf, list(lines)))
    assert found.faults == ()
    return found.figures


def of(units: int, amount: str) -> Figures:
    return Figures(units=units, amount=Decimal(amount))


def items(*prices: str) -> str:
    return '{"session_items": [' + ", ".join(f'{{"price": {price}}}' for price in prices) + "]}"


def test_counts_items_and_cents_over_all_objects(shelf: Shelf) -> None:
    receipt = land(shelf, [items("0.33", "1.85"), items("0.1")], [items("0.2", "1")])
    assert recount(shelf, load("sessions"), receipt).figures == of(5, "3.48")


@pytest.mark.parametrize(
    "line", ['{"session_items": []}', '{"session_items": null}', "{}", "[]", "7", '{"session_items": [{', ""]
)
def test_a_record_without_items_stands_for_one_row(shelf: Shelf, line: str) -> None:
    assert counted(shelf, line) == of(1, "0.00")


@pytest.mark.parametrize(
    ("price", "amount"),
    [
        ("1.1", "1.10"), ("2", "2.00"), ("-0.5", "-0.50"), ("99999999.99", "99999999.99"), ("1e1", "10.00"),
        ("0.333", "0"), ("100000000", "0"), ("-100000000", "0"), ("true", "0"), ('"1.10"', "0"), ("null", "0"),
        ("NaN", "0"), ("1e999", "0"),
    ],
)  # fmt: skip
def test_only_readable_prices_are_money(tmp_path: Path, price: str, amount: str) -> None:
    assert counted(FolderShelf(tmp_path), items(price, "1")) == of(2, f"{Decimal(amount) + 1:.2f}")


def test_many_small_prices_sum_exactly(tmp_path: Path) -> None:
    assert counted(FolderShelf(tmp_path), *[items("0.1", "0.2")] * 1000) == of(2000, "300.00")


def test_an_item_that_is_no_object_is_a_row_without_money(tmp_path: Path) -> None:
    assert counted(FolderShelf(tmp_path), '{"session_items": [7, null, {"price": 1}]}') == of(3, "1.00")


def test_other_entities_count_lines(tmp_path: Path) -> None:
    shelf = FolderShelf(tmp_path)
    receipt = land(shelf, ["a\tb", "\\N\tc"])
    for name in receipt.objects:
        content = shelf.read(f"{FOLDER}/{name.name}")
        assert content is not None
        shelf.write(f"landing_zone/db_songs/ingest_on=2020-02-01/{name.name}", content)
    assert recount(shelf, load("songs"), receipt).figures == Figures(units=2)


def test_a_gzip_of_several_members_is_read_whole(tmp_path: Path) -> None:
    def members(content: bytes) -> bytes:
        return b"".join(gzip.compress(line + b"\n") for line in content.splitlines())

    shelf = FolderShelf(tmp_path)
    receipt = land(shelf, [items("1"), items("2"), items("3")], compress=members)
    assert recount(shelf, load("sessions"), receipt).figures == of(3, "6.00")


def test_bytes_after_the_gzip_stream_are_part_of_the_checksum(shelf: Shelf) -> None:
    receipt = land(shelf, [items("1")])
    path = f"{FOLDER}/{receipt.objects[0].name}"
    shelf.write(path, (shelf.read(path) or b"") + b"\0" * 100)
    (fault,) = recount(shelf, load("sessions"), receipt).faults
    assert receipt.objects[0].sha256 in fault.expected


def test_another_content_is_tampering(shelf: Shelf) -> None:
    receipt = land(shelf, [items("1")])
    shelf.write(f"{FOLDER}/{receipt.objects[0].name}", gzip.compress(items("2").encode() + b"\n"))
    (fault,) = recount(shelf, load("sessions"), receipt).faults
    assert fault.hop == "landed object"
    assert "deftunes-extract sessions --start 2020-01-01 --end 2020-02-01" in fault.sentence


def test_an_object_that_is_gone_is_said_and_not_counted_as_empty(shelf: Shelf) -> None:
    receipt = land(shelf, [items("1")], [items("2")])
    shelf.delete(f"{FOLDER}/{receipt.objects[0].name}")
    found = recount(shelf, load("sessions"), receipt)
    assert found.figures is None
    (fault,) = found.faults
    assert "expected the landed object part-00000.jsonl.gz, found nothing at " in fault.sentence


def test_a_torn_object_is_said(shelf: Shelf) -> None:
    receipt = land(shelf, [json.dumps({"n": n}) for n in range(5000)])
    path = f"{FOLDER}/{receipt.objects[0].name}"
    shelf.write(path, (shelf.read(path) or b"")[:1000])
    found = recount(shelf, load("sessions"), receipt)
    assert found.figures is None
    assert [fault.hop for fault in found.faults] == ["landed object unreadable", "landed object"]


def test_the_checksum_is_of_the_whole_object_even_when_its_beginning_is_broken(tmp_path: Path) -> None:
    shelf = FolderShelf(tmp_path)
    noise = [random.Random(number).randbytes(1000).hex() for number in range(3000)]
    receipt = land(shelf, noise)
    path = f"{FOLDER}/{receipt.objects[0].name}"
    stored = bytearray(shelf.read(path) or b"")
    assert len(stored) > 3 << 20, "several reads long"
    stored[1000:1100] = b"\xff" * 100
    shelf.write(path, bytes(stored))
    faults = recount(shelf, load("sessions"), receipt).faults
    assert [fault.hop for fault in faults] == ["landed object unreadable", "landed object"]
    assert faults[1].found == hashlib.sha256(stored).hexdigest()


def test_a_wrong_number_of_records_is_said(tmp_path: Path) -> None:
    shelf = FolderShelf(tmp_path)
    receipt = land(shelf, [items("1")])
    wrong = receipt.objects[0].model_copy(update={"records": 2})
    (fault,) = recount(shelf, load("sessions"), receipt.model_copy(update={"objects": (wrong,)})).faults
    assert "expected 2 records, found 1" in fault.sentence
