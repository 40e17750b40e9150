"""A shelf replaces whole objects: a reader never sees a part, a failed write leaves the old object."""

from pathlib import Path

import pytest

from deftunes_contract.exits import UsageError
from deftunes_contract.shelf import FolderShelf, S3Shelf, open_shelf


def test_write_read_list_delete(tmp_path: Path) -> None:
    shelf = open_shelf(str(tmp_path))
    assert shelf.read("a/b") is None
    shelf.write("a/b", b"one")
    shelf.write("a/b", b"two")
    shelf.write("a/c/d", b"three")
    assert shelf.read("a/b") == b"two"
    assert list(shelf.list("a")) == ["a/b", "a/c/d"]
    shelf.delete("a/b")
    shelf.delete("a/b")
    assert list(shelf.list("a")) == ["a/c/d"]
    assert list(shelf.list("nowhere")) == []


def test_upload_copies_and_keeps_the_source(tmp_path: Path) -> None:
    source = tmp_path / "part"
    source.write_bytes(b"x" * 100_000)
    shelf = open_shelf(f"file://{tmp_path}/lake")
    shelf.upload("zone/part", source)
    assert shelf.read("zone/part") == source.read_bytes()
    assert shelf.uri("zone/part") == f"{tmp_path}/lake/zone/part"


def test_a_failed_write_leaves_the_old_object_and_no_debris(tmp_path: Path) -> None:
    shelf = FolderShelf(tmp_path)
    shelf.write("a", b"old")
    with pytest.raises(FileNotFoundError):
        shelf.upload("a", tmp_path / "missing")
    assert shelf.read("a") == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_half_written_objects_of_a_killed_writer_are_not_listed(tmp_path: Path) -> None:
    shelf = FolderShelf(tmp_path)
    shelf.write("zone/whole", b"x")
    (tmp_path / "zone" / ".writing-abc").write_bytes(b"half")
    assert list(shelf.list("zone")) == ["zone/whole"]


def test_s3_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    shelf = open_shelf("s3://bucket/some/prefix/")
    assert isinstance(shelf, S3Shelf)
    assert shelf.uri("a/b") == "s3://bucket/some/prefix/a/b"
    bare = open_shelf("s3://bucket")
    assert bare.uri("a") == "s3://bucket/a"


def test_other_schemes_are_refused() -> None:
    with pytest.raises(UsageError, match="expected s3://bucket/prefix or a folder"):
        open_shelf("ftp://host/lake")
