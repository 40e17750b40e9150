"""One entity's run on a real lake: what is landed is staged or quarantined, counted, and replaced by a rerun."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from pyspark.sql import Row, SparkSession

from deftunes_contract.errors import DataRejected, ExitCode, RetryableError
from deftunes_contract.layout import branch
from deftunes_contract.names import clean_run_id
from deftunes_contract.object_store import open_store
from deftunes_contract.registry import load
from deftunes_lake.snapshot_reader import read_branch
from deftunes_lake.snapshots import branch_head, main_head
from deftunes_lake.tables import ensure_tables, spark_schema, table_name
from deftunes_transform import run
from deftunes_transform.__main__ import main
from deftunes_transform.__main__ import run as run_stage
from deftunes_transform.settings import TransformSettings

NUMBERS = itertools.count(1)


class TransformCase:
    """A database and a landing zone of one's own."""

    def __init__(self, spark: SparkSession, settings: TransformSettings, landing) -> None:
        self.spark, self.settings, self.landing = spark, settings, landing
        ensure_tables(spark, settings)

    def run(self, entity: str, run_id: str = "r1"):
        store, interval = self.landing.store, self.landing.interval
        return run.transform(self.spark, self.settings, store, load(entity), interval, run_id)

    def table(self, entity: str) -> str:
        return table_name(self.settings, entity)

    def staged(self, entity: str, run_id: str = "r1") -> list[Row]:
        name = branch(run_id, self.landing.interval.ingest_on)
        return list(read_branch(self.spark, self.table(entity), name).collect())

    def quarantined(self) -> list[Row]:
        return list(self.spark.table(self.table("quarantine")).collect())

    def snapshots(self, entity: str) -> int:
        return self.spark.table(f"{self.table(entity)}.snapshots").count()


@pytest.fixture
def settings(spark_settings) -> TransformSettings:
    base = spark_settings.model_dump(by_alias=True)
    return TransformSettings(**(base | {"DEFTUNES_DATABASE": f"transform_{next(NUMBERS)}"}))


@pytest.fixture
def shop(spark, settings, new_landing, tmp_path: Path) -> TransformCase:
    return TransformCase(spark, settings, new_landing(open_store(str(tmp_path / "a [lake] {with} spaces"))))


@pytest.fixture
def environment(spark, settings, monkeypatch, new_landing) -> Iterator[TransformCase]:
    """The same by environment, for the entry point; the landing zone is the session's lake."""
    for name, value in settings.model_dump(by_alias=True).items():
        if value not in (None, "") and name.startswith("DEFTUNES_"):
            monkeypatch.setenv(name, str(value))
    shop = TransformCase(spark, settings, new_landing(open_store(settings.lake)))
    yield shop
    for path in list(shop.landing.store.list("landing_zone")):
        shop.landing.store.delete(path)


def test_good_rows_are_staged_in_the_contracts_columns_and_types(shop: TransformCase, samples) -> None:
    shop.landing.land("sessions", [samples.session(1)], [samples.session(2)])
    shop.landing.land("users", [samples.user(1)])
    shop.landing.land("songs", [samples.song(1)])
    for entity, rows in {"sessions": 4, "users": 1, "songs": 1}.items():
        staged = shop.run(entity)
        found = shop.staged(entity)
        assert len(found) == rows == staged.summary.rows
        expected = [(field.name, field.dataType) for field in spark_schema(load(entity).columns)]
        table = shop.spark.table(shop.table(entity)).schema
        assert [(field.name, field.dataType) for field in table] == expected
        assert {row.ingest_on for row in found} == {shop.landing.interval.ingest_on}
        assert len({row.processing_timestamp for row in found}) == 1
        head = branch_head(shop.spark, shop.table(entity), staged.branch)
        assert head is not None
        assert (head.id, head.staged) == (staged.snapshot_id, staged.summary)
        assert main_head(shop.spark, shop.table(entity)).total_rows == 0
    assert shop.staged("songs")[0].source_from == "postgres_rds"
    assert shop.quarantined() == []
    assert shop.snapshots("quarantine") == 1  # the first, empty one: nothing was written


def test_bad_rows_are_quarantined_whole_with_rule_reason_and_money(shop: TransformCase, samples) -> None:
    items = [samples.item(1), samples.item(2, price=2.5, currency="EUR"), samples.item(3, price="1.03")]
    mixed, empty = samples.session(1, items=items), samples.session(2, items=[])
    made = shop.landing.land("sessions", [mixed, empty, "null", samples.session(3)])
    staged = shop.run("sessions")
    summary = staged.summary
    assert (summary.landed_records, summary.landed_units, summary.landed_amount) == (4, 7, made.amount)
    assert (summary.rows, summary.amount) == (3, Decimal("3.05"))
    assert (summary.quarantined_units, summary.quarantined_amount) == (4, Decimal("2.50"))
    assert summary.receipt == made.digest
    rows = {(row.rule, row.item_no, row.amount): row for row in shop.quarantined()}
    assert sorted(rows, key=str) == sorted(
        [
            ("price_max", 1, Decimal("2.50")),
            ("sessions_conform", 2, Decimal("0.00")),
            ("sessions_conform", None, Decimal("0.00")),
        ],
        key=str,
    )
    row = rows["price_max", 1, Decimal("2.50")]
    assert row.reason == "price_max,currency_known"
    assert row.units == 1
    assert row.record_hash == hashlib.sha256(row.raw_record.encode()).hexdigest()
    assert (row.entity, row.run_id, row.ingest_on) == ("sessions", "r1", shop.landing.interval.ingest_on)
    assert str(staged) == (
        "sessions 2020-01: 7 landed = 3 staged + 4 quarantined (sessions_conform 3, price_max 1) "
        "on branch run_r1_20200201"
    )
    assert len(shop.quarantined()) == 4


def test_copies_of_a_session_are_quarantined_with_their_line(shop: TransformCase, samples) -> None:
    first, second = samples.session(1, user_agent="a"), samples.session(1, user_agent="b")
    shop.landing.land("sessions", [first, samples.session(2)], [second, first])
    summary = shop.run("sessions").summary
    assert (summary.rows, summary.quarantined_units) == (4, 4)
    assert summary.quarantined_amount == Decimal("4.04")
    assert {row.rule for row in shop.quarantined()} == {"session_item_unique"}
    kept = {row.user_agent for row in shop.staged("sessions") if row.session_id == first["session_id"]}
    assert len(kept) == 1
    assert all(row.raw_record for row in shop.quarantined())


def test_an_empty_delivery_empties_the_partition(shop: TransformCase, samples) -> None:
    shop.landing.land("users", [samples.user(1)])
    shop.run("users")
    shop.landing.land("users")
    staged = shop.run("users")
    assert str(staged) == "users 2020-01: 0 landed = 0 staged + 0 quarantined on branch run_r1_20200201"
    assert shop.staged("users") == []


def test_a_rerun_replaces_and_another_run_stands_beside(shop: TransformCase, samples) -> None:
    shop.landing.land("users", [samples.user(1), samples.user(2, user_name=None)])
    shop.run("users")
    shop.run("users")
    assert (len(shop.staged("users")), len(shop.quarantined())) == (1, 1)
    shop.run("users", "r2")
    assert len(shop.staged("users", "r2")) == 1
    assert sorted(row.run_id for row in shop.quarantined()) == ["r1", "r2"]
    shop.landing.land("users", [samples.user(1), samples.user(2)])
    shop.run("users")
    assert len(shop.staged("users")) == 2
    assert [row.run_id for row in shop.quarantined()] == ["r2"]
    assert len(shop.staged("users", "r2")) == 1


def test_a_month_of_nothing_but_bad_records_does_not_fail(shop: TransformCase, samples) -> None:
    shop.landing.land("users", [samples.user(n, user_since=5) for n in range(20)])
    summary = shop.run("users").summary
    assert (summary.rows, summary.quarantined_units) == (0, 20)


@pytest.mark.parametrize("lie", [{"units": 3}, {"amount": Decimal("2.03")}, {"records": 2}])
def test_what_does_not_add_up_is_refused_before_anything_is_written(shop: TransformCase, samples, lie) -> None:
    shop.landing.land("sessions", [samples.session(1, items=[samples.item(), samples.item(price=5)])], **lie)
    with pytest.raises(DataRejected, match="does not add up: expected .* found 1 records of 2 units worth 6.03"):
        shop.run("sessions")
    assert branch_head(shop.spark, shop.table("sessions"), "run_r1_20200201") is None
    assert shop.quarantined() == []


def test_nothing_is_staged_when_the_quarantine_cannot_be_written(shop: TransformCase, samples, monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise RetryableError("the quarantine is not there")

    monkeypatch.setattr(run, "overwrite_where", fail)
    shop.landing.land("users", [samples.user(1), samples.user(2, user_name=None)])
    with pytest.raises(RetryableError):
        shop.run("users")
    assert branch_head(shop.spark, shop.table("users"), "run_r1_20200201") is None


def test_a_delivery_replaced_while_it_is_read_is_temporary(shop: TransformCase, samples, monkeypatch) -> None:
    shop.landing.land("users", [samples.user(1)])
    read = run.read_lines

    def replaced_meanwhile(spark, uris):
        lines = read(spark, uris)
        for uri in uris:
            Path(uri).unlink()
        shop.landing.land("users", [samples.user(2)])
        return lines

    monkeypatch.setattr(run, "read_lines", replaced_meanwhile)
    with pytest.raises(RetryableError, match="changed"):
        shop.run("users")


def test_rows_are_let_go_after_the_run(shop: TransformCase, samples) -> None:
    held_before = shop.spark.sparkContext._jsc.getPersistentRDDs().size()
    shop.landing.land("users", [samples.user(1)])
    shop.run("users")
    assert shop.spark.sparkContext._jsc.getPersistentRDDs().size() == held_before


def test_the_entry_point_stages_all_that_is_asked_for(environment: TransformCase, samples) -> None:
    environment.landing.land("users", [samples.user(1)])
    environment.landing.land("sessions", [samples.session(1)])
    said = run_stage(["users", "sessions", "users", "--start", "2020-01-01", "--end", "2020-02-01", "--run-id", "A:1"])
    own = clean_run_id("A:1")
    assert said == (
        f"users 2020-01: 1 landed = 1 staged + 0 quarantined on branch run_{own}_20200201; "
        f"sessions 2020-01: 2 landed = 2 staged + 0 quarantined on branch run_{own}_20200201"
    )
    assert len(environment.staged("sessions", own)) == 2


def test_the_entry_point_maps_ends_to_exit_codes(environment: TransformCase, samples, capsys) -> None:
    month = ["--start", "2020-01-01", "--end", "2020-02-01"]
    assert main(["users", *month]) == ExitCode.TEMPORARY  # nothing was delivered
    made = environment.landing.land("users", [samples.user(1)])
    folder = environment.landing.folder(load("users"))
    environment.landing.store.write(f"{folder}/{made.objects[0].name}", b"tampered")
    assert main(["users", *month]) == ExitCode.TEMPORARY
    environment.landing.land("users", [samples.user(1)], units=5)
    assert main(["users", *month]) == ExitCode.REFUSED
    environment.landing.land("users", [samples.user(1)])
    assert main(["users", *month]) == ExitCode.DONE


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["users"],
        ["nobody", "--start", "2020-01-01", "--end", "2020-02-01"],
        ["users", "--start", "2020-01-01", "--end", "2020-01-31"],
    ],
)
def test_wrong_calls_end_with_usage_before_spark_is_asked(argv: list[str], monkeypatch) -> None:
    monkeypatch.delenv("DEFTUNES_LAKE", raising=False)
    assert main(argv) == ExitCode.USAGE


def test_help_has_examples(capsys) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    assert "deftunes-transform users sessions --start 2020-01-01" in capsys.readouterr().out
