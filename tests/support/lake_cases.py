"""What tests of the lake do with tables: invented rows, staged, gated, published; and what a table then holds.

Used in the test process and, through lake_worker.py, in processes of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from deftunes_contract import registry as registry_module
from deftunes_contract.contract_files import packaged_contracts
from deftunes_contract.entity import Entity, Severity
from deftunes_contract.gate import GateResult, RuleResult, write_gate_result
from deftunes_contract.interval import Interval
from deftunes_contract.layout import branch, interval_tag
from deftunes_contract.load_metrics import LoadMetrics
from deftunes_contract.object_store import ObjectStore, open_store
from deftunes_contract.registry import build_registry, load
from deftunes_contract.settings import from_environment
from deftunes_lake.maintain import maintain
from deftunes_lake.publish import Published, publish
from deftunes_lake.rollback import RolledBack, rollback
from deftunes_lake.session import open_session
from deftunes_lake.settings import SparkSettings
from deftunes_lake.snapshot_reader import read_main, read_snapshot
from deftunes_lake.snapshots import branch_head, tagged
from deftunes_lake.staging import write_to_branch
from deftunes_lake.tables import ensure_tables, spark_type, table_name

JANUARY, FEBRUARY, MARCH = date(2020, 2, 1), date(2020, 3, 1), date(2020, 4, 1)
"""ingest_on of three months."""

Content = dict[str, tuple[int, str, int]]
"""ingest_on → rows, amount, hash over all content columns."""


@dataclass
class LakeCase:
    """One database of a lake."""

    spark: SparkSession
    settings: SparkSettings
    store: ObjectStore
    made: set[str] = field(default_factory=set)

    @classmethod
    def open(cls, settings: SparkSettings | None = None) -> LakeCase:
        """The case of an environment, or of given settings."""
        settings = settings or from_environment(SparkSettings)
        return cls(open_session(settings, "tests"), settings, open_store(settings.lake))

    def table(self, entity: str) -> str:
        """Three-part name of a table, which is made when a test first asks for it."""
        if entity not in self.made:
            ensure_tables(self.spark, self.settings, [entity])
            self.made.add(entity)
        return table_name(self.settings, entity)

    def frame(self, entity: str, rows: int, ingest_on: date, tag: str) -> DataFrame:
        """Rows that depend on nothing but the arguments: `tag` makes them other rows."""
        contract = load(entity)
        columns = [
            value(contract, column.name, column.type, ingest_on, tag).cast(spark_type(column)).alias(column.name)
            for column in contract.columns
        ]
        return self.spark.range(rows, numPartitions=2).select(*columns)

    def stage(
        self, entity: str, rows: int, ingest_on: date = JANUARY, run_id: str = "one", tag: str | None = None
    ) -> int:
        """Stage invented rows of a run; returns the snapshot."""
        frame = self.frame(entity, rows, ingest_on, run_id if tag is None else tag)
        amount_column = load(entity).amount
        amount = sum((Decimal(i % 150 + 33) / 100 for i in range(rows)), Decimal("0.00")) if amount_column else None
        summary = LoadMetrics(
            entity=entity, ingest_on=ingest_on, run_id=run_id, contract_version=load(entity).version, receipt="0" * 64,
            landed_records=rows, landed_units=rows, landed_amount=amount, rows=rows, amount=amount,
            quarantined_units=0, quarantined_amount=Decimal("0.00") if amount_column else None,
        )  # fmt: skip
        return write_to_branch(self.spark, self.table(entity), branch(run_id, ingest_on), frame, ingest_on, summary)

    def gate(
        self,
        entity: str,
        ingest_on: date = JANUARY,
        run_id: str = "one",
        *,
        passed: bool = True,
        snapshot_id: int | None = None,
        replaces: int | None = None,
    ) -> None:
        """Write the gate result for the branch's head (or for another snapshot)."""
        if snapshot_id is None:
            head = branch_head(self.spark, self.table(entity), branch(run_id, ingest_on))
            assert head is not None
            snapshot_id = head.id
        rule = RuleResult(
            id=f"{entity}_arrived", kind="arrived", severity=Severity.FAIL, passed=passed, observed=0.0,
            expected="at least 1 row",
        )  # fmt: skip
        result = GateResult(
            entity=entity, ingest_on=ingest_on, run_id=run_id, table=self.table(entity), snapshot_id=snapshot_id,
            passed=passed, judged_at=datetime.now(UTC), rules=(rule,), replaces=replaces,
        )  # fmt: skip
        write_gate_result(self.store, result)

    def stage_and_gate(
        self, entity: str, rows: int, ingest_on: date = JANUARY, run_id: str = "one", tag: str | None = None
    ) -> int:
        """Both."""
        snapshot = self.stage(entity, rows, ingest_on, run_id, tag)
        self.gate(entity, ingest_on, run_id)
        return snapshot

    def publish(self, entities: Sequence[str], ingest_on: date = JANUARY, run_id: str = "one") -> tuple[Published, ...]:
        """See deftunes_lake.publish."""
        return publish(self.spark, self.settings, self.store, entities, Interval.of_ingest_on(ingest_on), run_id)

    def rollback(self, entities: Sequence[str], ingest_on: date = JANUARY) -> tuple[RolledBack, ...]:
        """See deftunes_lake.rollback."""
        return rollback(self.spark, self.settings, entities, Interval.of_ingest_on(ingest_on))

    def change_contract(self, entity: str, changes: dict[str, str]) -> None:
        """Let this process read another contract: text in it → what stands there instead, from now on."""
        files = packaged_contracts()
        text = files[f"{entity}.yaml"]
        for old, new in changes.items():
            assert text.count(old) == 1, f"{old} stands {text.count(old)} times in the contract"
            text = text.replace(old, new)
        changed, problems = build_registry(files | {f"{entity}.yaml": text})
        assert changed is not None, problems
        registry_module._registry = lambda _: changed  # type: ignore[assignment]
        self.made.discard(entity)

    def filled(self, entity: str, column: str) -> dict[str, int]:
        """ingest_on → how many rows of main have a value in a column."""
        rows = read_main(self.spark, self.table(entity)).groupBy("ingest_on").agg(f.count(column).alias("n")).collect()
        return {str(row["ingest_on"]): row["n"] for row in rows}

    def columns(self, entity: str) -> list[str]:
        """Columns of a table, in its own order."""
        return self.spark.table(self.table(entity)).columns

    def rewrite(self, entity: str) -> None:
        """Compact the whole table, however few and large its files are."""
        options = "map('rewrite-all', 'true')"
        self.spark.sql(f"CALL lake.system.rewrite_data_files(table => '{self.table(entity)}', options => {options})")

    def create(self) -> tuple[str, ...]:
        """See deftunes_lake.tables."""
        return ensure_tables(self.spark, self.settings)

    def maintain(self) -> str:
        """See deftunes_lake.maintain."""
        return "; ".join(str(done) for done in maintain(self.spark, self.settings))

    def lines(self, path: str) -> int:
        """Lines of a landed file, counted by Spark."""
        return self.spark.read.text(self.store.uri(path)).count()

    def public(self, entity: str) -> Content:
        """What main holds."""
        return self.content(read_main(self.spark, self.table(entity)), load(entity))

    def at(self, entity: str, snapshot_id: int) -> Content:
        """What one snapshot holds."""
        return self.content(read_snapshot(self.spark, self.table(entity), snapshot_id), load(entity))

    @staticmethod
    def content(frame: DataFrame, entity: Entity) -> Content:
        """Rows, money and a hash for each ingest_on; the hash is a sum, so a doubled row shows."""
        amount = f.sum(entity.amount).cast("string") if entity.amount else f.lit("-")
        content = f.xxhash64(*(f.col(c).cast("string") for c in entity.business_columns)).cast("decimal(38,0)")
        grouped = frame.groupBy("ingest_on").agg(
            f.count("*").alias("rows"), amount.alias("amount"), f.sum(content).alias("hash")
        )
        return {str(r["ingest_on"]): (r["rows"], r["amount"], int(r["hash"])) for r in grouped.collect()}

    def tag_is_true(self, entity: str, ingest_on: date) -> bool:
        """Whether the interval's tag tells of the rows that main shows."""
        snapshot = tagged(self.spark, self.table(entity), interval_tag(ingest_on))
        if snapshot is None or snapshot.staged is None:
            return str(ingest_on) not in self.public(entity)
        shown = self.public(entity).get(str(ingest_on))
        return self.at(entity, snapshot.id).get(str(ingest_on)) == shown and shown[0] == snapshot.staged.rows


def value(entity: Entity, name: str, type_name: str, ingest_on: date, tag: str) -> f.Column:
    """An invented value of one column."""
    number = f.col("id")
    if name == "ingest_on":
        return f.lit(ingest_on)
    if name == entity.amount:
        return (number % 150 + 33) / 100
    if type_name == "timestamp":
        return f.lit(datetime(2020, 1, 31, 23, 59, 59, 999999))
    if type_name == "boolean":
        return number % 2 == 0
    if type_name in ("int", "double") or type_name.startswith("decimal"):
        return number % 1000
    return f.concat(f.lit(f"{name}-{tag}-"), number.cast("string"))
