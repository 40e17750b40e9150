"""The gate as its callers see it: exit code, sentence, result, report; and that it changes no table."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import structlog
from pyspark.sql import SparkSession

from deftunes_contract.errors import DataRejected, ExitCode, RetryableError, StageError
from deftunes_contract.gate import find_gate_result
from deftunes_contract.interval import Interval
from deftunes_contract.layout import quality_report
from deftunes_contract.names import clean_run_id
from deftunes_contract.registry import load, registry
from deftunes_lake.settings import SparkSettings
from deftunes_lake.tables import ensure_tables
from deftunes_quality import __main__ as stage
from deftunes_quality import validate as validating
from deftunes_quality.gate import run_gates, validate_entity

MONTH = Interval(date(2020, 3, 1), date(2020, 4, 1))


def dear(ground: Any, *prices: str) -> list[dict[str, Any]]:
    """Sessions with some prices above the limit."""
    rows = ground.clean("sessions")
    for row, price in zip(rows, prices, strict=False):
        row["price"] = Decimal(price)
    return rows


def pass_all(ground: Any, entities: Sequence[str], run_id: str) -> str:
    return run_gates(ground.gate, entities, MONTH, run_id)


def test_an_open_gate_says_so_and_writes_nothing_but_its_result(ground: Any) -> None:
    ground.stage("users", ground.clean("users"), run_id="open")
    ground.stage("sessions", ground.clean("sessions"), run_id="open")
    before = ground.snapshots()
    sentence = pass_all(ground, ["users", "sessions"], "open")
    assert re.match(r"users 2020-03: gate open, 17 of 17 rules hold, 4 skipped; sessions 2020-03: gate open", sentence)
    assert ground.snapshots() == before
    for name in ("users", "sessions"):
        result = ground.result(name, "open")
        assert result.passed
        assert result.snapshot_id == ground.find(name, run_id="open").snapshot_id
        assert {rule.id for rule in result.rules} == {rule.id for rule in load(name).rules}


def test_a_closed_gate_names_rule_count_examples_and_the_next_step(ground: Any) -> None:
    ground.stage("sessions", dear(ground, "3.50", "2.75"), run_id="closed")
    before = ground.snapshots()
    with pytest.raises(DataRejected) as refused:
        pass_all(ground, ["sessions"], "closed")
    assert refused.value.exit_code == ExitCode.REFUSED
    sentence = str(refused.value)
    assert sentence.startswith("sessions 2020-03: gate closed: price_max failed on 2 of 40 rows (e.g. ")
    assert "3.50" in sentence
    assert "2.75" in sentence
    assert "nothing was published; report: " in sentence
    assert "run deftunes-transform sessions --start 2020-03-01 --end 2020-04-01 --run-id closed again" in sentence
    assert ground.snapshots() == before
    result = ground.result("sessions", "closed")
    assert not result.passed
    assert [rule.id for rule in result.failed_rules] == ["price_max"]
    assert result.data_docs is not None
    assert result.data_docs in sentence


def test_a_warning_is_logged_and_leaves_the_gate_open(ground: Any) -> None:
    rows = ground.clean("sessions")
    rows[0]["liked"] = None
    ground.stage("sessions", rows, run_id="warned")
    with structlog.testing.capture_logs() as lines:
        sentence = pass_all(ground, ["sessions"], "warned")
    assert "warned by liked_complete" in sentence
    warnings = [line["event"] for line in lines if line["log_level"] == "warning"]
    assert len(warnings) == 1
    assert "liked_complete failed on 1 of 40 rows" in warnings[0]
    skips = [line["event"] for line in lines if "song_reference is skipped" in line["event"]]
    assert skips == ["sessions 2020-03: song_reference is skipped: no songs are published yet"]


def test_a_full_quarantine_is_told_with_its_rules(ground: Any) -> None:
    ground.quarantine("sessions", 2, "full", "price_max")
    ground.quarantine("sessions", 1, "full", "currency_known", raw_record='{"user_id": "Anna Karenina"')
    ground.stage(
        "sessions",
        ground.clean("sessions"),
        run_id="full",
        landed_units=43,
        landed_amount=Decimal("50.10"),
        quarantined_units=3,
        quarantined_amount=Decimal("10.50"),
    )
    with pytest.raises(DataRejected) as refused:
        pass_all(ground, ["sessions"], "full")
    sentence = str(refused.value)
    assert "sessions_quarantine_share: 3 of 43 landed rows are quarantined" in sentence
    assert re.search(r"price_max 2 \(e\.g\. .*currency_known 1 \(e\.g\. ", sentence)
    assert "run deftunes-extract sessions" in sentence
    assert "Karenina" not in sentence
    assert '"price": 3.5' in sentence


def test_all_entities_are_judged_and_told_before_the_exit(ground: Any) -> None:
    ground.stage("sessions", dear(ground, "9.99"), run_id="both")
    people = ground.clean("users")
    people[0]["user_name"] = None
    ground.stage("users", people, run_id="both")
    with pytest.raises(DataRejected) as refused:
        pass_all(ground, ["sessions", "songs", "users"], "both")
    assert "sessions 2020-03: gate closed" in str(refused.value)
    assert "users 2020-03: gate closed: user_name_complete" in str(refused.value)
    assert "songs 2020-03: expected branch run_both_20200401" in str(refused.value)
    assert not ground.result("sessions", "both").passed
    assert not ground.result("users", "both").passed


def test_a_missing_branch_is_temporary_and_names_the_command(ground: Any) -> None:
    with pytest.raises(
        RetryableError, match="run deftunes-transform songs --start 2020-03-01 --end 2020-04-01 --run-id no"
    ):
        pass_all(ground, ["songs"], "no")
    assert find_gate_result(ground.gate.store, "songs", MONTH.ingest_on, "no") is None


def test_rows_staged_by_another_contract_are_not_judged(ground: Any) -> None:
    with pytest.raises(RetryableError, match=r"staged by contract 0\.9\.0"):
        ground.stage("users", ground.clean("users"), run_id="old", contract_version="0.9.0")


def test_rows_staged_by_another_state_of_the_contract_are_not_judged(ground: Any) -> None:
    """An overlay that changed since the transform would let the gate judge rows by rules that they never met."""
    digest = load("users").digest
    staged = ground.stage("users", ground.clean("users"), run_id="same", contract_digest=digest)
    assert staged.summary.contract_digest == digest
    with pytest.raises(
        RetryableError, match=rf"digest {digest[:12]}, overlay none\), found 000000000000; run deftunes-t"
    ):
        ground.stage("users", ground.clean("users"), run_id="other", contract_digest="0" * 64)


def test_a_summary_without_money_is_not_judged(ground: Any) -> None:
    with pytest.raises(RetryableError, match="expected landed and quarantined amounts"):
        ground.stage("sessions", ground.clean("sessions"), run_id="torn", landed_amount=None)


def test_what_is_staged_meanwhile_is_neither_judged_nor_named(ground: Any) -> None:
    first = ground.stage("sessions", dear(ground, "9.99"), run_id="pinned")
    second = ground.stage("sessions", ground.clean("sessions"), run_id="pinned")
    result = validate_entity(ground.gate, first)
    assert result.snapshot_id == first.snapshot_id != second.snapshot_id
    assert [rule.id for rule in result.failed_rules] == ["price_max"]


def test_judging_again_replaces_result_and_report(ground: Any) -> None:
    ground.stage("sessions", dear(ground, "9.99"), run_id="again")
    with pytest.raises(DataRejected):
        pass_all(ground, ["sessions"], "again")
    files = list(ground.gate.store.list(quality_report("sessions", MONTH.ingest_on, "again")))
    ground.stage("sessions", ground.clean("sessions"), run_id="again")
    pass_all(ground, ["sessions"], "again")
    assert ground.result("sessions", "again").passed
    assert list(ground.gate.store.list(quality_report("sessions", MONTH.ingest_on, "again"))) == files


def pages_of(ground: Any, entity: str, run_id: str) -> dict[str, str]:
    folder = f"{quality_report(entity, MONTH.ingest_on, run_id)}/data_docs"
    return {path.rsplit("/", 1)[1]: ground.gate.store.read(path).decode() for path in ground.gate.store.list(folder)}


@pytest.mark.parametrize("entity", registry().names)
def test_the_report_holds_every_rule_and_needs_no_network(ground: Any, entity: str) -> None:
    ground.stage(entity, ground.clean(entity), run_id="docs")
    pass_all(ground, [entity], "docs")
    (page,) = pages_of(ground, entity, "docs").values()
    for rule in load(entity).rules:
        assert f"<code>{rule.id}</code>" in page
    assert not re.findall(r"(?:src|href)=|url\(|@import|<script", page)
    assert len(page) < 50_000


def test_personal_values_are_masked_everywhere(ground: Any) -> None:
    people = ground.clean("users")
    people[0] |= {"user_id": "Karenina-0000-4000-8000-000000000000", "latitude": 123.456789}
    people[1]["user_name"] = None
    ground.stage("users", people, run_id="private")
    with structlog.testing.capture_logs() as lines, pytest.raises(DataRejected) as refused:
        pass_all(ground, ["users"], "private")
    result = ground.result("users", "private")
    by_id = {rule.id: rule for rule in result.rules}
    assert by_id["user_id_uuid"].examples == ("Kare…",)
    assert by_id["latitude_range"].examples == ("123…",)
    assert by_id["user_name_complete"].examples == (f"user_id={people[1]['user_id'][:4]}… user_name=null",)
    told = [str(refused.value), result.to_json().decode(), json.dumps(lines, default=str)]
    told += pages_of(ground, "users", "private").values()
    for text in told:
        assert "Karenin" not in text
        assert "123.4" not in text
        assert people[1]["user_id"] not in text
    assert any("Kare…" in html.unescape(page) for page in pages_of(ground, "users", "private").values())


def test_when_great_expectations_breaks_the_gate_is_closed_and_the_result_says_so(
    ground: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ground.stage("users", ground.clean("users"), run_id="broken")

    def explode(*_: object) -> None:
        raise RuntimeError("Anna is no number")

    monkeypatch.setattr(validating, "run_checks", explode)
    with structlog.testing.capture_logs() as lines, pytest.raises(RuntimeError):
        pass_all(ground, ["users"], "broken")
    result = ground.result("users", "broken")
    assert not result.passed
    assert all("the gate failed with RuntimeError" in str(rule.observed) for rule in result.rules)
    assert "Anna" not in result.to_json().decode(), "an error may quote rows"
    assert any("the gate broke and is closed" in line["event"] for line in lines)


def test_an_error_inside_an_expectation_is_a_bug_and_not_a_refusal(
    ground: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Great Expectations turns exceptions into failed expectations; the gate must tell them apart."""
    ground.stage("users", ground.clean("users"), run_id="inner")
    build = validating.build_suite

    def with_a_foreign_column(context: Any) -> Any:
        checks, skipped = build(context)
        object.__setattr__(checks[0].expectation, "column", "no_such_column")
        return checks, skipped

    monkeypatch.setattr(validating, "build_suite", with_a_foreign_column)
    with pytest.raises(StageError, match="could not run user_id_complete.*no_such_column") as bug:
        pass_all(ground, ["users"], "inner")
    assert bug.value.exit_code == ExitCode.BUG
    assert not ground.result("users", "inner").passed


def test_a_rule_that_falls_out_of_the_suite_breaks_the_gate(ground: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deliberate mutation: a check that is lost does not let the gate open without it."""
    ground.stage("users", ground.clean("users"), run_id="mutated")
    build = validating.build_suite

    def without_the_first_rule(context: Any) -> Any:
        checks, skipped = build(context)
        lost = checks[0].rule.id
        return tuple(check for check in checks if check.rule.id != lost), skipped

    monkeypatch.setattr(validating, "build_suite", without_the_first_rule)
    with pytest.raises(StageError, match="was never checked"):
        pass_all(ground, ["users"], "mutated")
    assert not ground.result("users", "mutated").passed


def test_a_column_of_another_type_closes_the_gate_by_conform_alone(lone_ground: Any) -> None:
    ground = lone_ground.create(price="double", liked="string")
    ground.stage("sessions", dear(ground, "9.99"))
    with pytest.raises(DataRejected, match="sessions_conform failed"):
        pass_all(ground, ["sessions"], "r1")
    by_id = {rule.id: rule for rule in ground.result("sessions").rules}
    assert by_id["sessions_conform"].examples == (
        "price is double, not decimal(10,2)",
        "liked is string, not boolean",
    )
    assert by_id["price_max"].skipped == "price is double, not decimal(10,2)"
    assert [rule.id for rule in ground.result("sessions").failed_rules] == ["sessions_conform"]


def test_columns_in_another_order_are_the_same_columns(lone_ground: Any) -> None:
    """A lake that has grown shows a new column last, wherever the contract has it."""
    ground = lone_ground.create()
    for change in ("timezone FIRST", "user_since AFTER country_code"):
        ground.spark.sql(f"ALTER TABLE {ground.table('users')} ALTER COLUMN {change}")
    ground.stage("users", ground.clean("users"))
    assert "gate open" in pass_all(ground, ["users"], "r1")
    assert ground.find("users").rows(ground.spark).columns[0] == "timezone"


def test_columns_that_are_missing_or_unknown_close_the_gate(lone_ground: Any) -> None:
    ground = lone_ground.create()
    ground.spark.sql(f"ALTER TABLE {ground.table('users')} ADD COLUMN shoe_size int FIRST")
    ground.spark.sql(f"ALTER TABLE {ground.table('users')} DROP COLUMN timezone")
    rows = ground.frame("users", ground.clean("users")).drop("timezone").selectExpr("1 AS shoe_size", "*")
    ground.stage_frame("users", rows)
    with pytest.raises(DataRejected, match="users_conform failed"):
        pass_all(ground, ["users"], "r1")
    conform = next(rule for rule in ground.result("users").rules if rule.id == "users_conform")
    assert "timezone is missing" in conform.examples
    assert "shoe_size" in str(conform.observed)


def test_real_tables_pass_too(lone_ground: Any) -> None:
    """The tables as the lake makes them, whose required columns refuse nulls."""
    ensure_tables(lone_ground.spark, lone_ground.gate.settings)
    for name in registry().names:
        lone_ground.stage(name, lone_ground.clean(name))
    assert pass_all(lone_ground, registry().names, "r1").count("gate open") == 3


def test_the_command_ends_with_the_exit_codes(
    spark: SparkSession, spark_settings: SparkSettings, lone_ground: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lone_ground.create()
    monkeypatch.setenv("DEFTUNES_LAKE", spark_settings.lake)
    monkeypatch.setenv("DEFTUNES_DATABASE", lone_ground.gate.settings.database)
    month = ["--start", "2020-03-01", "--end", "2020-04-01", "--run-id", "Manual:1"]
    assert stage.main(["users", *month]) == ExitCode.TEMPORARY
    lone_ground.stage("users", lone_ground.clean("users"), run_id=clean_run_id("Manual:1"))
    assert stage.main(["users", *month]) == ExitCode.DONE
    lone_ground.stage("sessions", dear(lone_ground, "9.99"), run_id=clean_run_id("Manual:1"))
    assert stage.main(["users", "sessions", *month]) == ExitCode.REFUSED
    assert stage.main(["quarantine", *month]) == ExitCode.USAGE
    assert stage.main(["users", "--start", "2020-03-01", "--end", "2020-03-15"]) == ExitCode.USAGE
