"""The serving database of the embedded target as a local file, wherever it lies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from deftunes_serving.s3_file import client_of, fetch
from deftunes_serving.settings import ServingSettings


@contextmanager
def local_serving_file(settings: ServingSettings) -> Iterator[Path]:
    """The file itself, or a copy of the object in S3 that goes with the block; it may not be there.

    Raises UsageError (no usable DEFTUNES_SERVING), RetryableError (S3 does not answer).
    """
    if not settings.is_remote:
        yield settings.serving_file
        return
    with TemporaryDirectory(prefix="deftunes-serving-") as folder:
        file = Path(folder) / settings.serving_file.name
        fetch(client_of(), settings.serving, file)
        yield file
