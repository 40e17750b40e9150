"""What a stack costs a month: its settings, an assumed use and list prices, as lines to be added up."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from deftunes_cloud.secrets import WANTED
from deftunes_cloud.settings import Settings

HOURS = 730
"""Of a month."""

KEYS = 6
"""Keys of KMS: lake, warehouse, cluster, database, registry, alarms."""

# compressed layers of all images for two platforms, docs/performance.md; a later release changes about a tenth
_IMAGES_GB = 2 * (0.114 + 0.676 + 0.676 + 0.842 + 0.278 + 0.217)
_CHANGED = 0.1


@dataclass(frozen=True)
class Price:
    """A row of prices.csv. `read_on` is empty where nobody has looked."""

    key: str
    service: str
    unit: str
    usd: float
    region: str
    read_on: date | None
    confidence: str
    source: str


@dataclass(frozen=True)
class Use:
    """What a month is assumed to need above what stands there anyway."""

    # machine-hours above `min`
    executor_hours: float
    driver_hours: float
    rpu_hours: float
    lake_gb: float
    warehouse_gb: float
    logs_gb: float
    nat_gb: float
    cross_zone_gb: float
    writes_thousand: float
    reads_thousand: float
    scanned_tb: float = 0.1


@dataclass(frozen=True)
class Line:
    """One line of the bill."""

    what: str
    quantity: float
    unit: str
    price: float

    @property
    def total(self) -> float:
        """US dollars a month."""
        return self.quantity * self.price


def read_prices(path: Path) -> dict[str, Price]:
    """All prices by key. Raises ValueError for a key that stands there twice."""
    prices: dict[str, Price] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["key"] in prices:
                raise ValueError(f"{path.name}: {row['key']} stands there twice")
            prices[row["key"]] = Price(
                **{name: row[name] for name in ("key", "service", "unit", "region", "confidence", "source")},
                usd=float(row["usd"]),
                read_on=date.fromisoformat(row["read_on"]) if row["read_on"] else None,
            )
    return prices


def lines(settings: Settings, use: Use, prices: Mapping[str, Price]) -> list[Line]:
    """The month's bill. Raises LookupError that names a missing price."""
    bill = _Bill(prices)
    _cluster(settings, use, bill)
    _network(settings, use, bill)
    _warehouse(settings, use, bill)
    _database(settings, bill)
    bill.add("s3.standard", use.lake_gb)
    bill.add("s3.write", use.writes_thousand)
    bill.add("s3.read", use.reads_thousand)
    bill.add("ecr.storage", _IMAGES_GB * (1 + _CHANGED * (settings.registry.keep_images - 1)))
    bill.add("logs.ingest", use.logs_gb)
    # all logs are kept as long as the control plane's, which are most of them
    bill.add("logs.keep", use.logs_gb * max(1, math.ceil(settings.cluster.log_days / 30)))
    bill.add("cloudwatch.alarm", _gateways(settings) + 5)
    bill.add("kms.key", KEYS)
    # AWS keeps the administrators' passwords of database and warehouse there too
    bill.add("secrets.secret", len(WANTED) + 2)
    return bill.lines


def at_limits(settings: Settings, use: Use) -> Use:
    """The same, with every machine that is allowed all month, and the warehouse at its limit."""
    cluster = settings.cluster
    return replace(
        use,
        executor_hours=(cluster.executors.max - cluster.executors.min) * HOURS,
        driver_hours=(cluster.drivers.max - cluster.drivers.min) * HOURS,
        rpu_hours=settings.warehouse.limit_rpu_hours,
    )


class _Bill:
    def __init__(self, prices: Mapping[str, Price]) -> None:
        self._prices = prices
        self.lines: list[Line] = []

    def price(self, key: str) -> Price:
        if key not in self._prices:
            raise LookupError(f"prices.csv has no {key}: add its row, with the day and the page you read it on")
        return self._prices[key]

    def add(self, key: str, quantity: float, *, share: float = 1, what: str = "") -> None:
        """A line, unless there is nothing of it. `share` is of the list price."""
        price = self.price(key)
        if quantity:
            self.lines.append(Line(what or price.service, quantity, price.unit, price.usd * share))


def _cluster(settings: Settings, use: Use, bill: _Bill) -> None:
    drivers, executors = settings.cluster.drivers, settings.cluster.executors
    of_drivers = drivers.min * HOURS + use.driver_hours
    of_executors = executors.min * HOURS + use.executor_hours
    driver, executor = f"ec2.{drivers.instance_types[0]}", f"ec2.{executors.instance_types[0]}"
    bill.add("eks.cluster", HOURS)
    bill.add(driver, of_drivers, what=f"drivers and Airflow, {drivers.instance_types[0]} on demand")
    spot = bill.price("ec2.spot-share").usd
    bill.add(executor, of_executors, share=spot, what=f"executors, {executors.instance_types[0]} spot")
    if settings.cluster.nodes == "auto":
        fee = bill.price("eks.auto-share").usd
        bill.add(driver, of_drivers, share=fee, what="Auto Mode, drivers")
        # of the on-demand price, also for spot
        bill.add(executor, of_executors, share=fee, what="Auto Mode, executors")
    disks = (of_drivers * drivers.disk_gb + of_executors * executors.disk_gb) / HOURS
    bill.add("ebs.gp3", disks, what="disks of the machines")


def _gateways(settings: Settings) -> int:
    return {"none": 0, "single": 1, "per-zone": 3}[settings.network.nat]


def _network(settings: Settings, use: Use, bill: _Bill) -> None:
    gateways = _gateways(settings)
    bill.add("vpc.nat", gateways * HOURS)
    bill.add("vpc.address", gateways * HOURS)
    bill.add("vpc.nat-gb", use.nat_gb if gateways else 0)
    bill.add("vpc.endpoint", len(set(settings.network.endpoints)) * settings.network.endpoint_zones * HOURS)
    # what they carry is small beside their hours: names, credentials and logs; images' layers come by S3
    bill.add("vpc.endpoint-gb", use.logs_gb)
    bill.add("vpc.cross-zone-gb", use.cross_zone_gb)


def _warehouse(settings: Settings, use: Use, bill: _Bill) -> None:
    warehouse = settings.warehouse
    if warehouse.kind == "serverless":
        bill.add("redshift.rpu", min(use.rpu_hours, warehouse.limit_rpu_hours))
    else:
        bill.add(f"redshift.{warehouse.node_type}", warehouse.nodes * HOURS)
        bill.add("redshift.spectrum", use.scanned_tb)
    bill.add("redshift.storage", use.warehouse_gb)


def _database(settings: Settings, bill: _Bill) -> None:
    database = settings.database
    twice = 2 if database.multi_az else 1
    note = ", in two zones" if database.multi_az else ""
    bill.add(
        f"rds.{database.instance_class}",
        HOURS,
        share=twice,
        what=f"Airflow's database, {database.instance_class}{note}",
    )
    bill.add("rds.gp3", database.storage_gb, share=twice, what="its storage")
