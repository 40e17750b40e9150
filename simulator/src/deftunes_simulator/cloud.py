"""S3 and Glue in memory (moto's server), with the optimistic lock that real Glue has.

Stock moto ignores `VersionId` in UpdateTable, so of two concurrent Iceberg commits one is lost in silence. Here a stale
VersionId is rejected as AWS rejects it, and rejections are counted: a test of concurrency that saw none proved nothing.
Right for trials and tests; everything is in this process's memory.
"""

from __future__ import annotations

import logging
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config
from moto.core.responses import ActionResult
from moto.glue.exceptions import GlueClientError
from moto.glue.responses import GlueResponse
from moto.server import ThreadedMotoServer

from .errors import ConfigError

LOOPBACK = "127.0.0.1"


@dataclass
class Cloud:
    """A running stand-in. rejected: names of tables, one for each stale commit that was turned away so far."""

    endpoint: str
    bucket: str
    region: str
    rejected: list[str] = field(default_factory=list)

    def client(self, service: str) -> Any:
        """A boto3 client of the stand-in, made without looking at the environment."""
        return boto3.client(
            service,  # type: ignore[call-overload]  # the stubs want a literal
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            config=Config(s3={"addressing_style": "path"}),
        )


class _LockedUpdate:
    """moto's UpdateTable behind a check of VersionId, both under one lock."""

    def __init__(self, rejected: list[str]) -> None:
        self.rejected, self.lock, self.original = rejected, threading.Lock(), GlueResponse.update_table

    def __enter__(self) -> None:
        locked = self

        def update_table(response: GlueResponse) -> ActionResult:
            parameters = response.parameters
            given, name = parameters.get("VersionId"), parameters["TableInput"]["Name"]
            with locked.lock:
                table = response.glue_backend.get_table(parameters["DatabaseName"], name)
                current = table.as_dict()["VersionId"]
                if given is not None and given != current:
                    locked.rejected.append(name)
                    raise GlueClientError(
                        "ConcurrentModificationException", f"{name} is at version {current}, not at {given}"
                    )
                return locked.original(response)

        GlueResponse.update_table = update_table  # type: ignore[method-assign]

    def __exit__(self, *_: object) -> None:
        GlueResponse.update_table = self.original  # type: ignore[method-assign]


@contextmanager
def cloud(host: str, port: int, bucket: str, region: str) -> Iterator[Cloud]:
    """A stand-in with one empty bucket, gone at the end. The state belongs to the process: one at a time.

    port 0 = any free one. Raises ConfigError when the port is taken.
    """
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address=host, port=port, verbose=False)
    try:
        server.start()
    except OSError as error:
        raise ConfigError(f"--port: expected a free port on {host}, {port} is not: {error}") from error
    own = f"http://{LOOPBACK if host == '0.0.0.0' else host}:{server.get_host_and_port()[1]}"
    try:
        running = Cloud(own, bucket, region)
        with _LockedUpdate(running.rejected):
            # us-east-1 is the one region that must not be named
            place: dict[str, Any] = {} if region == "us-east-1" else {"LocationConstraint": region}
            running.client("s3").create_bucket(Bucket=bucket, **({"CreateBucketConfiguration": place} if place else {}))
            yield running
    finally:
        # the state belongs to the process and would show in the next server
        urllib.request.urlopen(urllib.request.Request(f"{own}/moto-api/reset", method="POST")).close()
        server.stop()
