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

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

LARGEST = 5 * 1024**3
"""Bytes of one put (Amazon S3 API reference, PutObject); puts in parts cannot be made on a condition everywhere."""
LOST = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey", "412", "409"})
"""What S3 answers when the object is not the one that was downloaded."""


def client_of() -> S3Client:
    """S3 as the environment names it. A request is made once: a retried put could be refused for its own success."""
    client: S3Client = aws_client("s3", total_max_attempts=1)
    return client


def fetch(client: S3Client, uri: str, target: Path) -> str | None:
    """Download the object; returns its ETag, None (and no file) when there is none. Raises RetryableError."""
    from botocore.exceptions import BotoCoreError, ClientError

    bucket, key = _place(uri)
    try:
        found = client.get_object(Bucket=bucket, Key=key)
        with target.open("wb") as file:
            for part in found["Body"].iter_chunks(1 << 20):
                file.write(part)
    except client.exceptions.NoSuchKey:
        return None
    except (BotoCoreError, ClientError) as error:
        raise RetryableError(f"expected to read {uri}, found: {error}; nothing was changed, try again") from None
    return found["ETag"]


@contextmanager
def synced_copy(client: S3Client, uri: str, target: Path) -> Iterator[None]:
    """The object at `target` while the block runs; what is there at its end is put in the object's place.

    Raises RetryableError when another build was first or S3 does not answer, StageError when the file is too large for
    one put.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    bucket, key = _place(uri)
    tag = fetch(client, uri, target)
    yield
    if (size := target.stat().st_size) > LARGEST:
        raise StageError(
            f"expected a serving file of at most {LARGEST:,} bytes, which one put to S3 takes, found {size:,}; {uri} "
            "is as it was: serve from a folder, or from Redshift"
        )
    try:
        with target.open("rb") as file:
            if tag is None:
                client.put_object(Bucket=bucket, Key=key, Body=file, IfNoneMatch="*")
            else:
                client.put_object(Bucket=bucket, Key=key, Body=file, IfMatch=tag)
    except (BotoCoreError, ClientError) as error:
        if not isinstance(error, ClientError) or error.response.get("Error", {}).get("Code") not in LOST:
            raise RetryableError(
                f"expected to put {uri}, found: {error}; it is as it was, or it is this build's whole; try again"
            ) from None
        raise RetryableError(
            f"another build has put a newer {uri} while this one worked; nothing of this one is public, run the same "
            "command again"
        ) from None


def _place(uri: str) -> tuple[str, str]:
    return bucket_and_key(uri, "DEFTUNES_SERVING")
