"""The dbt image on Redshift: its pod builds in a stand-in before the cluster, and both targets show the same rows.

What the stand-in cannot show: tests/support/redshift_standin/README.md.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import duckdb
import pytest
from redshift_standin import RedshiftStandin, standin
from redshift_standin.external import fill
from walk import Shell

from deftunes_contract.settings import LakeSettings

PORT = 15002
CLOUD = {
    "AWS_ENDPOINT_URL": f"http://127.0.0.1:{PORT}",
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "evaluation",
    "AWS_SECRET_ACCESS_KEY": "evaluation",
}


@contextmanager
def forwarded(shell: Shell) -> Iterator[None]:
    """The evaluation's cloud on this machine, for the time of a block."""
    command = ["kubectl", "port-forward", "service/deftunes-cloud", f"{PORT}:5000", "--namespace", "deftunes"]
    running = subprocess.Popen(command, env=shell.environment, stdout=subprocess.DEVNULL)

    def answers() -> bool:
        try:
            socket.create_connection(("127.0.0.1", PORT)).close()
        except OSError:
            return False
        return True

    try:
        shell.until("a forwarded port", answers, 60)
        yield
    finally:
        running.terminate()
        running.wait(30)


def build(shell: Shell, redshift: RedshiftStandin, name: str, start: str) -> str:
    """Run the chart's dbt pod against the warehouse; what it logged."""
    where = f"kubectl create job {name} --from=cronjob/deftunes-dbt --namespace deftunes --dry-run=client --output json"
    job = json.loads(shell.run(where))
    (container,) = job["spec"]["template"]["spec"]["containers"]
    container["args"] = ["build", "--start", start, "--end", "2020-03-01"]
    settings = {
        "DEFTUNES_DBT_TARGET": "redshift",
        "REDSHIFT_HOST": redshift.host,
        "REDSHIFT_PORT": str(redshift.port),
        "REDSHIFT_USER": redshift.user,
        "REDSHIFT_PASSWORD": redshift.password,
        "REDSHIFT_SSLMODE": "disable",
        "REDSHIFT_READERS": "group:readers",
    }
    container["env"] = [*container.get("env", ()), *({"name": n, "value": v} for n, v in settings.items())]
    file = shell.folder / f"{name}.json"
    file.write_text(json.dumps(job), encoding="utf-8")
    shell.run(f"kubectl create --namespace deftunes --filename {file}")
    done = shell.code(f"kubectl wait job/{name} --for=condition=complete --timeout=240s --namespace deftunes")
    log = shell.try_(f"kubectl logs job/{name} --namespace deftunes")
    assert done == 0, log
    return log


def shown(redshift: RedshiftStandin, relations: list[str]) -> dict[str, list[str]]:
    """Every row that readers of the warehouse see."""
    with redshift.direct() as connection:
        return {
            name: sorted(str(row) for row in connection.execute(f"SELECT * FROM deftunes_serving.{name}").fetchall())
            for name in relations
        }


def served(folder: Path) -> dict[str, list[str]]:
    """Every row of the serving file that the cluster's own dbt pod built."""
    file = folder / "served.duckdb"
    boto3.client("s3", region_name="us-east-1").download_file("lake", "serving.duckdb", str(file))
    with duckdb.connect(str(file), read_only=True) as connection:
        names = connection.execute("SELECT table_name FROM information_schema.tables ORDER BY 1").fetchall()
        return {
            name: sorted(str(row) for row in connection.execute(f"SELECT * FROM deftunes_serving.{name}").fetchall())
            for (name,) in names
            if name != "restatement"  # when and in how many steps each side was loaded differs
        }


@pytest.mark.skipif("E2E_CONTEXT" in os.environ, reason="the stand-in is on this machine, which is no node of yours")
def test_the_dbt_pod_builds_the_warehouse_as_it_builds_the_file(
    walked: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in CLOUD.items():
        monkeypatch.setenv(name, value)
    nodes: Any = walked.get("nodes")["items"]
    (address,) = {a["address"] for node in nodes for a in node["status"]["addresses"] if a["type"] == "InternalIP"}
    with standin(tmp_path, host=address) as redshift, forwarded(walked):
        fill(redshift, LakeSettings(lake="s3://lake"))
        expected = served(tmp_path)
        log = build(walked, redshift, "redshift-whole", "2020-01-01")
        assert "built " in log
        assert redshift.password not in log
        assert shown(redshift, list(expected)) == expected
        # a month again: other pods, the same state
        build(walked, redshift, "redshift-february", "2020-02-01")
        assert shown(redshift, list(expected)) == expected
