"""What is published and what the last run did, read from metadata and files: no Spark, no data file opened."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.table import Table

from deftunes_cli.run_record import RunRecord, last_record
from deftunes_cli.terminal import in_markup, plain
from deftunes_cli.workspace import Workspace
from deftunes_contract.interval import Interval
from deftunes_contract.layout import RECEIPT
from deftunes_contract.object_store import ObjectStore, open_store
from deftunes_contract.provisional import advice, utc_now
from deftunes_contract.receipt import Receipt, find_receipt
from deftunes_contract.redaction import redact
from deftunes_contract.registry import load, registry
from deftunes_contract.settings import LakeSettings
from deftunes_serving.reader import NotBuilt, open_serving
from deftunes_serving.settings import ServingSettings
from deftunes_serving.verify.snapshots import published_intervals, read_metadata, table_locations


class IntervalStatus(BaseModel):
    """One entity and month: delivered when, published by which run, how much. Money in USD.

    provisional: what is public, or what waits where nothing is, was read before the month was over.
    """

    model_config = ConfigDict(frozen=True)

    entity: str
    month: str
    delivered_at: datetime | None
    published_by: str | None
    rows: int | None
    quarantined: int | None
    amount: Decimal | None
    waiting: bool
    """Whether what is delivered is not what is public."""
    provisional: bool = False


class Status(BaseModel):
    """The platform at a glance."""

    model_config = ConfigDict(frozen=True)

    lake: str
    serving: str | None
    last_run: RunRecord | None
    intervals: tuple[IntervalStatus, ...]

    def to_json(self) -> str:
        """For programs."""
        return redact(self.model_dump_json(indent=2))

    def render(self, console: Console) -> None:
        """For people."""
        console.print(f"lake     {in_markup(self.lake)}", highlight=False, soft_wrap=True)
        console.print(f"serving  {in_markup(self.serving or 'nothing built yet')}", highlight=False, soft_wrap=True)
        if self.last_run is None:
            console.print("no run yet; try: deftunes demo", highlight=False)
        else:
            self._render_run(self.last_run, console)
        if self.intervals:
            self._render_intervals(console)

    @staticmethod
    def _render_run(run: RunRecord, console: Console) -> None:
        ended = "still running or killed" if run.exit_code is None else f"exit code {run.exit_code}"
        console.print(f"last run {in_markup(run.run_id)} ({', '.join(run.months)}): {ended}", highlight=False)
        for step in run.steps:
            if step.exit_code:
                console.print(f"  exit {step.exit_code}: {plain(step.sentence)}", markup=False, highlight=False)

    def _render_intervals(self, console: Console) -> None:
        table = Table()
        for name in ("entity", "month", "state", "published by"):
            table.add_column(name)
        for name in ("rows", "quarantined", "USD"):
            table.add_column(name, justify="right")
        for found in self.intervals:
            state = "published" if found.published_by else "not public"
            if found.waiting:
                state = "delivery waits" if found.published_by else "delivered, not public"
            if found.provisional:
                state += ", provisional"
            numbers = ["" if n is None else f"{n:,}" for n in (found.rows, found.quarantined, found.amount)]
            table.add_row(found.entity, found.month, state, in_markup(found.published_by or ""), *numbers)
        console.print(table)
        now = utc_now()
        for month in sorted({found.month for found in self.intervals if found.provisional}):
            console.print(f"{month} is {advice(Interval.of_month(month), now)}", highlight=False, soft_wrap=True)


def status_of(home: Workspace, settings: LakeSettings, serving: ServingSettings | Path) -> Status:
    """Read the state of a platform; an empty one gives an empty status.

    serving: the settings of the target in use, or a serving file. Raises RetryableError when it does not answer.
    """
    store = open_store(settings.lake)
    locations = table_locations(settings)
    found: list[IntervalStatus] = []
    for name in registry().names:
        published = published_intervals(name, read_metadata(locations[name])) if name in locations else {}
        receipts = _receipts(store, name)
        for ingest_on in sorted({*published, *receipts}):
            receipt, public = receipts.get(ingest_on), published.get(ingest_on)
            found.append(
                IntervalStatus(
                    entity=name,
                    month=Interval.of_ingest_on(ingest_on).month,
                    delivered_at=receipt.landed_at if receipt else None,
                    published_by=public.summary.run_id if public else None,
                    rows=public.summary.rows if public else None,
                    quarantined=public.summary.quarantined_units if public else None,
                    amount=public.summary.amount if public else None,
                    waiting=receipt is not None and (public is None or not receipt.is_source_of(public.summary)),
                    provisional=(public.summary if public else receipts[ingest_on]).partial,
                )
            )
    return Status(
        lake=settings.lake,
        serving=_served(serving),
        last_run=last_record(home),
        intervals=tuple(found),
    )


def _served(serving: ServingSettings | Path) -> str | None:
    """Where the serving tables are, None while there are none."""
    try:
        with open_serving(serving) as reader:
            return reader.where if reader.relations() else None
    except NotBuilt:
        return None


def _receipts(store: ObjectStore, name: str) -> dict[date, Receipt]:
    """Deliveries of an entity by ingest_on."""
    entity = load(name)
    found: dict[date, Receipt] = {}
    for path in store.list(entity.landing_folder):
        if path.endswith(f"/{RECEIPT}"):
            ingest_on = date.fromisoformat(path.rsplit("ingest_on=", 1)[1].split("/", 1)[0])
            receipt = find_receipt(store, entity, ingest_on)
            if receipt is not None:
                found[ingest_on] = receipt
    return found
