"""Every way in which figures can part makes the verification fail, and says where."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from pyiceberg.expressions import And, EqualTo

from deftunes_contract import layout
from deftunes_contract.interval import Interval
from deftunes_contract.receipt import Receipt, find_receipt
from deftunes_contract.registry import load
from deftunes_serving.verify import verify

INGEST = date(2020, 2, 1)


def hops(platform: Any) -> list[tuple[str, str]]:
    verification = verify(platform.settings, platform.serving)
    assert not verification.reconciled
    return [(fault.subject, fault.hop) for fault in verification.faults]


def only_fault(platform: Any, *where: str) -> str:
    """The sentence of the one fault, which is at this subject and hop."""
    verification = verify(platform.settings, platform.serving)
    assert not verification.reconciled
    (fault,) = verification.faults
    assert where in ((), (fault.subject, fault.hop))
    return fault.sentence


def test_the_unspoiled_platform_reconciles(platform: Any) -> None:
    verification = verify(platform.settings, platform.serving)
    assert verification.faults == ()
    assert verification.pending == ()
    assert verification.items == 22
    assert verification.total_sales == Decimal("14.26")


def test_a_lost_row(platform: Any) -> None:
    row = platform.months["sessions", INGEST].rows[0]
    platform.table("sessions").delete(And(EqualTo("session_id", row["session_id"]), EqualTo("item_no", row["item_no"])))
    assert hops(platform) == [("sessions 2020-01", "published"), ("sessions 2020-01", "fact")]


def test_a_lost_row_that_serving_followed_is_still_found(platform: Any) -> None:
    row = platform.months["sessions", INGEST].rows[0]
    platform.table("sessions").delete(And(EqualTo("session_id", row["session_id"]), EqualTo("item_no", row["item_no"])))
    platform.serve()
    said = only_fault(platform)
    assert "sessions 2020-01: expected 11 rows, 7.33 USD (as the published snapshot says), found 10 rows" in said
    assert "deftunes run --start 2020-01-01 --end 2020-02-01" in said


def test_a_doubled_row(platform: Any) -> None:
    platform.append("users", platform.months["users", INGEST].rows[:1])
    assert hops(platform) == [("users 2020-01", "published")]


def test_a_wrong_cent(platform: Any) -> None:
    row = platform.months["sessions", INGEST].rows[0]
    table = platform.table("sessions")
    table.delete(And(EqualTo("session_id", row["session_id"]), EqualTo("item_no", row["item_no"])))
    platform.append("sessions", [{**row, "price": row["price"] + Decimal("0.01")}])
    platform.serve()
    assert "expected 11 rows, 7.33 USD (as the published snapshot says), found 11 rows, 7.34 USD" in only_fault(
        platform
    )


def test_rows_that_no_tag_accounts_for(platform: Any) -> None:
    row = platform.months["users", INGEST].rows[0]
    platform.append("users", [{**row, "ingest_on": date(2021, 1, 1)}])
    assert "somebody wrote past the gate" in only_fault(platform, "users 2020-12", "published")


def test_wrong_units_in_quarantine(platform: Any) -> None:
    bad = platform.months["sessions", INGEST].quarantined[0]
    platform.append("quarantine", [{**bad, "run_id": "first", "units": 3, "amount": Decimal("1.00")}])
    assert "found 5 rows, 10.99 USD in quarantine under run first" in only_fault(
        platform, "sessions 2020-01", "quarantined"
    )


def test_quarantine_of_runs_that_were_not_published_does_not_count(platform: Any) -> None:
    before = verify(platform.settings, platform.serving)
    bad = platform.months["sessions", INGEST].quarantined[0]
    platform.append("quarantine", [{**bad, "run_id": "another"}])
    after = verify(platform.settings, platform.serving)
    assert after.reconciled
    assert after.tables == before.tables


def test_a_receipt_that_claims_more_than_landed(platform: Any) -> None:
    change_receipt(platform, "sessions", lambda r: r.model_copy(update={"units": r.units + 1}))
    assert hops(platform) == [("sessions 2020-01", "landed")]


def test_a_receipt_with_a_wrong_cent(platform: Any) -> None:
    change_receipt(platform, "sessions", lambda r: r.model_copy(update={"amount": r.amount + Decimal("0.01")}))
    assert "expected 13 rows, 17.33 USD (receipt), found 13 rows, 17.32 USD in the landed objects" in only_fault(
        platform
    )


def test_a_row_lost_between_landing_and_staging(bare_platform: Any, make_users: Callable[..., Any]) -> None:
    """Transform and table agree with each other, and both miss a landed record."""
    january = Interval(date(2020, 1, 1), INGEST)
    month = make_users(january, ("Ann", "Bob"), 0)
    receipt = bare_platform.land("users", january, month)
    del month.rows[0]
    bare_platform.publish("users", january, month, receipt)
    for entity in ("sessions", "songs"):
        bare_platform.table(entity)
    bare_platform.serve()
    said = only_fault(bare_platform, "users 2020-01", "landed = published + quarantined")
    assert "expected 3 rows (landed), found 2 rows" in said


def test_a_tampered_landing_object(platform: Any) -> None:
    path = landed_path(platform, "songs")
    lines = gzip.decompress(platform.store.read(path)).replace(b"Title 1", b"Title X")
    platform.store.write(path, gzip.compress(lines))
    assert "expected sha256 " in only_fault(platform, "songs 2020-01", "landed object")


def test_a_delivery_that_vanished(platform: Any) -> None:
    platform.store.delete(layout.receipt(load("users").landing_folder, INGEST))
    assert hops(platform) == [("users 2020-01", "delivery")]


def test_a_missing_fact_partition(platform: Any) -> None:
    platform.sabotage(f"delete from deftunes_serving.fact_session where ingest_on = '{INGEST}'")
    said = only_fault(platform)
    assert "found an interval that is published and not yet in serving" in said
    assert said.endswith("run deftunes-dbt build")


def test_a_doubled_fact(platform: Any) -> None:
    platform.sabotage("insert into deftunes_serving.fact_session from deftunes_serving.fact_session limit 1")
    assert only_fault(platform).startswith("sessions 2020-0")


def test_facts_of_an_interval_that_is_not_public(platform: Any) -> None:
    platform.sabotage(
        "insert into deftunes_serving.fact_session select * replace (date '2021-01-01' as ingest_on) "
        "from deftunes_serving.fact_session limit 1"
    )
    assert hops(platform) == [("sessions 2020-12", "fact")]


@pytest.mark.parametrize(
    ("dimension", "key", "views"),
    [
        ("dim_users", "user_id", {"sales_per_country_vw", "user_activity_vw", "music_preference_vw"}),
        ("dim_user_history", "user_id", {"sales_per_country_at_sale_vw"}),
        ("dim_artists", "artist_id", {"sales_per_artist_vw", "music_preference_vw"}),
        ("dim_songs", "track_id", {"music_preference_vw"}),
    ],
)
def test_a_join_that_fans_out(platform: Any, dimension: str, key: str, views: set[str]) -> None:
    platform.sabotage(
        f"insert into deftunes_serving.{dimension} from deftunes_serving.{dimension} where {key} in "
        f"(select {key if key != 'track_id' else 'song_id'} from deftunes_serving.fact_session)"
    )
    verification = verify(platform.settings, platform.serving)
    assert {fault.subject for fault in verification.faults if fault.hop == "view"} == views


@pytest.mark.parametrize("dimension", ["dim_users", "dim_user_history", "dim_songs", "dim_artists"])
def test_a_dimension_that_misses_a_published_member(platform: Any, dimension: str) -> None:
    platform.sabotage(
        f"delete from deftunes_serving.{dimension} where rowid = (select max(rowid) from deftunes_serving.{dimension})"
    )
    faults = verify(platform.settings, platform.serving).faults
    (fault,) = [fault for fault in faults if fault.hop == "dimension"]
    assert f"{dimension}: expected the " in fault.sentence
    assert fault.sentence.endswith("run deftunes-dbt build")


def test_a_dimension_of_an_older_catalogue_with_as_many_members(platform: Any) -> None:
    platform.sabotage("update deftunes_serving.dim_songs set track_id = 'TRX' where track_id like '%7'")
    sentences = [fault.sentence for fault in verify(platform.settings, platform.serving).faults]
    assert "dim_songs: expected the 8 members that are published, found others in" in sentences[0]


def test_the_unknown_member_is_nobodys_fault(platform: Any) -> None:
    platform.sabotage("insert into deftunes_serving.dim_artists values ('unknown', null, 'Unknown')")
    assert verify(platform.settings, platform.serving).reconciled


def test_a_view_that_drops_rows(platform: Any) -> None:
    platform.sabotage(
        "create or replace view deftunes_serving.sales_per_artist_vw as select 2020 as session_year, "
        "'x' as artist_name, sum(price) as total_sales from deftunes_serving.fact_session where price > 1"
    )
    assert "expected 14.26 USD of total_sales, as in fact_session, found " in only_fault(platform)


def test_a_star_without_one_of_its_relations(platform: Any) -> None:
    platform.sabotage("drop view deftunes_serving.user_activity_vw")
    assert "expected deftunes_serving.user_activity_vw, found 1 of its relations missing" in only_fault(platform)


def test_no_serving_file(platform: Any) -> None:
    platform.serving.unlink()
    verification = verify(platform.settings, platform.serving)
    (fault,) = verification.faults
    assert "expected a serving database, found no file in" in fault.sentence
    assert "run deftunes-dbt build" in fault.sentence
    assert verification.total_sales == Decimal("14.26"), "what can be known is still said"


def landed_path(platform: Any, entity: str) -> str:
    receipt = find_receipt(platform.store, load(entity), INGEST)
    assert receipt is not None
    return f"{layout.landing_path(load(entity).landing_folder, INGEST)}/{receipt.objects[0].name}"


def change_receipt(platform: Any, entity: str, change: Callable[[Receipt], Receipt]) -> None:
    receipt = find_receipt(platform.store, load(entity), INGEST)
    assert receipt is not None
    platform.store.write(layout.receipt(load(entity).landing_folder, INGEST), change(receipt).to_json())
