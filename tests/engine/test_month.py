"""A month of the pipeline on what `up` made: every stage a process with the keys of its own role, Glue as catalog.

The cloud asks IAM before it answers (enforced.py), by the documents that the program installed, so a right that a stage
lacks stops it here, and what it was refused is told.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from enforced import REPOSITORY, EnforcedCloud, enforced
from listening import COMMANDS, listening
from program import Stack, config_in, program_in

PROGRAM = REPOSITORY / "infra_pulumi"
REGION = "eu-west-1"
MONTH = ("--start", "2020-01-01", "--end", "2020-02-01")
RUN = ("--run-id", "january")
STAGES = (
    ("extract", "users"),
    ("extract", "sessions"),
    ("extract", "songs"),
    ("transform", "users", "sessions"),
    ("transform", "songs"),
    ("quality", "users", "sessions"),
    ("quality", "songs"),
    ("lake", "publish", "users", "sessions"),
    ("lake", "publish", "songs"),
    ("dbt", "build"),
)
"""Role, and what its command is given: as the chart's workloads."""


@dataclass(frozen=True)
class Ground:
    """What `up` told, the cloud it stands in, and a shop."""

    cloud: EnforcedCloud
    outputs: Mapping[str, Any]
    roles: Mapping[str, str]
    settings: Mapping[str, str]

    def environment(self, role: str | None = None) -> dict[str, str]:
        """Of a process that is this role; the administrator's without one."""
        keys = (
            self.cloud.keys_of(self.roles[role])
            if role
            else {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
        )
        return os.environ | dict(self.settings) | keys

    def call(self, role: str | None, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the platform."""
        program = str(COMMANDS / command[0])
        return subprocess.run(
            [program, *command[1:]], env=self.environment(role), capture_output=True, text=True, check=False
        )


@pytest.fixture(scope="module")
def ground(stack: Callable[..., Stack], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """The dev stack, up, in a cloud that asks IAM."""
    home = tmp_path_factory.mktemp("home")
    shop = listening(
        "deftunes-simulator", "serve", "--scale", "400", "--port", "0", schemes=("http://", "postgresql://")
    )
    with enforced(REGION) as cloud, shop as sources:
        config = {"aws:region": REGION, **config_in(PROGRAM / "Pulumi.dev.yaml")}
        made = stack(program_in(PROGRAM), config, endpoint=cloud.endpoint, name="month")
        told = made.up().outputs
        # these are plain connections on loopback, which the bucket's policy refuses, as it should (test_cloud.py)
        cloud.client("s3").delete_bucket_policy(Bucket=told["lake_url"].removeprefix("s3://"))
        names = [
            resource["outputs"]["name"] for resource in made.resources() if resource["type"] == "aws:iam/role:Role"
        ]
        yield Ground(
            cloud,
            told,
            {stage: next(name for name in names if f"-{stage}-" in name) for stage in {stage for stage, *_ in STAGES}},
            {
                "DEFTUNES_API_URL": sources["http://"],
                "DEFTUNES_SONGS_DSN": sources["postgresql://"],
                "AWS_ENDPOINT_URL": cloud.endpoint,
                "AWS_REGION": told["region"],
                "AWS_DEFAULT_REGION": told["region"],
                "AWS_CONFIG_FILE": "/dev/null",
                "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
                "AWS_EC2_METADATA_DISABLED": "true",
                "DEFTUNES_LAKE": told["lake_url"],
                "DEFTUNES_CATALOG": "glue",
                "DEFTUNES_DATABASE": told["glue_database"],
                "DEFTUNES_HOME": str(home),
                "DEFTUNES_SERVING": str(home / "sales.duckdb"),
                "DEFTUNES_SPARK_SMALL": "true",
            },
        )


def test_a_month_runs_with_each_stages_own_rights_and_reconciles(ground: Ground) -> None:
    for role, *given in STAGES:
        done = ground.call(role, f"deftunes-{role}", *given, *MONTH, *RUN)
        assert ground.cloud.refused(ground.roles[role]) == []
        assert done.returncode == 0, done.stderr[-4000:]
    verified = ground.call(None, "deftunes", "verify", "--json")
    found = json.loads(verified.stdout)
    assert found["reconciled"], found["faults"]
    assert found["items"] > 0


def test_a_stage_with_its_neighbours_keys_is_refused_and_says_so(ground: Ground) -> None:
    done = ground.call("dbt", "deftunes-extract", "users", *MONTH, *RUN)
    assert done.returncode != 0
    # the folder stands in the condition of the call that lists it, which the sentence shows
    assert any(refused.startswith("s3:") for refused in ground.cloud.refused(ground.roles["dbt"]))
    assert "landing_zone/api/users" in done.stderr
    assert "not authorized" in done.stderr or "AccessDenied" in done.stderr or "403" in done.stderr, done.stderr[-2000:]
