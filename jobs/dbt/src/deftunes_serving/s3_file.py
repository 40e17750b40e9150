"""The serving file in S3: downloaded for a build, and put back only if nobody else did meanwhile.

Data flow: s3://bucket/key -> a local file -> (atomic_file builds its successor) -> s3://bucket/key, in one put.

What protects it: the put names the object that was downloaded (If-Match), or that there was none (If-None-Match), so of
two builds at once one ends as temporary and changes nothing; a put is atomic, so a reader sees the old state or the new
one; a killed build has put nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from deftunes_contract.aws import aws_client
from deftunes_contract.errors import RetryableError, StageError
from deftunes_contract.paths import bucket_and_key
from deftunes_contract.store_errors import ObjectNotFound, StoreConflict, aws_errors, in_context

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

LARGEST = 5 * 1024**3
"""Bytes of one put (Amazon S3 API reference, PutObject); puts in parts cannot be made on a condition everywhere."""


def client_of() -> S3Client:
    """S3 as the environment names it. A request is made once: a retried put could be refused for its own success."""
    client: S3Client = aws_client("s3", total_max_attempts=1)
    return client


def fetch(client: S3Client, uri: str, target: Path) -> str | None:
    """Download the object; returns its ETag, None (and no file) when there is none. Raises StoreError."""
    bucket, key = _place(uri)
    with in_context(f"to read {uri}", "nothing was changed"), aws_errors(uri):
        try:
            found = client.get_object(Bucket=bucket, Key=key)
        except client.exceptions.NoSuchKey:
            return None
        with target.open("wb") as file:
            for part in found["Body"].iter_chunks(1 << 20):
                file.write(part)
    return found["ETag"]


@contextmanager
def synced_copy(client: S3Client, uri: str, target: Path) -> Iterator[None]:
    """The object at `target` while the block runs; what is there at its end is put in the object's place.

    Raises RetryableError when another build was first, StoreError when S3 does not take it, StageError when the file is
    too large for one put.
    """
    bucket, key = _place(uri)
    tag = fetch(client, uri, target)
    yield
    if (size := target.stat().st_size) > LARGEST:
        raise StageError(
            f"expected a serving file of at most {LARGEST:,} bytes, which one put to S3 takes, found {size:,}; {uri} "
            "is as it was: serve from a folder, or from Redshift"
        )
    state = "it is as it was, or it is this build's whole"
    try:
        with in_context(f"to put {uri}", state), aws_errors(uri), target.open("rb") as file:
            if tag is None:
                client.put_object(Bucket=bucket, Key=key, Body=file, IfNoneMatch="*")
            else:
                client.put_object(Bucket=bucket, Key=key, Body=file, IfMatch=tag)
    except (StoreConflict, ObjectNotFound):
        raise RetryableError(
            f"another build has put a newer {uri} while this one worked; nothing of this one is public, run the same "
            "command again"
        ) from None


def _place(uri: str) -> tuple[str, str]:
    return bucket_and_key(uri, "DEFTUNES_SERVING")
