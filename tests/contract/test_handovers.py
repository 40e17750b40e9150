"""Receipts and staged summaries survive the way to their reader, and say clearly when they cannot be had."""

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from deftunes_contract import layout
from deftunes_contract.errors import ExitCode, RetryableError, StageError
from deftunes_contract.gate import GateResult
from deftunes_contract.interval import Interval
from deftunes_contract.load_metrics import LoadMetrics
from deftunes_contract.object_store import LocalStore
from deftunes_contract.receipt import LandedObject, Receipt, read_receipt
from deftunes_contract.registry import load

JANUARY = Interval.parse("2020-01-01", "2020-02-01")


def _receipt(**changes: object) -> Receipt:
    facts: dict[str, object] = {
        "entity": "sessions",
        "start": JANUARY.start,
        "end": JANUARY.end,
        "contract_version": "1.0.0",
        "run_id": "r",
        "source": "http://127.0.0.1/sessions",
        "format": "jsonl",
        "objects": (LandedObject(name="part-00000-aa.jsonl.gz", bytes=3, sha256="aa", records=2),),
        "records": 2,
        "units": 9,
        "amount": Decimal("9.90"),
        "min_time": None,
        "max_time": None,
        "landed_at": datetime(2026, 1, 1),
    }
    return Receipt.model_validate(facts | changes)


def test_a_receipt_is_found_where_it_was_left(tmp_path: Path) -> None:
    store, sessions = LocalStore(tmp_path), load("sessions")
    path = layout.receipt(sessions.landing_folder, JANUARY.ingest_on)
    assert path == "landing_zone/api/sessions/ingest_on=2020-02-01/_receipt.json"
    store.write(path, _receipt().to_json())
    assert read_receipt(store, sessions, JANUARY) == _receipt()


def test_no_receipt_is_not_delivered_and_says_which_stage_to_run(tmp_path: Path) -> None:
    with pytest.raises(
        RetryableError, match="deftunes-extract sessions --start 2020-01-01 --end 2020-02-01"
    ) as missing:
        read_receipt(LocalStore(tmp_path), load("sessions"), JANUARY)
    assert missing.value.exit_code is ExitCode.TEMPORARY


def test_the_digest_names_the_content_not_the_run() -> None:
    assert _receipt().digest == _receipt(run_id="other", landed_at=datetime(2027, 1, 1)).digest
    changed = (LandedObject(name="part-00000-ab.jsonl.gz", bytes=3, sha256="ab", records=2),)
    assert _receipt().digest != _receipt(objects=changed).digest


_money = st.none() | st.decimals(min_value=0, max_value=10**12, places=2)


@given(landed=_money, staged=_money, held=_money, rows=st.integers(0, 2**40))
def test_a_summary_survives_snapshot_properties(
    landed: Decimal | None, staged: Decimal | None, held: Decimal | None, rows: int
) -> None:
    summary = LoadMetrics(
        entity="sessions",
        ingest_on=date(2020, 2, 1),
        run_id="r-1",
        contract_version="1.0.0",
        receipt="ab",
        landed_records=3,
        landed_units=rows,
        landed_amount=landed,
        rows=rows,
        amount=staged,
        quarantined_units=0,
        quarantined_amount=held,
    )
    properties = {"added-records": "7", **summary.to_properties()}
    assert all(isinstance(v, str) for v in properties.values())
    assert LoadMetrics.from_properties(properties) == summary


def test_a_foreign_snapshot_has_no_summary_and_a_torn_one_is_an_error() -> None:
    assert LoadMetrics.from_properties({"added-records": "7"}) is None
    with pytest.raises(StageError, match="torn"):
        LoadMetrics.from_properties({"deftunes.rows": "7"})


@pytest.mark.parametrize("kind", [Receipt, GateResult, LoadMetrics])
def test_files_of_an_older_or_a_newer_release_are_read(kind: type[BaseModel]) -> None:
    """Fields with a default may be absent, and fields that this release does not know are left out."""
    values: dict[str, object] = {
        "entity": "users", "ingest_on": "2020-02-01", "start": "2020-01-01", "end": "2020-02-01", "run_id": "r",
        "contract_version": "1.0.0", "source": "s", "format": "jsonl", "records": 0, "units": 0, "amount": None,
        "min_time": None, "max_time": None, "landed_at": "2020-02-01T00:00:00Z", "table": "t", "snapshot_id": 1,
        "passed": True, "judged_at": "2020-02-01T00:00:00Z", "receipt": "aa", "landed_records": 0, "landed_units": 0,
        "landed_amount": None, "rows": 0, "quarantined_units": 0, "quarantined_amount": None,
    }  # fmt: skip
    lists: dict[str, object] = {"objects": [], "rules": []}
    # what the first release wrote: a field that comes later needs a default
    first = {name: value for name, value in (values | lists).items() if name in kind.model_fields}
    read = kind.model_validate({**first, "of_tomorrow": 1})
    assert "of_tomorrow" not in read.model_dump()
