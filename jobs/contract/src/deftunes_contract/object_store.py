"""The object store: the files of the lake outside Iceberg (landing zone, receipts, reports), in a folder or in S3.

`open_store(root)` is the one place where the client is made; stages get an ObjectStore handed in. Writes are atomic: a
reader sees the old object or the new one, never a part.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from deftunes_contract.atomic_file import PREFIX as UNFINISHED
from deftunes_contract.atomic_file import AtomicFile
from deftunes_contract.aws import aws_client
from deftunes_contract.errors import DataRejected
from deftunes_contract.paths import UNNAMEABLE, bucket_and_key, in_s3, local_folder
from deftunes_contract.store_errors import ObjectNotFound, aws_errors, os_errors

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3.client import S3Client

_BUFFER = 1 << 20
"""Bytes that a stream from S3 holds at a time."""


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
    """Objects below one root. `path` is relative to it, with forward slashes; one that leaves it is DataRejected.

    Whatever else goes wrong is a StoreError (store_errors.py), in every verb and while a stream is read.
    """

    def uri(self, path: str) -> str:
        """Full name of an object, for messages and for engines that read by themselves."""

    def open(self, path: str) -> BinaryIO:
        """An object as a stream of bytes, for `with`. Raises ObjectNotFound."""

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

    def _file(self, path: str) -> Path:
        file = self.root / inside(str(self.root), path)
        if not file.resolve().is_relative_to(self.root.resolve()):
            raise DataRejected(
                f"expected a path inside {self.root}, found that {path} leads to {file.resolve()}; nothing was read, "
                "written or removed there. Put the whole lake elsewhere (DEFTUNES_LAKE) instead of a part of it"
            )
        return file

    def uri(self, path: str) -> str:
        """Absolute local path."""
        return str(self._file(path))

    def open(self, path: str) -> BinaryIO:
        """See ObjectStore."""
        file = self._file(path)
        with os_errors(str(file)):
            try:
                return file.open("rb")
            except FileNotFoundError:
                raise ObjectNotFound(f"{file}: no such object") from None

    def read(self, path: str) -> bytes | None:
        """See ObjectStore."""
        file = self._file(path)
        with os_errors(str(file)):
            try:
                return file.read_bytes()
            except FileNotFoundError:
                return None

    def write(self, path: str, content: bytes) -> None:
        """See ObjectStore."""
        with self._replacing(path) as file:
            file.write_bytes(content)

    def upload(self, path: str, file: Path) -> None:
        """See ObjectStore."""
        with self._replacing(path) as target:
            shutil.copyfile(file, target)

    @contextmanager
    def _replacing(self, path: str) -> Iterator[Path]:
        target = self._file(path)
        with os_errors(str(target)):
            target.parent.mkdir(parents=True, exist_ok=True)
            with AtomicFile(target) as file:
                yield file

    def list(self, prefix: str) -> Iterator[str]:
        """See ObjectStore."""
        folder = self._file(prefix)
        with os_errors(str(folder)):
            found = sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(UNFINISHED))
        yield from (str(p.relative_to(self.root)) for p in found)

    def delete(self, path: str) -> None:
        """See ObjectStore."""
        file = self._file(path)
        with os_errors(str(file)):
            file.unlink(missing_ok=True)


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

    def open(self, path: str) -> BinaryIO:
        """See ObjectStore."""
        uri = self.uri(path)
        with aws_errors(uri):
            body = self.client.get_object(Bucket=self.bucket, Key=self._key(path))["Body"]
        return io.BufferedReader(_S3Stream(body, uri), _BUFFER)

    def read(self, path: str) -> bytes | None:
        """See ObjectStore."""
        try:
            with aws_errors(self.uri(path)):
                return self.client.get_object(Bucket=self.bucket, Key=self._key(path))["Body"].read()
        except ObjectNotFound:
            return None

    def write(self, path: str, content: bytes) -> None:
        """See ObjectStore."""
        with aws_errors(self.uri(path)):
            self.client.put_object(Bucket=self.bucket, Key=self._key(path), Body=content)

    def upload(self, path: str, file: Path) -> None:
        """See ObjectStore; large files go up in parts, visible only when complete."""
        uri = self.uri(path)
        with os_errors(uri), aws_errors(uri):
            self.client.upload_file(str(file), self.bucket, self._key(path))

    def list(self, prefix: str) -> Iterator[str]:
        """See ObjectStore."""
        uri = self.uri(prefix)
        pages = iter(
            self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=f"{self._key(prefix)}/")
        )
        while True:
            with aws_errors(uri):
                page = next(pages, None)
            if page is None:
                return
            yield from (item["Key"].removeprefix(self._root) for item in page.get("Contents", []))

    def delete(self, path: str) -> None:
        """See ObjectStore."""
        with aws_errors(self.uri(path)):
            self.client.delete_object(Bucket=self.bucket, Key=self._key(path))


class _S3Stream(io.RawIOBase):
    """The body of an answer as a raw file; a connection that breaks in the middle is StoreUnavailable."""

    def __init__(self, body: StreamingBody, uri: str) -> None:
        self._body, self._uri = body, uri

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer from the answer."""
        with aws_errors(self._uri):
            content = self._body.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def close(self) -> None:
        """Give the connection back."""
        self._body.close()
        super().close()


def open_store(root: str) -> ObjectStore:
    """The store at `s3://bucket[/prefix]` or at a local folder (a path or a file:// URI). Raises UsageError."""
    if in_s3(root):
        bucket, prefix = bucket_and_key(root)
        return S3Store(aws_client("s3", mode="adaptive", max_attempts=8), bucket, prefix)
    return LocalStore(local_folder(root))
