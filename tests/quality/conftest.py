"""A lake for the gate: tables whose columns may all be null, so that any fault can be put onto a branch.

The real tables refuse nulls where the contract does; what the gate does when they would not is the point here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructField, StructType

from deftunes_contract.entity import Entity
from deftunes_contract.gate import GateResult, find_gate_result
from deftunes_contract.interval import Interval
from deftunes_contract.layout import branch, interval_tag
from deftunes_contract.load_metrics import LoadMetrics
from deftunes_contract.object_store import open_store
from deftunes_contract.registry import load, registry
from deftunes_lake.settings import SparkSettings
from deftunes_lake.staging import write_to_branch
from deftunes_lake.tables import spark_schema, table_name
from deftunes_quality.gate import GateContext
from deftunes_quality.interval_under_test import PublicState, StagedInterval, find_public, load_staged
from deftunes_quality.validate import validate_interval

Row = dict[str, Any]
MONTH = Interval(date(2020, 3, 1), date(2020, 4, 1))
SHOP = "http://127.0.0.1:8001"
ROWS = 40
"""Rows of a clean interval: 20 sessions of two items, 40 users, 40 songs."""


def uuid_of(number: int) -> str:
    """A lower-case UUID."""
    return f"{number:08x}-0000-4000-8000-{number:012x}"


def track_of(number: int) -> str:
    """A track id."""
    return f"TR{number:016d}"


def artist_of(number: int) -> str:
    """An artist id."""
    return f"AR{number:016d}"


def clean_rows(entity: str, interval: Interval = MONTH, count: int = ROWS) -> list[Row]:
    """Rows that break no rule; sessions refer to the users and songs of the same count."""
    start = datetime.combine(interval.start, datetime.min.time())
    spread = (datetime.combine(interval.end, datetime.min.time()) - start) / max(count, 1)
    times = {"ingest_on": interval.ingest_on, "processing_timestamp": datetime(2020, 5, 1)}
    make = {"users": _user, "sessions": _item, "songs": _song}[entity]
    return [make(number, start + spread * number) | times for number in range(count)]


def _user(number: int, moment: datetime) -> Row:
    return {
        "user_id": uuid_of(number),
        "user_lastname": f"Lastname{number}",
        "user_name": f"Firstname{number}",
        "user_since": moment,
        "latitude": 52.5,
        "longitude": 13.4,
        "place_name": "Berlin",
        "country_code": "DE",
        "timezone": "Europe/Berlin",
    }


def _item(number: int, moment: datetime) -> Row:
    return {
        "user_id": uuid_of(number // 2),
        "session_id": uuid_of((moment.year * 12 + moment.month) * 10_000 + number // 2),
        "song_id": track_of(number),
        "song_name": "A song",
        "artist_id": artist_of(number),
        "artist_name": "Somebody",
        "price": Decimal("0.99"),
        "currency": "USD",
        "liked": True,
        "liked_since": None,
        "user_agent": "Mozilla/5.0",
        "session_start_time": moment,
        "item_no": number % 2,
    }


def _song(number: int, moment: datetime) -> Row:
    return {
        "track_id": track_of(number),
        "title": "A song",
        "song_id": f"SO{number:016d}",
        "release": "An album",
        "artist_id": artist_of(number),
        "artist_mbid": None,
        "artist_name": "Somebody",
        "duration": 200.5,
        "artist_familiarity": 0.5,
        "artist_hotttnesss": 0.5,
        "year": 1999,
        "track_7digitalid": 1,
        "shs_perf": -1,
        "shs_work": 0,
        "source_from": "postgres_rds",
    }


def receipt_of(rows: Sequence[Row]) -> str:
    """Equal deliveries have equal receipts."""
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def summary_of(entity: Entity, rows: Sequence[Row], interval: Interval, run_id: str, /, **changes: Any) -> LoadMetrics:
    """What a transform says of rows that it staged, nothing quarantined."""
    amount = (
        sum((row[entity.amount] for row in rows if row[entity.amount] is not None), Decimal(0))
        if entity.amount
        else None
    )
    facts: dict[str, Any] = {
        "entity": entity.name,
        "ingest_on": interval.ingest_on,
        "run_id": run_id,
        "contract_version": entity.version,
        "receipt": receipt_of(rows),
        "landed_records": len(rows),
        "landed_units": len(rows),
        "landed_amount": amount,
        "rows": len(rows),
        "amount": amount,
        "quarantined_units": 0,
        "quarantined_amount": None if amount is None else Decimal(0),
        "source": f"{SHOP}/{entity.name}?start_date={interval.start}&end_date={interval.last_day}",
    }
    return LoadMetrics.model_validate(facts | changes)


@dataclass(frozen=True)
class Ground:
    """One database of a lake, and what the transform and publish would do in it."""

    gate: GateContext

    @property
    def spark(self) -> SparkSession:
        return self.gate.spark

    def table(self, entity: str) -> str:
        return table_name(self.gate.settings, entity)

    def create(self, **types: str) -> Ground:
        """Make the tables, every column nullable. types: `price="double"` gives a column another type everywhere."""
        self.spark.sql(f"CREATE NAMESPACE IF NOT EXISTS lake.{self.gate.settings.database}")
        for name in registry().tables:
            entity = load(name)
            columns = ", ".join(f"{c.name} {types.get(c.name, c.dataType.simpleString())}" for c in _nullable(entity))
            self.spark.sql(
                f"CREATE TABLE {self.table(name)} ({columns}) USING iceberg PARTITIONED BY "
                f"({', '.join(entity.partition)})"
            )
            # branches begin at a snapshot
            self.append(name, [])
        return self

    def clean(self, entity: str, interval: Interval = MONTH, count: int = ROWS) -> list[Row]:
        """Rows that break no rule."""
        return clean_rows(entity, interval, count)

    def refer(self) -> Ground:
        """Publish the users and songs that clean sessions refer to."""
        self.append("songs", self.clean("songs", MONTH.previous))
        self.append("users", self.clean("users", MONTH.previous))
        return self

    def previous(self, staged: StagedInterval, **figures: Any) -> StagedInterval:
        """The same, as if the month before had been published with these figures."""
        before = summary_of(staged.entity, self.clean(staged.entity.name), MONTH.previous, "before", **figures)
        return replace(staged, previous=before)

    def republished(self, staged: StagedInterval, count: int) -> StagedInterval:
        """The same, as if so many clean rows of the interval were public; they lie on a branch of their own."""
        public = self.stage(staged.entity.name, self.clean(staged.entity.name, count=count), run_id="public")
        state = PublicState(public.snapshot_id, public.snapshot_id, count, public.summary)
        return replace(staged, public=state)

    def beside(self, staged: StagedInterval, rows: Sequence[Row]) -> StagedInterval:
        """The same, as if these rows were public in the month after it; they lie on a branch of their own."""
        day = staged.interval.following.ingest_on
        moved = [row | {"ingest_on": day} for row in rows]
        public = self.stage(staged.entity.name, moved, staged.interval.following, "beside")
        state = replace(
            staged.public,
            main=public.snapshot_id,
            others={day: public.snapshot_id},
            sources=(("2020-04", public.summary.source),),
        )
        return replace(staged, public=state)

    def frame(self, entity: str, rows: Sequence[Row]) -> DataFrame:
        """Rows as a frame of the contract's columns; columns that are not given are null."""
        schema = StructType(_nullable(load(entity)))
        values = [{field.name: row.get(field.name) for field in schema} for row in rows]
        # Arrow spares a Python worker per frame, and there are many frames
        return self.spark.createDataFrame(pa.Table.from_pylist(values, to_arrow_schema(schema)), schema)

    def append(self, entity: str, rows: Sequence[Row]) -> None:
        """Rows onto main."""
        self.frame(entity, rows).writeTo(self.table(entity)).append()

    def stage_frame(self, entity: str, frame: DataFrame, run_id: str = "r1") -> None:
        """A clean interval as a frame of any columns."""
        summary = summary_of(load(entity), self.clean(entity), MONTH, run_id)
        day = MONTH.ingest_on
        write_to_branch(self.spark, self.table(entity), branch(run_id, day), frame, day, summary)

    def stage(
        self, entity: str, rows: Sequence[Row], interval: Interval = MONTH, run_id: str = "r1", **changes: Any
    ) -> StagedInterval:
        """Rows onto the run's branch. changes: figures of the summary that differ from what is staged."""
        summary = summary_of(load(entity), rows, interval, run_id, **changes)
        name = branch(run_id, interval.ingest_on)
        write_to_branch(self.spark, self.table(entity), name, self.frame(entity, rows), interval.ingest_on, summary)
        return self.find(entity, interval, run_id)

    def find(self, entity: str, interval: Interval = MONTH, run_id: str = "r1") -> StagedInterval:
        return load_staged(self.spark, self.table(entity), load(entity), interval, run_id)

    def find_public(self, entity: str, interval: Interval) -> PublicState:
        return find_public(self.spark, self.table(entity), interval)

    def publish(self, entity: str, rows: Sequence[Row], interval: Interval, **changes: Any) -> None:
        """An interval as publish leaves it: on main, with the transform's summary and a tag."""
        table, day = self.table(entity), interval.ingest_on
        writer = self.frame(entity, rows).writeTo(table)
        for key, value in summary_of(load(entity), rows, interval, "before", **changes).to_properties().items():
            writer = writer.option(f"snapshot-property.{key}", value)
        writer.append()
        self.spark.sql(f"ALTER TABLE {table} CREATE OR REPLACE TAG {interval_tag(day)}")

    def quarantine(self, entity: str, count: int, run_id: str = "r1", rule: str = "price_max", **changes: Any) -> None:
        """Refused rows of one rule."""
        row = {
            "entity": entity,
            "ingest_on": MONTH.ingest_on,
            "run_id": run_id,
            "rule": rule,
            "reason": rule,
            "units": 1,
            "amount": Decimal("3.50") if load(entity).amount else None,
            "item_no": 0,
            "raw_record": json.dumps({"user_id": uuid_of(7), "user_name": "Anna Karenina", "price": 3.5}),
            "record_hash": "0" * 64,
            "processing_timestamp": datetime(2020, 5, 1),
        }
        self.append("quarantine", [row | changes] * count)

    def validate(self, staged: StagedInterval) -> GateResult:
        return validate_interval(self.gate, staged)

    def validate_rule(self, staged: StagedInterval, rule_id: str) -> GateResult:
        """Judge by a contract that has this one rule only, so that no other rule can close the gate."""
        only = replace(staged.entity, rules=(staged.entity.rule(rule_id),))
        return self.validate(replace(staged, entity=only))

    def result(self, entity: str, run_id: str = "r1") -> GateResult:
        found = find_gate_result(self.gate.store, entity, MONTH.ingest_on, run_id)
        assert found is not None
        return found

    def snapshots(self) -> Mapping[str, list[Any]]:
        """Every snapshot and ref of every table."""
        return {
            name: [
                self.spark.sql(f"SELECT snapshot_id FROM {self.table(name)}.snapshots ORDER BY 1").collect(),
                self.spark.sql(f"SELECT name, snapshot_id FROM {self.table(name)}.refs ORDER BY 1").collect(),
            ]
            for name in ("users", "sessions", "songs", "quarantine")
        }


def _nullable(entity: Entity) -> list[StructField]:
    return [StructField(field.name, field.dataType, True) for field in spark_schema(entity.columns)]


def ground_in(spark: SparkSession, settings: SparkSettings, database: str) -> Ground:
    """A fresh database on the shared lake."""
    own = settings.model_copy(update={"database": database})
    return Ground(GateContext(spark, own, open_store(f"{own.lake}/{database}")))


@pytest.fixture(scope="module")
def ground(request: pytest.FixtureRequest, spark: SparkSession, spark_settings: SparkSettings) -> Ground:
    """One database per test module, nothing published."""
    return ground_in(spark, spark_settings, f"quality_{request.module.__name__.rsplit('.', 1)[-1]}").create()


@pytest.fixture
def lone_ground(request: pytest.FixtureRequest, spark: SparkSession, spark_settings: SparkSettings) -> Ground:
    """One database for one test, without tables."""
    name = "".join(letter if letter.isalnum() else "_" for letter in request.node.name.lower())
    return ground_in(spark, spark_settings, f"q_{name}"[:80])
