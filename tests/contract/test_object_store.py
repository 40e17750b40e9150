"""A store replaces whole objects: a reader never sees a part, a failed write leaves the old object."""

from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest

from deftunes_contract.errors import DataRejected, UsageError
from deftunes_contract.object_store import LocalStore, S3Store, open_store


def test_write_read_list_delete(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    assert store.read("a/b") is None
    store.write("a/b", b"one")
    store.write("a/b", b"two")
    store.write("a/c/d", b"three")
    assert store.read("a/b") == b"two"
    assert list(store.list("a")) == ["a/b", "a/c/d"]
    store.delete("a/b")
    store.delete("a/b")
    assert list(store.list("a")) == ["a/c/d"]
    assert list(store.list("nowhere")) == []


def test_upload_copies_and_keeps_the_source(tmp_path: Path) -> None:
    source = tmp_path / "part"
    source.write_bytes(b"x" * 100_000)
    store = open_store(f"file://{tmp_path}/lake")
    store.upload("zone/part", source)
    assert store.read("zone/part") == source.read_bytes()
    assert store.uri("zone/part") == f"{tmp_path}/lake/zone/part"


def test_a_failed_write_leaves_the_old_object_and_no_debris(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.write("a", b"old")
    with pytest.raises(FileNotFoundError):
        store.upload("a", tmp_path / "missing")
    assert store.read("a") == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_half_written_objects_of_a_killed_writer_are_not_listed(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.write("zone/whole", b"x")
    (tmp_path / "zone" / ".writing-abc").write_bytes(b"half")
    assert list(store.list("zone")) == ["zone/whole"]


def test_s3_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    store = open_store("s3://bucket/some/prefix/")
    assert isinstance(store, S3Store)
    assert store.uri("a/b") == "s3://bucket/some/prefix/a/b"
    bare = open_store("s3://bucket")
    assert bare.uri("a") == "s3://bucket/a"


def test_other_schemes_are_refused() -> None:
    with pytest.raises(UsageError, match="expected s3://bucket/prefix or a folder"):
        open_store("ftp://host/lake")


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
    store = LocalStore(lake) if kind == "folder" else S3Store(client, "bucket", "prefix")
    verbs: list[Callable[[], object]] = [
        lambda: store.uri(path),
        lambda: store.read(path),
        lambda: store.write(path, b"new"),
        lambda: store.upload(path, source),
        lambda: list(store.list(path)),
        lambda: store.delete(path),
    ]
    for verb in verbs:
        with pytest.raises(DataRejected, match="expected a path inside"):
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
    store = LocalStore(tmp_path / "lake")
    store.write("zone/a", b"a")
    assert store.read("zone/a") == b"a"
    (tmp_path / "disk/way").symlink_to(outside)
    (tmp_path / "disk/zone/file").symlink_to(outside / "secret")
    for path in ("way/secret", "zone/file"):
        with pytest.raises(DataRejected, match="leads to"):
            store.read(path)
        with pytest.raises(DataRejected, match="leads to"):
            store.delete(path)
        with pytest.raises(DataRejected, match="leads to"):
            store.write(path, b"new")
    assert (outside / "secret").read_bytes() == b"secret"
