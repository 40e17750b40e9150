"""A shelf replaces whole objects: a reader never sees a part, a failed write leaves the old object."""

from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest

from deftunes_contract.exits import DataRefused, UsageError
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


OUTSIDE = [
    "../secret", "a/../../secret", "a/../b", "..", ".", "./a", "", "/etc/passwd", "//a", "a//b", "a/", "a\\..\\secret",
    "a\0b", "a\nb", "a\x1b[2Jb",
]  # fmt: skip


@pytest.mark.parametrize("path", OUTSIDE)
@pytest.mark.parametrize("kind", ["folder", "s3"])
def test_a_path_that_leaves_the_root_is_refused_by_every_verb(path: str, kind: str, tmp_path: Path) -> None:
    secret, source = tmp_path / "secret", tmp_path / "source"
    secret.write_bytes(b"secret")
    source.write_bytes(b"new")
    lake = tmp_path / "lake"
    lake.mkdir()
    client = Mock()
    shelf = FolderShelf(lake) if kind == "folder" else S3Shelf(client, "bucket", "prefix")
    verbs: list[Callable[[], object]] = [
        lambda: shelf.uri(path),
        lambda: shelf.read(path),
        lambda: shelf.write(path, b"new"),
        lambda: shelf.upload(path, source),
        lambda: list(shelf.list(path)),
        lambda: shelf.delete(path),
    ]
    for verb in verbs:
        with pytest.raises(DataRefused, match="expected a path inside"):
            verb()
    client.get_paginator.return_value.paginate.assert_not_called()
    assert {call[0] for call in client.mock_calls} <= {"get_paginator"}
    assert secret.read_bytes() == b"secret"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["lake", "secret", "source"]


def test_a_link_below_the_root_does_not_lead_out_and_the_root_may_be_one(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    (tmp_path / "disk").mkdir()
    (tmp_path / "lake").symlink_to(tmp_path / "disk")
    shelf = FolderShelf(tmp_path / "lake")
    shelf.write("zone/a", b"a")
    assert shelf.read("zone/a") == b"a"
    (tmp_path / "disk/way").symlink_to(outside)
    (tmp_path / "disk/zone/file").symlink_to(outside / "secret")
    for path in ("way/secret", "zone/file"):
        with pytest.raises(DataRefused, match="leads to"):
            shelf.read(path)
        with pytest.raises(DataRefused, match="leads to"):
            shelf.delete(path)
        with pytest.raises(DataRefused, match="leads to"):
            shelf.write(path, b"new")
    assert (outside / "secret").read_bytes() == b"secret"
