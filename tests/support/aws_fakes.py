"""S3 and Glue in memory (moto's server), on loopback, with the optimistic lock that real Glue has.

Stock moto ignores `VersionId` in UpdateTable, so of two concurrent Iceberg commits one is lost in silence. Here a stale
VersionId is rejected as AWS rejects it, and rejections are counted: a test of concurrency that saw none proved nothing.

In a test: `with aws_fakes() as aws: subprocess.run(..., env=os.environ | aws.environment)`. By hand:
`python tests/support/aws_fakes.py` prints the variables to export and serves until interrupted.
"""

from __future__ import annotations

import logging
import sys
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

REGION = "eu-west-1"
BUCKET = "lake"


@dataclass
class AwsFakes:
    """A running stand-in. rejected: names of tables, one for each stale commit that was turned away so far."""

    endpoint: str
    bucket: str = BUCKET
    rejected: list[str] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to use it instead of AWS: the standard variables, and the lake's root."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            # nothing of the machine's own AWS configuration may reach a test
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "DEFTUNES_LAKE": f"s3://{self.bucket}",
        }

    def client(self, service: str) -> Any:
        """A boto3 client of the stand-in, made without looking at the environment."""
        return boto3.client(
            service,  # type: ignore[call-overload]  # the stubs want a literal
            endpoint_url=self.endpoint,
            region_name=REGION,
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
def aws_fakes(bucket: str = BUCKET) -> Iterator[AwsFakes]:
    """A stand-in with one empty bucket, gone at the end. The state belongs to the process: one at a time."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        fakes = AwsFakes(f"http://{host}:{port}", bucket)
        with _LockedUpdate(fakes.rejected):
            fakes.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
            yield fakes
    finally:
        # the state belongs to the process and would show in the next server
        urllib.request.urlopen(urllib.request.Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()
        server.stop()


if __name__ == "__main__":
    with aws_fakes() as served:
        for key, value in served.environment.items():
            sys.stdout.write(f"export {key}={value}\n")
        sys.stdout.flush()
        threading.Event().wait()
