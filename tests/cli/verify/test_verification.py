"""States that are no faults, what two equal states say, and how a verification is shown."""

from __future__ import annotations

import gzip
import io
import itertools
import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from rich.console import Console

from deftunes_cli.verification_table import render
from deftunes_contract import layout
from deftunes_contract.errors import NothingToDo, RetryableError, StageError
from deftunes_contract.interval import Interval
from deftunes_contract.retry import RetryPolicy
from deftunes_contract.settings import LakeSettings
from deftunes_serving.verify import snapshots, verification, verify

JANUARY = Interval(date(2020, 1, 1), date(2020, 2, 1))
MARCH = Interval(date(2020, 3, 1), date(2020, 4, 1))
STABLE = ("items", "total_sales", "sales", "tables")


def shown(platform: Any, width: int = 140) -> str:
    console = Console(file=io.StringIO(), width=width)
    render(verify(platform.settings, platform.serving), console)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]  # it is the StringIO above
    return text


def test_an_empty_lake_says_what_to_do(bare_platform: Any) -> None:
    with pytest.raises(NothingToDo, match="run deftunes demo"):
        verify(bare_platform.settings, bare_platform.serving)


def test_a_lake_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    settings = LakeSettings(DEFTUNES_LAKE=str(tmp_path / "nowhere"))
    with pytest.raises(NothingToDo, match="run deftunes demo"):
        verify(settings, tmp_path / "serving.duckdb")
    assert list(tmp_path.iterdir()) == [], "looking must not make anything"


def test_a_first_delivery_waits(bare_platform: Any, make_sessions: Callable[..., Any]) -> None:
    bare_platform.land("sessions", JANUARY, make_sessions(JANUARY, 0, 2))
    found = verify(bare_platform.settings, bare_platform.serving)
    assert found.reconciled
    (check,) = found.intervals
    assert (check.state, check.published, check.fact) == ("pending", None, None)
    assert check.source == check.landed
    (said,) = found.pending
    assert "delivered, not public yet" in said
    assert "deftunes run --start 2020-01-01 --end 2020-02-01" in said


def test_a_delivery_of_a_new_month_beside_public_ones_waits(platform: Any, make_sessions: Callable[..., Any]) -> None:
    platform.land("sessions", MARCH, make_sessions(MARCH, 500, 2))
    found = verify(platform.settings, platform.serving)
    assert found.reconciled
    (check,) = (one for one in found.intervals if (one.entity, one.month) == ("sessions", "2020-03"))
    assert check.state == "pending"
    assert (check.published, check.quarantined, check.fact) == (None, None, None)


def test_a_newer_delivery_waits_and_the_public_state_is_still_judged(
    platform: Any, make_sessions: Callable[..., Any]
) -> None:
    platform.land("sessions", JANUARY, make_sessions(JANUARY, 0, 7), run_id="second")
    found = verify(platform.settings, platform.serving)
    assert found.reconciled, "a delivery that was not published yet is no fault"
    check = next(c for c in found.intervals if (c.entity, c.month) == ("sessions", "2020-01"))
    assert check.state == "pending"
    assert check.source is not None
    assert check.published is not None
    assert check.source.units > check.published.units
    assert "run second" in found.pending[0]

    platform.sabotage("delete from deftunes_serving.fact_session where ingest_on = '2020-02-01'")
    assert [f.hop for f in verify(platform.settings, platform.serving).faults] == ["fact"]


def test_a_pending_delivery_is_itself_recounted(platform: Any, make_sessions: Callable[..., Any]) -> None:
    month = make_sessions(JANUARY, 0, 7)
    month.units += 1
    platform.land("sessions", JANUARY, month)
    assert [f.hop for f in verify(platform.settings, platform.serving).faults] == ["landed"]


def test_equal_states_say_the_same(platform: Any, platform_factory: Callable[[str], Any]) -> None:
    other = platform_factory("other")
    first = json.loads(verify(platform.settings, platform.serving).to_json())
    second = json.loads(verify(other.settings, other.serving).to_json())
    assert [first[part] for part in STABLE] == [second[part] for part in STABLE]
    assert first["runs"] != second["runs"]
    text = json.dumps([first[part] for part in STABLE])
    assert '"first"' not in text
    assert str(platform.home.root) not in text


def test_json_holds_exact_decimals_and_sentences(platform: Any) -> None:
    platform.sabotage("delete from deftunes_serving.fact_session where ingest_on = '2020-02-01'")
    found = verify(platform.settings, platform.serving)
    values = json.loads(found.to_json())
    assert next(iter(values)) == "reconciled"
    assert values["reconciled"] is False
    assert values["total_sales"] == "14.26"
    assert values["items"] == 22
    assert sum(Decimal(sale["total_sales"]) for sale in values["sales"]) == Decimal("6.93")
    assert [fault["sentence"] for fault in values["faults"]] == [fault.sentence for fault in found.faults]
    assert list(values["tables"]) == [
        "songs", "users", "sessions", "quarantine", "dim_users", "dim_user_history", "dim_songs", "dim_artists",
        "fact_session", "sales_per_artist_vw", "sales_per_country_vw", "sales_per_country_at_sale_vw",
        "user_activity_vw", "music_preference_vw",
    ]  # fmt: skip


def test_one_month_looks_at_one_month(platform: Any) -> None:
    platform.sabotage("delete from deftunes_serving.fact_session where ingest_on = '2020-03-01'")
    found = verify(platform.settings, platform.serving, months=[JANUARY])
    assert found.reconciled
    assert {check.month for check in found.intervals} == {"2020-01"}
    assert (found.items, found.tables) == (11, {})
    with pytest.raises(NothingToDo, match="for these months"):
        verify(platform.settings, platform.serving, months=[MARCH])


def _moving(monkeypatch: pytest.MonkeyPatch, platform: Any, times: int) -> None:
    """Let the tables move under the next `times` looks."""
    true, moved = snapshots.table_locations(platform.settings), {"users": "elsewhere"}
    answers = itertools.chain([true, moved] * times, itertools.repeat(true))
    monkeypatch.setattr(verification, "table_locations", lambda _: next(answers))
    monkeypatch.setattr(verification, "RETRIES", RetryPolicy(3, verification.RETRIES.errors, initial=0))


def test_a_table_that_moves_meanwhile_is_looked_at_again(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _moving(monkeypatch, platform, 2)
    assert verify(platform.settings, platform.serving).reconciled


def test_a_table_that_never_rests_is_not_reported_on(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _moving(monkeypatch, platform, 3)
    with pytest.raises(RetryableError, match="changed while they were verified"):
        verify(platform.settings, platform.serving)


def test_a_serving_file_that_is_no_database(platform: Any) -> None:
    platform.serving.write_text("not a database" * 1000)
    with pytest.raises(RetryableError, match="expected a serving database that can be read"):
        verify(platform.settings, platform.serving)


def test_a_tag_on_a_snapshot_that_no_transform_made(platform: Any) -> None:
    table = platform.append("users", [platform.months["users", JANUARY.ingest_on].rows[0]])
    head = table.current_snapshot().snapshot_id
    table.manage_snapshots().create_tag(head, layout.interval_tag(MARCH.ingest_on)).commit()
    with pytest.raises(StageError, match="no deftunes properties"):
        verify(platform.settings, platform.serving)


def test_a_catalog_that_names_a_missing_metadata_file(platform: Any) -> None:
    location = snapshots.table_locations(platform.settings)["users"]
    Path(location).unlink()
    with pytest.raises(StageError, match="expected the table metadata that the catalog names"):
        verify(platform.settings, platform.serving)


def test_shown_to_people_in_eighty_columns(platform: Any) -> None:
    text = shown(platform, width=80)
    words = " ".join(text.split())
    assert "sessions 2020-01 13 13 11 2 11 published 17.32 17.32 7.33 9.99 7.33 sessions 2020-02" in words
    assert "reconciled source = landed = published + quarantined = facts for 6 published intervals" in words
    assert "…" not in text, "nothing is cut"


def test_faults_and_waiting_deliveries_are_shown_whole(platform: Any, make_sessions: Callable[..., Any]) -> None:
    platform.land("sessions", JANUARY, make_sessions(JANUARY, 0, 7), run_id="[bold]second")
    platform.sabotage("delete from deftunes_serving.fact_session where ingest_on = '2020-03-01'")
    text = shown(platform, width=80)
    assert "waiting sessions 2020-01: the delivery differs from the one that is public" in text
    assert "[bold]second" in text, "data is not markup"
    assert "fault sessions 2020-02: expected 11 rows, 6.93 USD (published), found an interval" in text
    assert "not reconciled 1 fault," in text


def test_metadata_in_s3(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="lake")
        for name, content in (("1.metadata.json", b'{"refs": {}}'), ("2.gz.metadata.json", gzip.compress(b"{}"))):
            client.put_object(Bucket="lake", Key=f"zone/users/{name}", Body=content)
        assert snapshots.read_metadata("s3://lake/zone/users/1.metadata.json") == {"refs": {}}
        assert snapshots.read_metadata("s3://lake/zone/users/2.gz.metadata.json") == {}
