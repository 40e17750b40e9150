"""S3 and Glue in memory (moto's server), with the optimistic locks that the real ones have.

Stock moto ignores `VersionId` in UpdateTable, so of two concurrent Iceberg commits one is lost in silence. Here a stale
VersionId is rejected as AWS rejects it, and rejections are counted: a test of concurrency that saw none proved nothing.
Of two conditional puts to S3 at once stock moto lets both through; here they take turns.
Right for trials and tests; everything is in this process's memory.
"""

from __future__ import annotations

import logging
import socket
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError
from moto.core.responses import ActionResult
from moto.glue.exceptions import GlueClientError
from moto.glue.responses import GlueResponse
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.s3.responses import S3Response
from werkzeug.serving import make_server

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
            config=Config(s3={"addressing_style": "path"}, proxies={}),
        )


class _Locks:
    """moto's UpdateTable behind a check of VersionId, and its PutObject, which looks and then writes: one at a time."""

    def __init__(self, rejected: list[str]) -> None:
        self.rejected = rejected
        self.update_table, self.put_object = GlueResponse.update_table, S3Response.put_object

    def __enter__(self) -> None:
        tables, objects, originals = threading.Lock(), threading.Lock(), self

        def update_table(response: GlueResponse) -> ActionResult:
            parameters = response.parameters
            given, name = parameters.get("VersionId"), parameters["TableInput"]["Name"]
            with tables:
                table = response.glue_backend.get_table(parameters["DatabaseName"], name)
                current = table.as_dict()["VersionId"]
                if given is not None and given != current:
                    originals.rejected.append(name)
                    raise GlueClientError(
                        "ConcurrentModificationException", f"{name} is at version {current}, not at {given}"
                    )
                return originals.update_table(response)

        def put_object(response: S3Response) -> Any:
            with objects:
                return originals.put_object(response)

        GlueResponse.update_table = update_table  # type: ignore[method-assign, assignment]
        S3Response.put_object = put_object  # type: ignore[method-assign, assignment]

    def __exit__(self, *_: object) -> None:
        GlueResponse.update_table = self.update_table  # type: ignore[method-assign]
        S3Response.put_object = self.put_object  # type: ignore[method-assign]


@contextmanager
def _server(host: str, port: int) -> Iterator[int]:
    """moto behind a listener of our own, whose port it gives: moto's own starter waits for ever when it is taken."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(128)
        except (OSError, OverflowError) as error:  # OverflowError: no such port
            raise ConfigError(f"--port: expected a free port on {host}, {port} is not: {error}") from error
        application = DomainDispatcherApplication(create_backend_app)
        server = make_server(
            host, port, application, threaded=True, request_handler=MotoRequestHandler, fd=listener.fileno()
        )
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


@contextmanager
def cloud(host: str, port: int, bucket: str, region: str) -> Iterator[Cloud]:
    """A stand-in with one empty bucket, gone at the end. The state belongs to the process: one at a time.

    port 0 = any free one. Raises ConfigError when the port is taken or the bucket cannot be.
    """
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with _server(host, port) as found:
        running = Cloud(f"http://{LOOPBACK if host == '0.0.0.0' else host}:{found}", bucket, region)
        # what another server of this process left behind would show in this one
        _reset(running)
        try:
            with _Locks(running.rejected):
                _make_bucket(running)
                yield running
        finally:
            _reset(running)


def _reset(running: Cloud) -> None:
    reset = urllib.request.Request(f"{running.endpoint}/moto-api/reset", method="POST")
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(reset).close()


def _make_bucket(running: Cloud) -> None:
    # us-east-1 is the one region that must not be named
    place: dict[str, Any] = {}
    if running.region != "us-east-1":
        place["CreateBucketConfiguration"] = {"LocationConstraint": running.region}
    try:
        running.client("s3").create_bucket(Bucket=running.bucket, **place)
    except (ClientError, ParamValidationError) as error:
        raise ConfigError(f"--bucket: expected a name that S3 accepts, found {running.bucket!r}: {error}") from error
