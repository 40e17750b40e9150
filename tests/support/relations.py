"""Relations of a real PostgreSQL, read by the options of a contract and landed as the stage does it."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Sequence
from typing import Any

import psycopg
from contract_texts import parsed
from pg_reader import JANUARY, reader
from structlog.testing import capture_logs

from deftunes_contract.allowances import NONE_ALLOWED, Allowances
from deftunes_contract.entity import Entity
from deftunes_contract.interval import Interval
from deftunes_contract.object_store import LocalStore, ObjectStore
from deftunes_contract.receipt import Receipt
from deftunes_contract.retry import Deadline, RetryPolicy
from deftunes_contract.settings import from_environment
from deftunes_contract.stage_cli import run_stage
from deftunes_extract.delivery import ExtractRequest, land
from deftunes_extract.settings import ExtractSettings
from deftunes_extract.source import SourceError

COLUMNS = {
    "refund_id": "string",
    "payment_id": "string",
    "amount": "decimal(10,2)",
    "refunded_at": "timestamp",
    "updated_at": "timestamp",
}
_LOGICAL = {"string": "string", "timestamp": "timestamp", "boolean": "boolean", "date": "date"}
_HEAD = """\
apiVersion: v3.1.0
kind: DataContract
id: books.refunds
name: Refunds
version: 1.0.0
status: active
servers:
  - {server: books, type: postgres}
schema:
"""


_TAIL = """\
      - {name: ingest_on, logicalType: date, physicalType: date, required: true, partitioned: true}
      - {name: processing_timestamp, logicalType: timestamp, physicalType: timestamp, required: true, tags: [audit]}
    quality:
      - {id: once, type: library, metric: duplicateValues, severity: quarantine, mustBe: 0,
         arguments: {columns: [refund_id]}}
      - {id: form, type: custom, engine: deftunes, implementation: {kind: conform}, severity: quarantine}
      - {id: arrived, type: custom, engine: deftunes, implementation: {kind: arrived, minRows: 1}, severity: fail}
      - {id: all, type: custom, engine: deftunes, implementation: {kind: reconcile}, severity: fail}
"""


def refunds(relation: dict[str, Any], columns: dict[str, str] | None = None, **facts: Any) -> Entity:
    """The contract of a flat entity `refunds` with these columns, read from a relation with these options."""

    def fields(*, table: bool) -> str:
        lines = []
        for name, kind in (columns or COLUMNS).items():
            more = ", primaryKey: true" if table and name == "refund_id" else ""
            logical = _LOGICAL.get(kind, "number")
            lines.append(f'      - {{name: {name}, logicalType: {logical}, physicalType: "{kind}"{more}}}\n')
        return "".join(lines)

    named = {"server": "books", "landingFormat": "pgcopy", "pipeline": "payments"} | facts
    named["role"] = "fact" if {"amount", "eventTime"} <= set(facts) else "reference"
    text = _HEAD
    text += "  - name: refunds\n    physicalName: refunds\n    logicalType: object\n    physicalType: table\n"
    text += f"    properties:\n{fields(table=True)}"
    text += _TAIL
    text += (
        f"  - name: refunds_record\n    logicalType: object\n    properties:\n{fields(table=False)}customProperties:\n"
    )
    for name, value in {**named, "relation": {"schema": "books", "table": "refunds", **relation}}.items():
        text += f"  - {{property: {name}, value: {json.dumps(value)}}}\n"
    entity, problems = parsed(text, "refunds.yaml")
    assert entity is not None, problems
    assert not problems, problems
    return entity


class Books:
    """The schema `books`, made anew, and extracts from it."""

    def __init__(self, dsn: str, lake: Any) -> None:
        self.dsn, self.lake = dsn, lake
        self.store: ObjectStore = LocalStore(lake.root)
        self.sql("DROP SCHEMA IF EXISTS books CASCADE", "CREATE SCHEMA books")

    def sql(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements; the rows of the last one."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def create(self, times: str = "timestamp", key: str = "primary key", name: str = "refunds") -> None:
        """The table as the contract has it, empty."""
        self.sql(
            f"CREATE TABLE books.{name} (refund_id text {key}, payment_id text NOT NULL, amount numeric(10,2), "
            f"refunded_at {times}, updated_at {times})"
        )

    def add(self, refund: str, at: str, updated: str = "", amount: str = "1.50") -> None:
        """One refund."""
        changed = updated or at
        self.sql(f"INSERT INTO books.refunds VALUES ('{refund}', 'p', {amount}, '{at}', '{changed}')")

    def extract(
        self,
        entity: Entity,
        interval: Interval = JANUARY,
        attempts: int = 3,
        source: Any = None,
        dsn: str = "",
        allow: Allowances = NONE_ALLOWED,
    ) -> Any:
        """Land an interval; exit code and sentence as those of the command."""

        def run(_: Sequence[str]) -> str:
            settings = from_environment(ExtractSettings)
            retries = RetryPolicy(attempts, (SourceError,), deadline=Deadline(60), sleep=lambda _: time.sleep(0.1))
            request = ExtractRequest(entity, interval, "manual", allow)
            found = source or reader(dsn or self.dsn, entity, interval)
            made = land(request, found, self.store, settings, retries)
            return f"delivered {made.records}; {'; '.join(made.warnings)}"

        with capture_logs() as logs:
            code = run_stage("extract", run, [])
        return code, str(logs[-1]["event"]) if logs else ""

    def receipt(self, interval: Interval = JANUARY) -> Receipt:
        """What was delivered."""
        return Receipt.model_validate_json((self.folder(interval) / "_receipt.json").read_bytes())

    def rows(self, interval: Interval = JANUARY) -> list[list[str]]:
        """Fields of the landed rows, sorted."""
        objects = (self.folder(interval) / o.name for o in self.receipt(interval).objects)
        text = b"".join(gzip.decompress(path.read_bytes()) for path in objects)
        return sorted(line.split("\t") for line in text.decode().splitlines())

    def folder(self, interval: Interval = JANUARY) -> Any:
        return self.lake.root / "landing_zone/books/refunds" / f"ingest_on={interval.ingest_on}"
