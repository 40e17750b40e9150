"""What becomes a part of a path is a name, whoever gave it: run ids, objects of receipts, ids of gate results."""

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from deftunes_contract import layout
from deftunes_contract.errors import DataRejected, UsageError
from deftunes_contract.gate import GateResult, find_gate_result
from deftunes_contract.names import LONGEST_RUN_ID, clean_run_id
from deftunes_contract.object_store import LocalStore
from deftunes_contract.receipt import LandedObject, find_receipt
from deftunes_contract.registry import load

DAY = date(2020, 2, 1)
HOSTILE = [
    "../../x",
    "..",
    "/etc/passwd",
    "a/b",
    "a\\b",
    "a\0b",
    "a\nb",
    ".hidden",
    "_receipt.json",
    "",
    "x" * 300,
    "~",
    "ü",
]


@given(st.text(min_size=1, max_size=200), st.sampled_from([LONGEST_RUN_ID, 63]))
def test_a_cleaned_id_is_a_safe_name_and_stays_what_it_is(text: str, longest: int) -> None:
    try:
        cleaned = clean_run_id(text, longest)
    except UsageError:
        assert not re.search("[a-zA-Z0-9]", text)
        return
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", cleaned)
    assert len(cleaned) <= longest
    assert clean_run_id(cleaned, longest) == cleaned
    assert layout.branch(cleaned, DAY) == f"run_{cleaned}_20200201"


@pytest.mark.parametrize(
    "ids",
    [
        ("a_b", "a-b", "a b", "a/b", "a--b", "../a/b", "A_B", "a_b "),
        ("A", "a"),
        ("x" * 80, "x" * 81, "x" * 200, "x" * 79 + "_"),
        ("scheduled__2020-02-01T00:00:00+00:00", "scheduled__2020-02-01T00:00:00-00:00"),
        ("run-1", "run-1-", "-run-1", "Run-1", "rün-1"),
    ],
)
def test_ids_that_look_alike_do_not_share_a_branch(ids: tuple[str, ...]) -> None:
    assert len({clean_run_id(one) for one in ids}) == len(ids)


@pytest.mark.parametrize("text", ["manual", "run-20200101t000000-1", "a", "1", "x" * 80])
def test_a_clean_id_stays(text: str) -> None:
    assert clean_run_id(text) == text


@pytest.mark.parametrize("name", HOSTILE)
def test_no_object_of_a_receipt_is_called_so(name: str) -> None:
    with pytest.raises(ValidationError):
        LandedObject(name=name, bytes=1, sha256="aa", records=1)


@pytest.mark.parametrize("name", HOSTILE)
def test_no_run_id_reaches_a_path_or_a_branch_so(name: str) -> None:
    for make in (layout.quality_report, layout.quality_result):
        with pytest.raises(DataRejected, match="run id"):
            make("users", DAY, name)
        with pytest.raises(DataRejected, match="entity"):
            make(name, DAY, "manual")
    with pytest.raises(DataRejected, match="run id"):
        layout.branch(name, DAY)


def test_a_receipt_that_names_a_place_outside_is_refused_with_what_to_do(tmp_path: Path) -> None:
    store, users = LocalStore(tmp_path / "lake"), load("users")
    path = layout.receipt(users.landing_folder, DAY)
    store.write(
        path,
        b'{"entity": "users", "start": "2020-01-01", "end": "2020-02-01", "contract_version": "1.0.0", "run_id": "r",'
        b' "source": "s", "format": "jsonl", "objects": [{"name": "../../../../secret", "bytes": 1, "sha256": "aa",'
        b' "records": 1}], "records": 1, "units": 1, "amount": null, "min_time": null, "max_time": null,'
        b' "landed_at": "2020-02-01T00:00:00Z"}',
    )
    with pytest.raises(DataRejected, match=r"objects\.0\.name") as refused:
        find_receipt(store, users, DAY)
    assert store.uri(path) in str(refused.value)
    assert "deftunes-extract users --start 2020-01-01 --end 2020-02-01" in str(refused.value)


def test_a_gate_result_of_another_form_is_refused_where_it_lies(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    result = GateResult(
        entity="users", ingest_on=DAY, run_id="r", table="t", snapshot_id=1, passed=True,
        judged_at=datetime.now(UTC), rules=(),
    )  # fmt: skip
    path = layout.quality_result("users", DAY, "r")
    store.write(path, result.to_json().replace(b'"r"', b'"../../r"'))
    with pytest.raises(DataRejected, match="deftunes-quality") as refused:
        find_gate_result(store, "users", DAY, "r")
    assert store.uri(path) in str(refused.value)
