"""A store: the files of the lake outside Iceberg (landing zone, receipts, reports), in a folder or in S3.

`open_store(root)` is the one place where the client is made; stages get a ObjectStore handed in. Writes are atomic: a
reader sees the old object or the new one, never a part.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from deftunes_contract.aws import aws_client
from deftunes_contract.errors import DataRejected
from deftunes_contract.paths import UNNAMEABLE, bucket_and_key, in_s3, local_folder
from deftunes_contract.sharing import file_mode

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


def inside(root: str, path: str) -> str:
    """The path, when it is a name below a root and nothing else. Raises DataRejected.

    Paths are made of facts and of what receipts and run ids say; one that climbs, that begins anew, or that another
    reader would take for two paths is never handed to a file system or to S3.
    """
    parts = path.split("/")
    if "" in parts or "." in parts or ".." in parts or "\\" in path or UNNAMEABLE.search(path):
        raise DataRejected(
            f"expected a path inside {root}, found {path!r}; nothing was read, written or removed there. Whatever "
            "names it (a receipt, a gate result) was changed by hand: make it anew"
        )
    return path


class ObjectStore(Protocol):
    """Objects below one root. `path` is relative to it, with forward slashes; one that leaves it is DataRejected."""

    def uri(self, path: str) -> str:
        """Full name of an object, for messages and for engines that read by themselves."""

    def read(self, path: str) -> bytes | None:
        """Content of a small object, or None when it is not there."""

    def write(self, path: str, content: bytes) -> None:
        """Put a small object, replacing atomically."""

    def upload(self, path: str, file: Path) -> None:
        """Put a local file, replacing atomically."""

    def list(self, prefix: str) -> Iterator[str]:
        """Paths of all objects below a folder, sorted."""

    def delete(self, path: str) -> None:
        """Remove an object; no error when it is gone already."""


class LocalStore:
    """A store in a local folder. Atomic by writing aside and renaming.

    The folder itself may be reached by a symbolic link; a link below it that leads out is refused like `..`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def _place(self, path: str) -> Path:
        place = self.root / inside(str(self.root), path)
        if not place.resolve().is_relative_to(self.root.resolve()):
            raise DataRejected(
                f"expected a path inside {self.root}, found that {path} leads to {place.resolve()}; nothing was read, "
                "written or removed there. Put the whole lake elsewhere (DEFTUNES_LAKE) instead of a part of it"
            )
        return place

    def uri(self, path: str) -> str:
        """Absolute local path."""
        return str(self._place(path))

    def read(self, path: str) -> bytes | None:
        """See ObjectStore."""
        try:
            return self._place(path).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, path: str, content: bytes) -> None:
        """See ObjectStore."""
        with self._aside(path) as aside:
            aside.write_bytes(content)

    def upload(self, path: str, file: Path) -> None:
        """See ObjectStore."""
        with self._aside(path) as aside:
            shutil.copyfile(file, aside)

    def _aside(self, path: str) -> _AtomicFile:
        target = self._place(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        return _AtomicFile(target)

    def list(self, prefix: str) -> Iterator[str]:
        """See ObjectStore."""
        folder = self._place(prefix)
        found = (p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(_AtomicFile.PREFIX))
        yield from sorted(str(p.relative_to(self.root)) for p in found)

    def delete(self, path: str) -> None:
        """See ObjectStore."""
        self._place(path).unlink(missing_ok=True)


class _AtomicFile:
    """A file beside its target that takes the target's name when all went well."""

    PREFIX = ".writing-"

    def __init__(self, target: Path) -> None:
        self.target = target

    def __enter__(self) -> Path:
        handle, name = tempfile.mkstemp(prefix=self.PREFIX, dir=self.target.parent)
        os.close(handle)
        self.path = Path(name)
        return self.path

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.path.chmod(file_mode())
            with self.path.open("rb") as written:
                os.fsync(written.fileno())
            self.path.replace(self.target)
        else:
            self.path.unlink(missing_ok=True)


class S3Store:
    """A store below `s3://bucket/prefix`. S3 puts are atomic by themselves."""

    def __init__(self, client: S3Client, bucket: str, prefix: str) -> None:
        self.client, self.bucket, self.prefix = client, bucket, prefix
        self._root = f"{prefix}/" if prefix else ""

    def _key(self, path: str) -> str:
        return self._root + inside(f"s3://{self.bucket}/{self._root}", path)

    def uri(self, path: str) -> str:
        """`s3://bucket/key`."""
        return f"s3://{self.bucket}/{self._key(path)}"

    def read(self, path: str) -> bytes | None:
        """See ObjectStore."""
        key = self._key(path)
        try:
            return self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        except self.client.exceptions.NoSuchKey:
            return None

    def write(self, path: str, content: bytes) -> None:
        """See ObjectStore."""
        self.client.put_object(Bucket=self.bucket, Key=self._key(path), Body=content)

    def upload(self, path: str, file: Path) -> None:
        """See ObjectStore; large files go up in parts, visible only when complete."""
        self.client.upload_file(str(file), self.bucket, self._key(path))

    def list(self, prefix: str) -> Iterator[str]:
        """See ObjectStore."""
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=f"{self._key(prefix)}/"
        )
        for page in pages:
            for item in page.get("Contents", []):
                yield item["Key"].removeprefix(self._root)

    def delete(self, path: str) -> None:
        """See ObjectStore."""
        self.client.delete_object(Bucket=self.bucket, Key=self._key(path))


def open_store(root: str) -> ObjectStore:
    """The store at `s3://bucket[/prefix]` or at a local folder (a path or a file:// URI). Raises UsageError."""
    if in_s3(root):
        bucket, prefix = bucket_and_key(root)
        return S3Store(aws_client("s3", mode="adaptive", max_attempts=8), bucket, prefix)
    return LocalStore(local_folder(root))
