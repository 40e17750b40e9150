"""What a stack of infra_pulumi tells (infra_pulumi/deftunes_cloud/outputs.py exports the same names), checked.

Data flow: `pulumi stack output --json` or a file with its answer -> `Outputs`.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from deftunes_contract.errors import RetryableError, UsageError


class OutputModel(BaseModel):
    """A part of the outputs: closed, so that one that nobody reads is refused and not forgotten."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Release(OutputModel):
    """The Helm release whose pods the stack's roles are for."""

    namespace: str
    name: str


class Images(OutputModel):
    """Where images are pushed to and pulled from."""

    registry: str
    repository: str


class Redshift(OutputModel):
    """The warehouse; one of workgroup and cluster is empty.

    `login` is the database account of dbt's role, `verify_login` that of verify's: empty where a stack is older.
    """

    host: str
    port: int
    database: str
    workgroup: str
    cluster: str
    spectrum_role: str
    admin_secret: str
    login: str
    verify_login: str = ""


class AirflowDatabase(OutputModel):
    """PostgreSQL for Airflow's metadata, and the secret with its administrator's password."""

    host: str
    port: int
    name: str
    admin_secret: str


class Networks(OutputModel):
    """CIDRs that network policies name; `data` are those of warehouse and database, `s3` those of S3 in this region.

    The last two are empty where a stack is older than they are.
    """

    vpc: str
    data: list[str]
    services: str
    s3: list[str] = []
    chat: list[str] = []


class Shop(OutputModel):
    """The sources."""

    api_url: str
    api_cidr: str
    songs_cidr: str
    songs_port: int


class Source(OutputModel):
    """The server of an added contract; `secrets` are names in Secrets Manager by kind (dsn, token …)."""

    url: str
    cidr: str
    port: int
    secrets: dict[str, str]


class SecretNames(OutputModel):
    """Names in Secrets Manager, by purpose."""

    model_config = ConfigDict(alias_generator=lambda name: name.replace("_", "-"), populate_by_name=True)

    songs_dsn: str
    airflow_database_url: str
    airflow_admin_password: str
    airflow_alert_webhook: str


class Placement(OutputModel):
    """Where drivers and executors may run, as the chart's `placement` takes it."""

    driver: dict[str, Any]
    executor: dict[str, Any]


class Outputs(OutputModel):
    """All that a stack tells."""

    environment: Literal["dev", "staging", "prod"]
    region: str
    release: Release
    cluster_name: str
    placement: Placement
    manifests: dict[str, Any]
    images: Images
    lake_url: str
    logs_url: str
    glue_database: str
    redshift: Redshift
    airflow_database: AirflowDatabase
    networks: Networks
    shop: Shop
    secrets: SecretNames
    sources: dict[str, Source] = {}


def read_outputs(source: str, text: str) -> Outputs:
    """Outputs from `pulumi stack output --json`. Raises UsageError that names what is missing or unknown."""
    try:
        return Outputs.model_validate(json.loads(text))
    except json.JSONDecodeError as error:
        raise UsageError(f"{source}: expected the JSON of `pulumi stack output --json`, found {error}") from None
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))
        raise UsageError(
            f"{source}: expected the outputs of infra_pulumi as this version knows them, found {faults}; run `pulumi "
            "up` and `deftunes values` from the same checkout"
        ) from None


def outputs_of(stack: str, program: Path) -> Outputs:
    """Ask Pulumi for a stack's outputs. Raises UsageError (no pulumi, no such stack), RetryableError (interrupted)."""
    command = ["pulumi", "stack", "output", "--json", "--non-interactive", "--cwd", str(program), "--stack", stack]
    if not (program / "Pulumi.yaml").is_file():
        raise UsageError(f"expected the Pulumi program in {program.absolute()}, found none; say --program FOLDER")
    try:
        # its questions and warnings are for the person, its answer is for us
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    except FileNotFoundError:
        raise UsageError(
            "expected the command pulumi on PATH, found none; install it (https://www.pulumi.com/docs/install), or "
            "give the outputs by --outputs FILE"
        ) from None
    except KeyboardInterrupt:
        raise RetryableError("interrupted; nothing was written") from None
    if done.returncode:
        raise UsageError(f"pulumi could not tell the outputs of stack {stack} (exit code {done.returncode}, see above)")
    return read_outputs(f"stack {stack}", done.stdout)
