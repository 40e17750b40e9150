"""Valid records to spoil, judging without a lake, and deliveries as extract makes them."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as f
from pyspark.sql import types as t

from deftunes_contract.entity import Entity
from deftunes_contract.interval import Interval
from deftunes_contract.layout import landing_path, receipt
from deftunes_contract.object_store import ObjectStore
from deftunes_contract.receipt import LandedObject, Receipt
from deftunes_contract.registry import load
from deftunes_extract.metrics import RecordMetrics
from deftunes_transform import json_parsing
from deftunes_transform.landing_reader import numbered
from deftunes_transform.rules import QuarantineRules
from deftunes_transform.run import FORMATS

JANUARY = Interval(date(2020, 1, 1), date(2020, 2, 1))
TEXT = t.StructType([t.StructField("value", t.StringType())])


def _id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012x}"


@dataclass(frozen=True)
class Samples:
    """Valid records, as their sources send them; keyword arguments change fields, `...` leaves one out."""

    interval: Interval = JANUARY

    def user(self, number: int = 1, **changes: Any) -> dict[str, Any]:
        return _changed(
            {
                "user_id": _id(number),
                "user_name": "Zoë",
                "user_lastname": 'O\'Brien "Ob"',
                "user_location": ["46.32313", "-0.45877", "Niort", "FR", "Europe/Paris"],
                "user_since": "2020-01-22T14:15:35.936090",
            },
            changes,
        )

    def item(self, number: int = 1, **changes: Any) -> dict[str, Any]:
        return _changed(
            {
                "song_id": f"TR{number:016d}",
                "song_name": "[untitled]",
                "artist_id": f"AR{number:016d}",
                "artist_name": "Björk",
                "price": 1.03,
                "currency": "USD",
                "liked": True,
                "liked_since": "2020-01-27T08:29:54.970697",
            },
            changes,
        )

    def session(self, number: int = 1, items: Any = None, **changes: Any) -> dict[str, Any]:
        return _changed(
            {
                "user_id": _id(1),
                "session_id": _id(number),
                "session_items": [self.item(1), self.item(2, price=0.99, liked=False, liked_since=None)]
                if items is None
                else items,
                "user_agent": "Mozilla/5.0",
                "session_start_time": "2020-01-10T10:00:00.000001",
            },
            changes,
        )

    def song(self, number: int = 1, **changes: Any) -> str:
        """One COPY line."""
        fields: dict[str, Any] = {
            "track_id": f"TR{number:016d}",
            "title": "Title",
            "song_id": f"SO{number:016d}",
            "release": "Release",
            "artist_id": f"AR{number:016d}",
            "artist_mbid": None,
            "artist_name": "Artist",
            "duration": "218.93179",
            "artist_familiarity": "0.58",
            "artist_hotttnesss": "0.4",
            "year": "0",
            "track_7digitalid": "-1",
            "shs_perf": "-1",
            "shs_work": "0",
        }
        assert changes.keys() <= fields.keys()
        return "\t".join("\\N" if value is None else str(value) for value in (fields | changes).values())


def _changed(record: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (record | changes).items() if value is not ...}


def line_of(record: Any) -> str:
    """A landed line: a text is one already."""
    return record if isinstance(record, str) else json.dumps(record, ensure_ascii=False)


@dataclass
class Validator:
    """Judges records without a lake."""

    spark: SparkSession

    def lines(self, records: Iterable[Any]) -> DataFrame:
        rows = [(line_of(record),) for record in records]
        return numbered(self.spark.createDataFrame(rows, TEXT))

    def frame(self, entity: str, records: Iterable[Any], interval: Interval = JANUARY) -> DataFrame:
        contract = load(entity)
        rules = QuarantineRules(contract, interval)
        validated = FORMATS[contract.landing_format](self.lines(records), contract, rules)
        return validated.withColumn("rules", f.split(rules.names_of(f.col("failed_rules")), ","))

    def validate(self, entity: str, *records: Any, interval: Interval = JANUARY) -> list[Row]:
        """Judged rows in the order of the records; `rules` are the ids of what a row breaks, [''] where nothing."""
        texts = [line_of(record) for record in records]
        assert len(set(texts)) == len(texts)
        frame = self.frame(entity, texts, interval)
        order = {row.line_hash: place for place, row in enumerate(self.lines(texts).collect())}
        rows = sorted(frame.collect(), key=lambda row: (order[row.line_hash], row.asDict().get("item_no") or 0))
        return list(rows)


@dataclass
class Landing:
    """Puts deliveries into the landing zone of a store, signed with extract's own figures."""

    store: ObjectStore
    interval: Interval = JANUARY
    figures: dict[str, Any] = field(default_factory=dict)

    def land(self, entity_name: str, /, *parts: Sequence[Any], **changes: Any) -> Receipt:
        """One object a part; changes are fields of the receipt that lie."""
        contract = load(entity_name)
        objects, texts = [], []
        for number, part in enumerate(parts):
            lines = [line_of(record) for record in part]
            texts += lines
            content = gzip.compress("".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass"), mtime=0)
            sha256 = hashlib.sha256(content).hexdigest()
            suffix = "copy.gz" if contract.landing_format == "pgcopy" else "jsonl.gz"
            name = f"part-{number:05d}-{sha256[:16]}.{suffix}"
            self.store.write(f"{self.folder(contract)}/{name}", content)
            objects.append(LandedObject(name=name, bytes=len(content), sha256=sha256, records=len(lines)))
        facts: dict[str, Any] = {
            "entity": entity_name,
            "start": self.interval.start,
            "end": self.interval.end,
            "contract_version": contract.version,
            "run_id": "r1",
            "source": "test",
            "format": contract.landing_format,
            "objects": tuple(objects),
            "landed_at": datetime(2020, 2, 1, tzinfo=UTC),
        }
        made = Receipt(**(facts | counted(contract, texts) | changes))
        self.store.write(receipt(contract.landing_folder, self.interval.ingest_on), made.to_json())
        return made

    def folder(self, contract: Entity) -> str:
        return landing_path(contract.landing_folder, self.interval.ingest_on)


def counted(contract: Entity, lines: Sequence[str]) -> dict[str, Any]:
    """Figures of these lines as extract takes them."""
    if contract.landing_format == "pgcopy":
        return {"records": len(lines), "units": len(lines), "amount": None, "min_time": None, "max_time": None}
    figures = RecordMetrics(contract)
    figures.add([line.encode("utf-8", "surrogatepass") for line in lines])
    totals = figures.totals
    names = ("records", "units", "amount", "min_time", "max_time", "warnings")
    return {name: getattr(totals, name) for name in names}


@pytest.fixture(scope="session")
def samples() -> Samples:
    return Samples()


@pytest.fixture(scope="session")
def validator(spark: SparkSession) -> Validator:
    json_parsing.prepare(spark)
    return Validator(spark)


@pytest.fixture(scope="session")
def new_landing() -> Callable[..., Landing]:
    return Landing


@pytest.fixture(scope="session")
def figures_of() -> Callable[[str, Sequence[str]], dict[str, Any]]:
    return lambda entity, lines: counted(load(entity), lines)
