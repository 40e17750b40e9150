"""S3 and Glue in memory on loopback, for tests: the simulator's cloud and the environment of somebody who uses it.

In a test: `with aws_fakes() as aws: subprocess.run(..., env=os.environ | environment_of(aws))`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from deftunes_simulator.cloud import LOOPBACK, Cloud, cloud

REGION = "eu-west-1"


def environment_of(aws: Cloud) -> dict[str, str]:
    """What a process needs to use it instead of AWS: the standard variables, and the lake's root."""
    return {
        "AWS_ENDPOINT_URL": aws.endpoint,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        # nothing of the machine's own AWS configuration may reach a test
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "DEFTUNES_LAKE": f"s3://{aws.bucket}",
    }


@contextmanager
def aws_fakes(bucket: str = "lake") -> Iterator[Cloud]:
    """A stand-in with one empty bucket, gone at the end."""
    with cloud(LOOPBACK, 0, bucket, REGION) as running:
        yield running
