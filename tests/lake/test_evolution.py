"""A contract grows while its table is in use: columns are compared by name, and what was there before keeps working."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from aws_fakes import aws_fakes, environment_of
from lake_cases import LakeCase
from lake_worker import Worker

from deftunes_contract import registry as registry_module

JANUARY, FEBRUARY, MARCH = "2020-02-01", "2020-03-01", "2020-04-01"
MONTHS = {JANUARY: 5, FEBRUARY: 6, MARCH: 7}
"""ingest_on → rows."""

GROWN = {
    # in the middle
    "      - {name: song_name, logicalType: string, physicalType: string, description: Title": (
        "      - {name: channel, logicalType: string, physicalType: string, description: Where it was sold.}\n"
        "      - {name: song_name, logicalType: string, physicalType: string, description: Title"
    ),
    # at the end
    "    quality:\n      - {id: user_id_complete": (
        '      - {name: discount, logicalType: number, physicalType: "decimal(5,2)", description: Taken off.}\n'
        "    quality:\n      - {id: user_id_complete"
    ),
    # both come with the items of a record
    "            - {name: song_id, logicalType: string, physicalType: string, description: A TRACK id.}\n": (
        "            - {name: song_id, logicalType: string, physicalType: string, description: A TRACK id.}\n"
        "            - {name: channel, logicalType: string, physicalType: string}\n"
        "            - {name: discount, logicalType: number, physicalType: double}\n"
    ),
}

WIDER = {old: new.replace("decimal(5,2)", "decimal(7,2)") for old, new in GROWN.items()}

Call = Callable[..., Any]


@pytest.fixture
def call(case: LakeCase, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Calls a LakeCase of this process as Worker.call does one of another; the contracts are as before at the end."""
    monkeypatch.setattr(registry_module, "_registry", registry_module._registry)

    def do(name: str, **given: Any) -> Any:
        if "ingest_on" in given:
            given["ingest_on"] = date.fromisoformat(given["ingest_on"])
        answer = getattr(case, name)(**given)
        return "; ".join(map(str, answer)) if isinstance(answer, tuple) else answer

    return do


def sessions(call: Call, do: str, **given: Any) -> Any:
    """An order for the one table of this test."""
    if do in ("publish", "rollback"):
        return call(do, entities=["sessions"], **given)
    return call(do, entity="sessions", **given)


def published(call: Call) -> dict[str, list[Any]]:
    """What main holds, alike from here and from a worker."""
    return {month: list(content) for month, content in sessions(call, "public").items()}


def grow_a_lake_in_use(call: Call) -> None:
    """Three published months, two branches on their way; then the contract grows, and everything goes on."""
    for month, rows in MONTHS.items():
        sessions(call, "stage_and_gate", rows=rows, ingest_on=month, run_id="old")
        sessions(call, "publish", ingest_on=month, run_id="old")
    for month in (FEBRUARY, MARCH):
        sessions(call, "stage_and_gate", rows=8, ingest_on=month, run_id="midway")
    before, order = published(call), sessions(call, "columns")

    call("change_contract", entity="sessions", changes=GROWN)
    assert sorted(sessions(call, "columns")) == sorted([*order, "channel", "discount"])
    assert "sessions" not in call("create"), "once is enough"
    assert published(call) == before
    for column in ("channel", "discount"):
        assert sessions(call, "filled", column=column) == dict.fromkeys(MONTHS, 0)

    # staged and gated before the change, public after it: one is fast-forwarded, the other put onto the new main
    for month in (FEBRUARY, MARCH):
        assert "changed=True" in sessions(call, "publish", ingest_on=month, run_id="midway")
    after = published(call)
    assert [after[month][0] for month in MONTHS] == [5, 8, 8]
    assert after[JANUARY] == before[JANUARY]

    # an old month restated under the new contract, and taken back
    sessions(call, "stage_and_gate", rows=9, ingest_on=JANUARY, run_id="new")
    sessions(call, "publish", ingest_on=JANUARY, run_id="new")
    for column in ("channel", "discount"):
        assert sessions(call, "filled", column=column) == {JANUARY: 9, FEBRUARY: 0, MARCH: 0}
    restated = published(call)

    # a type that gets wider, on rows of all three schemas
    call("change_contract", entity="sessions", changes=WIDER)
    assert published(call) == restated
    assert "sessions" in call("maintain")
    sessions(call, "rewrite")
    assert published(call) == restated
    assert "9 rows" in sessions(call, "rollback", ingest_on=JANUARY)
    assert "8 rows" in sessions(call, "rollback", ingest_on=MARCH)
    assert published(call) == {JANUARY: before[JANUARY], FEBRUARY: after[FEBRUARY], MARCH: before[MARCH]}
    assert sessions(call, "filled", column="channel") == dict.fromkeys(MONTHS, 0)


def test_a_lake_in_a_folder_grows_while_it_is_used(call: Call) -> None:
    grow_a_lake_in_use(call)


def test_a_lake_on_glue_grows_while_it_is_used(tmp_path: Path) -> None:
    with aws_fakes() as aws:
        environment = environment_of(aws) | {
            "DEFTUNES_SPARK_MASTER": "local[2]",
            "DEFTUNES_SPARK_DRIVER_MEMORY": "1g",
            "DEFTUNES_SPARK_SMALL": "true",
        }
        worker = Worker(environment, tmp_path / "log")
        grow_a_lake_in_use(worker.call)
        table = aws.client("glue").get_table(DatabaseName="deftunes_transform", Name="sessions")["Table"]
        named = {column["Name"]: column["Type"] for column in table["StorageDescriptor"]["Columns"]}
        # what Redshift and Athena find there
        assert named["channel"] == "string"
        assert (named["discount"], named["item_no"]) == ("decimal(7,2)", "int")
        worker.close()


def test_the_release_before_is_refused_on_a_grown_lake(case: LakeCase, monkeypatch: pytest.MonkeyPatch) -> None:
    old = registry_module._registry
    monkeypatch.setattr(registry_module, "_registry", old)
    case.change_contract("sessions", GROWN)
    case.table("sessions")
    registry_module._registry = old
    case.made.clear()
    with pytest.raises(
        Exception, match=r"column channel that the contract lacks \(put it back.*correct sessions\.yaml"
    ):
        case.table("sessions")
