"""A small published platform made without Spark and dbt: landing files and receipts, Iceberg tables, a serving file.

What the stages would have written, written by hand, so that tests can spoil any one hop of it.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import (
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    IntegerType,
    NestedField,
    StringType,
    TimestampType,
)

from deftunes_cli.workspace import Workspace
from deftunes_contract import layout
from deftunes_contract.entity import Severity
from deftunes_contract.gate import GateResult, RuleResult, write_gate_result
from deftunes_contract.interval import Interval
from deftunes_contract.load_metrics import LoadMetrics
from deftunes_contract.object_store import LocalStore
from deftunes_contract.receipt import LandedObject, Receipt
from deftunes_contract.registry import load
from deftunes_contract.settings import LakeSettings

JANUARY = Interval(date(2020, 1, 1), date(2020, 2, 1))
FEBRUARY = Interval(date(2020, 2, 1), date(2020, 3, 1))
NASTY = 'Zoë "<script>alert(1)</script>" & \u0007 O\'Neil'
"""A name that breaks pages which do not escape."""

_TYPES = {
    "string": StringType(),
    "int": IntegerType(),
    "double": DoubleType(),
    "boolean": BooleanType(),
    "date": DateType(),
    "timestamp": TimestampType(),
    "decimal(10,2)": DecimalType(10, 2),
    "decimal(38,2)": DecimalType(38, 2),
}

Row = dict[str, Any]


def uuid(kind: int, number: int) -> str:
    return f"{kind:08x}-0000-4000-8000-{number:012x}"


@dataclass
class Month:
    """What one month of one entity is made of: landed lines, rows of the table, rows of quarantine."""

    lines: list[str]
    rows: list[Row]
    quarantined: list[Row] = field(default_factory=list)
    units: int = 0
    amount: Decimal | None = None


@dataclass
class Platform:
    """A home with a lake and a serving file, and the handles to spoil them."""

    home: Workspace
    settings: LakeSettings
    catalog: SqlCatalog
    months: dict[tuple[str, date], Month] = field(default_factory=dict)

    @property
    def serving(self) -> Path:
        return self.home.serving

    @property
    def store(self) -> LocalStore:
        return LocalStore(Path(self.settings.lake))

    def table(self, name: str) -> Table:
        identifier = f"{self.settings.database}.{name}"
        if self.catalog.table_exists(identifier):
            return self.catalog.load_table(identifier)
        contract = load(name)
        fields = [
            NestedField(number, column.name, _TYPES[column.type], required=column.required)
            for number, column in enumerate(contract.columns, start=1)
        ]
        spec = PartitionSpec(
            *(
                PartitionField(f.field_id, 1000 + n, IdentityTransform(), f.name)
                for n, f in enumerate(g for g in fields if g.name in contract.partition)
            )
        )
        self.catalog.create_namespace_if_not_exists(self.settings.database)
        return self.catalog.create_table(identifier, Schema(*fields), partition_spec=spec)

    def append(self, name: str, rows: list[Row], properties: dict[str, str] | None = None) -> Table:
        table = self.table(name)
        columns = [column.name for column in load(name).columns]
        whole = [{column: row.get(column) for column in columns} for row in rows]
        table.append(pa.Table.from_pylist(whole, table.schema().as_arrow()), snapshot_properties=properties or {})
        return table

    def land(self, entity: str, interval: Interval, month: Month, run_id: str = "first", **more: Any) -> Receipt:
        """Write the objects and the receipt of a delivery."""
        contract = load(entity)
        content = gzip.compress("".join(f"{line}\n" for line in month.lines).encode(), mtime=0)
        sha256 = hashlib.sha256(content).hexdigest()
        name = f"part-00000-{sha256[:16]}.{'jsonl' if contract.landing_format == 'jsonl' else 'copy'}.gz"
        self.store.write(f"{layout.landing_path(contract.landing_folder, interval.ingest_on)}/{name}", content)
        listed = LandedObject(name=name, bytes=len(content), sha256=sha256, records=len(month.lines))
        receipt = Receipt(
            entity=entity, start=interval.start, end=interval.end, contract_version=contract.version, run_id=run_id,
            source="synthetic", format=contract.landing_format, objects=(listed,), records=len(month.lines),
            units=month.units, amount=month.amount, min_time=None, max_time=None, **more,
            landed_at=datetime.combine(interval.end, datetime.min.time(), UTC) + timedelta(hours=1),
        )  # fmt: skip
        self.store.write(layout.receipt(contract.landing_folder, interval.ingest_on), receipt.to_json())
        return receipt

    def publish(self, entity: str, interval: Interval, month: Month, receipt: Receipt, run_id: str = "first") -> None:
        """Put rows on main with the summary and the tag that the stages leave, and the gate's result."""
        has_money = load(entity).amount is not None
        money = (
            (lambda rows, name: sum((r[name] or 0 for r in rows), Decimal("0.00"))) if has_money else (lambda *_: None)
        )
        summary = LoadMetrics(
            entity=entity, ingest_on=interval.ingest_on, run_id=run_id, contract_version="1.0.0",
            receipt=receipt.digest, landed_records=receipt.records, landed_units=receipt.units,
            landed_amount=receipt.amount, rows=len(month.rows), amount=money(month.rows, "price"),
            quarantined_units=sum(r["units"] for r in month.quarantined),
            quarantined_amount=money(month.quarantined, "amount"), partial=receipt.partial,
        )  # fmt: skip
        if month.quarantined:
            self.append("quarantine", [{**row, "run_id": run_id} for row in month.quarantined])
        table = self.append(entity, month.rows, summary.to_properties())
        head = table.current_snapshot()
        assert head is not None
        table.manage_snapshots().create_tag(head.snapshot_id, layout.interval_tag(interval.ingest_on)).commit()
        write_gate_result(self.store, _gate(entity, interval, run_id, head.snapshot_id, bool(month.quarantined)))
        self.months[entity, interval.ingest_on] = month

    def serve(self) -> None:
        """Build the serving file from what is on main."""
        self.serving.parent.mkdir(parents=True, exist_ok=True)
        self.serving.unlink(missing_ok=True)
        with duckdb.connect(str(self.serving)) as connection:
            for name in ("users", "sessions", "songs"):
                connection.register(name, self.table(name).scan().to_arrow())
            connection.execute(_SERVING)

    def sabotage(self, sql: str) -> None:
        """Change the serving file."""
        with duckdb.connect(str(self.serving)) as connection:
            connection.execute(sql)


def quarantined(entity: str, interval: Interval, raw: str, rule: str, units: int, **more: Any) -> Row:
    return {
        "entity": entity, "ingest_on": interval.ingest_on, "rule": rule, "reason": rule, "units": units,
        "amount": None, "item_no": None, "raw_record": raw,
        "record_hash": hashlib.sha256(raw.encode()).hexdigest(),
        "processing_timestamp": datetime(2020, 3, 1, 5), **more,
    }  # fmt: skip


def users_month(interval: Interval, names: Iterable[str], first: int) -> Month:
    month = Month([], [])
    for number, name in enumerate(names, start=first):
        since = datetime.combine(interval.start, datetime.min.time()) + timedelta(days=number, microseconds=number)
        record = {
            "user_id": uuid(1, number), "user_name": name, "user_lastname": f"Last{number}",
            "user_location": ["48.85", "2.35", "Paris", ("FR", "DE", "US")[number % 3], "Europe/Paris"],
            "user_since": since.isoformat(),
        }  # fmt: skip
        month.lines.append(json.dumps(record))
        month.rows.append({
            **{k: record[k] for k in ("user_id", "user_name", "user_lastname")}, "user_since": since,
            "ingest_on": interval.ingest_on, "latitude": 48.85, "longitude": 2.35, "place_name": "Paris",
            "country_code": record["user_location"][3], "timezone": "Europe/Paris",
            "processing_timestamp": datetime(2020, 3, 1, 5),
        })  # fmt: skip
    bad = json.dumps({"user_id": uuid(1, 900), "user_name": None, "user_lastname": "Secretlastname"})
    month.lines.append(bad)
    month.quarantined.append(quarantined("users", interval, bad, "user_name_complete", 1))
    month.units = len(month.lines)
    return month


def songs_month(interval: Interval, count: int) -> Month:
    month = Month([], [])
    for n in range(count):
        row = {
            "track_id": f"TR{n:016X}", "title": f"Title {n}, a \"song\"", "song_id": f"SO{n:016X}",
            "release": "Release", "artist_id": f"AR{n % 4:016X}", "artist_mbid": None,
            "artist_name": NASTY if n % 4 == 0 else f"Artist {n % 4}", "duration": 200.5 + n,
            "artist_familiarity": 0.1 * n, "artist_hotttnesss": 0.2, "year": 0, "track_7digitalid": -1,
            "shs_perf": -1, "shs_work": 0,
        }  # fmt: skip
        month.lines.append("\t".join(r"\N" if v is None else str(v).replace("\t", " ") for v in row.values()))
        month.rows.append({
            **row, "ingest_on": interval.ingest_on, "source_from": "postgres_rds",
            "processing_timestamp": datetime(2020, 3, 1, 5),
        })  # fmt: skip
    month.units = count
    return month


def sessions_month(interval: Interval, first: int, count: int) -> Month:
    """Sessions of two items; the last one has an item for 9.99 in quarantine, and one line is no JSON."""
    month = Month([], [])
    for number in range(first, first + count):
        start = datetime.combine(interval.start, datetime.min.time()) + timedelta(days=number % 28, seconds=number)
        head = {"user_id": uuid(1, number % 3), "session_id": uuid(2, number)}
        tail = {"user_agent": "Mozilla/5.0 (secret)", "session_start_time": start.isoformat()}
        items = [
            {
                "song_id": f"TR{n:016X}", "song_name": f"Title {n}", "artist_id": f"AR{n % 4:016X}",
                "artist_name": f"Artist {n % 4}", "price": 0.33 + 0.1 * n, "currency": "USD", "liked": n % 2 == 0,
                "liked_since": None,
            }
            for n in (number % 8, (number + 3) % 8)
        ]  # fmt: skip
        for item in items:
            item["price"] = round(item["price"], 2)
        if number == first:
            items[1]["price"] = 9.99
        raw = json.dumps({**head, "session_items": items, **tail})
        month.lines.append(raw)
        for item_no, item in enumerate(items):
            price = Decimal(str(item["price"]))
            if price > 2:
                month.quarantined.append(
                    quarantined("sessions", interval, raw, "price_max", 1, amount=price, item_no=item_no)
                )
                continue
            month.rows.append({
                **head, **item, "price": price, "user_agent": tail["user_agent"], "session_start_time": start,
                "ingest_on": interval.ingest_on, "item_no": item_no, "processing_timestamp": datetime(2020, 3, 1, 5),
            })  # fmt: skip
    torn = '{"user_id": "Secretlastname", "session_items": [{'
    month.lines.append(torn)
    month.quarantined.append(quarantined("sessions", interval, torn, "sessions_conform", 1, amount=Decimal("0.00")))
    month.units = len(month.rows) + len(month.quarantined)
    money = [row["price"] for row in month.rows] + [row["amount"] for row in month.quarantined]
    month.amount = sum(money, Decimal("0.00"))
    return month


def _gate(entity: str, interval: Interval, run_id: str, snapshot_id: int, warned: bool) -> GateResult:
    rules = [
        RuleResult(
            id=rule.id, kind=rule.kind, severity=rule.severity, passed=True, observed=0.0, expected="0 rows",
            description=rule.description,
        )
        for rule in load(entity).rules
    ]  # fmt: skip
    if warned:
        index = next(n for n, rule in enumerate(rules) if rule.severity is Severity.WARN)
        rules[index] = rules[index].model_copy(
            update={"passed": False, "observed": 0.4, "failing_count": 3, "examples": ("<i>12</i>\u0007",)}
        )
    return GateResult(
        entity=entity, ingest_on=interval.ingest_on, run_id=run_id, table=f"lake.deftunes_transform.{entity}",
        snapshot_id=snapshot_id, passed=True, judged_at=datetime(2020, 3, 1, 5, tzinfo=UTC), rules=tuple(rules),
    )  # fmt: skip


def open_platform(root: Path) -> Platform:
    """The platform in a home, which is made when it is not there."""
    home = Workspace(root)
    home.lake.mkdir(parents=True, exist_ok=True)
    settings = LakeSettings(DEFTUNES_LAKE=str(home.lake))
    catalog = SqlCatalog("lake", uri=f"sqlite:///{settings.catalog_file}", warehouse=settings.warehouse)
    return Platform(home, settings, catalog)


def fill_platform(root: Path, run_id: str) -> Platform:
    """Two published months of three entities, and their serving file: everything agrees."""
    platform = open_platform(root)
    for number, interval in enumerate((JANUARY, FEBRUARY)):
        for entity, month in (
            ("users", users_month(interval, (NASTY, "Ann", "Bob") if number == 0 else ("Cy",), 10 * number)),
            ("songs", songs_month(interval, 8)),
            ("sessions", sessions_month(interval, 100 * number, 6)),
        ):
            platform.publish(entity, interval, month, platform.land(entity, interval, month, run_id), run_id)
    platform.serve()
    return platform


@pytest.fixture
def bare_platform(tmp_path: Path) -> Platform:
    """A home with nothing in it but an empty catalog."""
    return open_platform(tmp_path / "bare")


@pytest.fixture(scope="session")
def _filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Platform, Path]:
    root = tmp_path_factory.mktemp("platform") / "home"
    filled = fill_platform(root, "first")
    pristine = root.with_name("pristine")
    shutil.copytree(root, pristine)
    return filled, pristine


@pytest.fixture
def platform(_filled: tuple[Platform, Path]) -> Platform:
    """The filled platform, as new for every test.

    Iceberg metadata names absolute paths, so what is copied back takes the place in which it was made.
    """
    filled, pristine = _filled
    shutil.rmtree(filled.home.root)
    shutil.copytree(pristine, filled.home.root)
    again = open_platform(filled.home.root)
    again.months.update(filled.months)
    return again


@pytest.fixture
def platform_factory(tmp_path: Path) -> Callable[[str], Platform]:
    """The same platform, made by a run of any name in a folder of its own."""
    return lambda run_id: fill_platform(tmp_path / run_id, run_id)


@pytest.fixture
def make_users() -> Callable[..., Month]:
    return users_month


@pytest.fixture
def make_sessions() -> Callable[..., Month]:
    return sessions_month


_SERVING = """
create schema deftunes_serving;
use deftunes_serving;
create table dim_users as
    select user_id, user_lastname, user_name, user_since, place_name, country_code from users
    qualify row_number() over (partition by user_id order by ingest_on desc) = 1;
create table dim_user_history as select user_id, true as is_current, country_code from dim_users;
create table dim_songs as
    select song_id, track_id, title, release, year, artist_id from songs
    where ingest_on = (select max(ingest_on) from songs);
create table dim_artists as
    select artist_id, artist_mbid, artist_name from songs
    qualify row_number() over (partition by artist_id order by ingest_on desc, track_id) = 1;
create table fact_session as
    select session_id, user_id, song_id, artist_id, price, liked, liked_since, session_start_time, item_no, ingest_on
    from sessions;
create view sales_per_artist_vw as
    select year(session_start_time)::int as session_year, artist_name, sum(price)::decimal(38, 2) as total_sales
    from deftunes_serving.fact_session left join deftunes_serving.dim_artists using (artist_id) group by all;
create view sales_per_country_vw as
    select month(session_start_time)::int as session_month, year(session_start_time)::int as session_year, country_code,
        sum(price)::decimal(38, 2) as total_sales
    from deftunes_serving.fact_session left join deftunes_serving.dim_users using (user_id) group by all;
create view sales_per_country_at_sale_vw as
    select country_code, sum(price)::decimal(38, 2) as total_sales
    from deftunes_serving.fact_session left join deftunes_serving.dim_user_history using (user_id) group by all;
create view user_activity_vw as
    select user_id, user_name, user_lastname, country_code, count(distinct session_id) as total_sessions,
        count(distinct session_start_time::date) as active_days, sum(price)::decimal(38, 2) as total_spent,
        (sum(price) / count(*))::decimal(38, 2) as avg_purchase_value,
        max(session_start_time) as last_activity_date, count(*) filter (liked) as liked_songs_count
    from deftunes_serving.fact_session left join deftunes_serving.dim_users using (user_id) group by all;
create view music_preference_vw as
    select artist_name, title as song_name, count(*) as total_purchases, count(*) filter (liked) as liked_count,
        round(100.0 * count(*) filter (liked) / count(*), 2)::decimal(5, 2) as like_percentage,
        (sum(price) / count(*))::decimal(38, 2) as avg_price, country_code,
        month(session_start_time)::int as purchase_month, year(session_start_time)::int as purchase_year
    from deftunes_serving.fact_session
    left join deftunes_serving.dim_artists using (artist_id)
    left join deftunes_serving.dim_songs on fact_session.song_id = dim_songs.track_id
    left join deftunes_serving.dim_users using (user_id)
    group by all;
"""
