"""Feeds and tolerances of a team's own on the cluster: values alone, no image is built again."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import boto3
import duckdb
from test_redshift import CLOUD, forwarded
from walk import REPOSITORY, Shell, blocks

EXAMPLE = REPOSITORY / "examples" / "second-product"
OVERLAY = """\
kind: ContractOverlay
entity: sessions
description: The small shop sells in euros too, and one price in ten is typed wrong.
rules:
  currency_known: {validValues: {add: [EUR]}}
  sessions_quarantine_share: {max: 0.5}
"""
FAULTS = [
    'sessions:replace:0.3:field=session_items.currency,value="EUR"',
    "sessions:replace:0.1:field=session_items.price,value=3",
]
MARCH = "--start 2020-03-01 --end 2020-04-01 --run-id small-shop --namespace deftunes"


def _misbehave(shell: Shell) -> None:
    body = json.dumps(FAULTS)
    code = (
        "from urllib.request import *; urlopen(Request('http://127.0.0.1:8000/_faults', method='PUT', "
        f"data={body.encode()!r}, headers={{'Content-Type': 'application/json'}}))"
    )
    command = ["kubectl", "exec", "--namespace", "deftunes", "deploy/deftunes-shop", "--", "python", "-c", code]
    subprocess.run(command, env=shell.environment, check=True, timeout=60)


def _of_the_lake(shell: Shell, folder: Path, monkeypatch: Any) -> tuple[Path, dict[str, Any]]:
    """The serving file and March's gate result of sessions, fetched from the cluster's S3."""
    for name, value in CLOUD.items():
        monkeypatch.setenv(name, value)
    served = folder / "served.duckdb"
    with forwarded(shell):
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.download_file("lake", "serving.duckdb", str(served))
        key = "quality/sessions/ingest_on=2020-04-01/run=small-shop/result.json"
        result: dict[str, Any] = json.loads(s3.get_object(Bucket="lake", Key=key)["Body"].read())
    return served, result


def test_feeds_and_an_overlay_come_by_values(walked: Shell, tmp_path: Path, monkeypatch: Any) -> None:
    shell, overlay = walked, tmp_path / "small-shop.yaml"
    overlay.write_text(OVERLAY)
    _misbehave(shell)
    shell.run(f"deftunes job run extract sessions {MARCH}")
    shell.run(f"deftunes job run transform sessions {MARCH}")
    assert shell.code(f"deftunes job run quality sessions {MARCH}") == 65

    shell.script(blocks((EXAMPLE / "README.md").read_text(encoding="utf-8")), seconds=900)
    shell.run(
        "helm upgrade deftunes charts/deftunes --namespace deftunes --reuse-values --wait --timeout 5m "
        rf"--set-file 'contracts.files.small-shop\.yaml={overlay}'"
    )
    for stage in ("transform", "quality"):
        shell.run(f"deftunes job run {stage} sessions {MARCH}")

    served, gate = _of_the_lake(shell, tmp_path, monkeypatch)
    assert gate["passed"]
    assert Path(gate["overlay"]).name == "small-shop.yaml"
    with duckdb.connect(str(served), read_only=True) as connection:
        sales = "select sum(price) from deftunes_serving.fact_session where ingest_on = '2020-02-01'"
        income = "select paid, refunds from deftunes_serving.income_per_month_vw where month_end = '2020-02-01'"
        paid, refunds = connection.execute(income).fetchall()[0]
        assert connection.execute(sales).fetchall() == [(paid,)]  # every session is paid once
    assert refunds > 0
