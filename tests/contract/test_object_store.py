"""A store replaces whole objects: a reader never sees a part, a failed write leaves the old object."""

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import Mock

import pytest
from aws_fakes import aws_fakes, environment_of
from botocore.exceptions import ClientError
from botocore.response import StreamingBody

from deftunes_contract.aws import aws_client
from deftunes_contract.errors import DataRejected, UsageError
from deftunes_contract.object_store import LocalStore, ObjectStore, S3Store, open_store
from deftunes_contract.store_errors import (
    ObjectNotFound,
    StoreConflict,
    StoreDenied,
    StoreError,
    StoreUnavailable,
    aws_errors,
    in_context,
    os_errors,
)


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
    with pytest.raises(StoreDenied, match="missing"):
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
        lambda: store.open(path),
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


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    if request.param == "folder":
        yield open_store(str(tmp_path / "lake"))
        return
    with aws_fakes() as aws:
        for name, value in environment_of(aws).items():
            monkeypatch.setenv(name, value)
        yield open_store("s3://lake/some/prefix")


def test_a_stream_gives_the_object_bit_by_bit_and_a_missing_one_is_named(store: ObjectStore) -> None:
    content = os.urandom(3 << 20)
    store.write("zone/large", content)
    with store.open("zone/large") as stream:
        assert stream.read(10) == content[:10]
        assert stream.read() == content[10:]
    with pytest.raises(ObjectNotFound, match="zone/missing"):
        store.open("zone/missing")
    assert store.read("zone/missing") is None


def test_an_s3_that_fails_is_told_apart_by_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free_tcp_port: int
) -> None:
    with aws_fakes() as aws:
        for name, value in environment_of(aws).items():
            monkeypatch.setenv(name, value)
        elsewhere, part = open_store("s3://nobodys-bucket/x"), tmp_path / "part"
        part.write_bytes(b"x")
        for verb in (
            lambda: elsewhere.read("a"), lambda: elsewhere.open("a"), lambda: elsewhere.write("a", b""),
            lambda: elsewhere.upload("a", part), lambda: list(elsewhere.list("a")),
        ):  # fmt: skip
            with pytest.raises(StoreDenied, match="s3://nobodys-bucket/x/a: .*NoSuchBucket"):
                verb()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_tcp_port}")
    silent = S3Store(aws_client("s3", total_max_attempts=1), "lake", "")
    with pytest.raises(StoreUnavailable, match="s3://lake/a: .*Could not connect"):
        silent.read("a")


def test_a_stream_that_breaks_is_temporary() -> None:
    body = StreamingBody(io.BytesIO(b"half"), content_length=8)
    client = Mock()
    client.get_object.return_value = {"Body": body}
    with S3Store(client, "bucket", "").open("a") as stream, pytest.raises(StoreUnavailable, match="s3://bucket/a: "):
        stream.read()


@pytest.mark.parametrize(
    ("code", "kind", "ends"),
    [
        ("NoSuchKey", ObjectNotFound, 75),
        ("AccessDenied", StoreDenied, 2),
        ("ExpiredToken", StoreDenied, 2),
        ("PreconditionFailed", StoreConflict, 75),
        ("SlowDown", StoreUnavailable, 75),
    ],
)
def test_codes_of_aws_become_errors_with_an_exit_code(code: str, kind: type[StoreError], ends: int) -> None:
    with pytest.raises(kind) as caught, in_context("to read it", "nothing was changed"), aws_errors("s3://b/k"):
        raise ClientError({"Error": {"Code": code}}, "GetObject")
    assert caught.value.exit_code == ends
    assert str(caught.value).startswith("expected to read it, found s3://b/k: ")
    assert f"; nothing was changed: {kind.advice}" in str(caught.value)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [(PermissionError, StoreDenied), (NotADirectoryError, StoreDenied), (TimeoutError, StoreUnavailable)],
)
def test_faults_of_a_folder_become_the_same_errors(fault: type[OSError], kind: type[StoreError]) -> None:
    with pytest.raises(kind, match="/lake/a: "), os_errors("/lake/a"):
        raise fault("why")
