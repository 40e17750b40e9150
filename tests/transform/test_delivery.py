"""What is read is what was delivered, or the run ends before it begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from deftunes_contract.errors import DataRejected, RetryableError
from deftunes_contract.object_store import LocalStore
from deftunes_contract.registry import load
from deftunes_transform.delivery import check_unchanged, open_delivery


@pytest.fixture
def landing(tmp_path: Path, new_landing):
    return new_landing(LocalStore(tmp_path))


def objects(tmp_path: Path) -> list[Path]:
    return sorted(tmp_path.rglob("part-*"))


def take(landing, verify: bool = True):
    return open_delivery(landing.store, load("users"), landing.interval, verify)


def test_a_delivery_is_the_receipts_objects_in_its_order(landing, samples, tmp_path: Path) -> None:
    made = landing.land("users", [samples.user(1)], [samples.user(2)])
    (tmp_path / landing.folder(load("users")) / "part-00009-beside.jsonl.gz").write_bytes(b"not delivered")
    accepted = take(landing)
    assert accepted.receipt == made
    assert [Path(uri).name for uri in accepted.uris] == [o.name for o in made.objects]


def test_no_receipt_is_not_delivered(landing) -> None:
    with pytest.raises(RetryableError, match="run deftunes-extract users --start 2020-01-01"):
        take(landing)


def test_no_objects_are_a_delivery_too(landing) -> None:
    landing.land("users")
    assert take(landing).uris == take(landing, verify=False).uris == ()


@pytest.mark.parametrize("verify", [True, False])
def test_an_object_that_is_gone_is_a_changed_delivery(landing, samples, tmp_path: Path, verify: bool) -> None:
    landing.land("users", [samples.user(1)], [samples.user(2)])
    objects(tmp_path)[1].unlink()
    with pytest.raises(RetryableError, match=r"part-00001-\w+\.jsonl\.gz is gone; run deftunes-extract users"):
        take(landing, verify)


def test_an_object_of_another_size_is_a_changed_delivery(landing, samples, tmp_path: Path) -> None:
    landing.land("users", [samples.user(1)])
    with objects(tmp_path)[0].open("ab") as file:
        file.write(b"x")
    with pytest.raises(RetryableError, match=r"has \d+ bytes instead of \d+"):
        take(landing)


def test_one_flipped_bit_is_a_changed_delivery(landing, samples, tmp_path: Path) -> None:
    landing.land("users", [samples.user(1)])
    content = bytearray(objects(tmp_path)[0].read_bytes())
    content[-1] ^= 1
    objects(tmp_path)[0].write_bytes(content)
    with pytest.raises(RetryableError, match="has another sha256"):
        take(landing)
    assert take(landing, verify=False).uris


@pytest.mark.parametrize(
    "lie", [{"entity": "songs"}, {"format": "pgcopy"}, {"contract_version": "2.0.0"}, {"contract_version": "x"}]
)
def test_a_receipt_of_something_else_is_refused(landing, samples, lie) -> None:
    landing.land("users", [samples.user(1)], **lie)
    with pytest.raises(DataRejected, match="expected a delivery of users"):
        take(landing)


def test_a_newer_minor_version_is_read(landing, samples) -> None:
    landing.land("users", [samples.user(1)], contract_version="1.7.0")
    assert take(landing).receipt.contract_version == "1.7.0"


def test_a_torn_receipt_is_refused(landing, tmp_path: Path) -> None:
    landing.store.write(f"{landing.folder(load('users'))}/_receipt.json", b'{"entity": "users"')
    with pytest.raises(DataRejected, match="file of another form"):
        take(landing)


def test_a_lake_that_cannot_be_read_is_temporary(landing, samples, monkeypatch) -> None:
    landing.land("users", [samples.user(1)])
    monkeypatch.setattr(Path, "read_bytes", lambda self: (_ for _ in ()).throw(OSError("disk on fire")))
    with pytest.raises(RetryableError, match="disk on fire"):
        take(landing)


def test_a_delivery_that_was_replaced_meanwhile_is_noticed(landing, samples, tmp_path: Path) -> None:
    landing.land("users", [samples.user(1)])
    accepted = take(landing)
    check_unchanged(landing.store, accepted)
    landing.land("users", [samples.user(2)])
    with pytest.raises(RetryableError, match="the receipt is another one"):
        check_unchanged(landing.store, accepted)
    accepted = take(landing)
    for file in objects(tmp_path):
        file.unlink()
    with pytest.raises(RetryableError, match="is gone"):
        check_unchanged(landing.store, accepted)
