"""A shelf: the files of the lake outside Iceberg (landing zone, receipts, reports), in a folder or in S3.

`open_shelf(root)` is the one place where the client is made; stages get a Shelf handed in. Writes are atomic: a
reader sees the old object or the new one, never a part.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlparse

from deftunes_contract.exits import UsageError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


class Shelf(Protocol):
    """Objects below one root. `path` is relative to it, with forward slashes."""

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


class FolderShelf:
    """A shelf in a local folder. Atomic by writing aside and renaming."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def uri(self, path: str) -> str:
        """Absolute local path."""
        return str(self.root / path)

    def read(self, path: str) -> bytes | None:
        """See Shelf."""
        try:
            return (self.root / path).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, path: str, content: bytes) -> None:
        """See Shelf."""
        with self._aside(path) as aside:
            aside.write_bytes(content)

    def upload(self, path: str, file: Path) -> None:
        """See Shelf."""
        with self._aside(path) as aside:
            shutil.copyfile(file, aside)

    def _aside(self, path: str) -> _Aside:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        return _Aside(target)

    def list(self, prefix: str) -> Iterator[str]:
        """See Shelf."""
        folder = self.root / prefix
        found = (p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(_Aside.PREFIX))
        yield from sorted(str(p.relative_to(self.root)) for p in found)

    def delete(self, path: str) -> None:
        """See Shelf."""
        (self.root / path).unlink(missing_ok=True)


class _Aside:
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
            # mkstemp makes files private; a lake is read by other accounts of the same machine
            self.path.chmod(0o644)
            with self.path.open("rb") as written:
                os.fsync(written.fileno())
            self.path.replace(self.target)
        else:
            self.path.unlink(missing_ok=True)


class S3Shelf:
    """A shelf below `s3://bucket/prefix`. S3 puts are atomic by themselves."""

    def __init__(self, client: S3Client, bucket: str, prefix: str) -> None:
        self.client, self.bucket, self.prefix = client, bucket, prefix

    def _key(self, path: str) -> str:
        return f"{self.prefix}/{path}" if self.prefix else path

    def uri(self, path: str) -> str:
        """`s3://bucket/key`."""
        return f"s3://{self.bucket}/{self._key(path)}"

    def read(self, path: str) -> bytes | None:
        """See Shelf."""
        try:
            return self.client.get_object(Bucket=self.bucket, Key=self._key(path))["Body"].read()
        except self.client.exceptions.NoSuchKey:
            return None

    def write(self, path: str, content: bytes) -> None:
        """See Shelf."""
        self.client.put_object(Bucket=self.bucket, Key=self._key(path), Body=content)

    def upload(self, path: str, file: Path) -> None:
        """See Shelf; large files go up in parts, visible only when complete."""
        self.client.upload_file(str(file), self.bucket, self._key(path))

    def list(self, prefix: str) -> Iterator[str]:
        """See Shelf."""
        strip = len(self._key(""))
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=self._key(prefix).rstrip("/") + "/"
        )
        for page in pages:
            for item in page.get("Contents", []):
                yield item["Key"][strip:]

    def delete(self, path: str) -> None:
        """See Shelf."""
        self.client.delete_object(Bucket=self.bucket, Key=self._key(path))


def open_shelf(root: str) -> Shelf:
    """The shelf at `s3://bucket[/prefix]` or at a local folder (a path or a file:// URI). Raises UsageError."""
    parsed = urlparse(root)
    if parsed.scheme == "s3":
        import boto3  # only where S3 is used: half a second of import that a folder lake need not pay
        from botocore.config import Config

        client = boto3.client("s3", config=Config(retries={"mode": "adaptive", "max_attempts": 8}))
        return S3Shelf(client, parsed.netloc, parsed.path.strip("/"))
    if parsed.scheme in ("", "file"):
        return FolderShelf(Path(parsed.path).expanduser().absolute())
    raise UsageError(f"DEFTUNES_LAKE: expected s3://bucket/prefix or a folder, found {root!r}")
