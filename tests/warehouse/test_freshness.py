"""How old the published tables are, judged by dbt on the times of Iceberg's snapshots."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from deftunes_contract.errors import DataRejected
from deftunes_contract.settings import from_environment
from deftunes_serving import freshness
from deftunes_serving.__main__ import run
from deftunes_serving.settings import ServingSettings


def test_the_age_of_a_table_is_that_of_mains_snapshot(lake, golden, environment):
    before = datetime.now(UTC) - timedelta(seconds=1)
    golden()
    table = lake.table("users")
    table.manage_snapshots().create_branch(table.current_snapshot().snapshot_id, "run_later").commit()
    published = lake.table("users").current_snapshot().timestamp_ms
    table.append(table.scan().to_arrow(), branch="run_later")  # staged later, and not public
    found = freshness.published_at(from_environment(ServingSettings))
    assert found["users"].timestamp() * 1000 == pytest.approx(published, abs=1)
    assert all(before < time <= datetime.now(UTC) for time in found.values())
    sentence = run(["freshness"])
    assert sentence.startswith("last published: sessions 20")
    assert sentence.count("(pass)") == 3


@pytest.mark.parametrize(("days", "status"), [(39, "pass"), (41, "warn"), (71, "error")])
def test_a_month_that_is_due_is_a_warning_and_one_that_is_missed_is_refused(
    lake, golden, environment, monkeypatch, days, status
):
    golden()
    ages = {name: datetime.now(UTC) - timedelta(days=days) for name in ("users", "sessions", "songs")}
    monkeypatch.setattr(freshness, "published_at", lambda settings: ages)
    if status == "error":
        with pytest.raises(DataRejected, match=r"too old .*users 20.* UTC \(error\)"):
            run(["freshness"])
    else:
        assert run(["freshness"]).count(f"({status})") == 3


def test_a_table_that_was_never_published_is_too_old(lake, golden, environment):
    golden()
    lake.catalog.drop_table(f"{lake.database}.songs")
    with pytest.raises(DataRejected, match=r"songs 1970-01-01 00:00:00 UTC \(error\), users 20.* \(pass\)"):
        run(["freshness"])


def test_the_documentation_describes_what_is_served(shop, dbt_home, environment):
    environment.setenv("DEFTUNES_LAKE", str(shop.root))
    before = shop.serving.read_bytes()
    assert "index.html" in run(["docs"])
    assert shop.serving.read_bytes() == before
    catalog = json.loads((dbt_home / "embedded" / "catalog.json").read_text(encoding="utf-8"))
    fact = catalog["nodes"]["model.deftunes.fact_session"]
    assert fact["metadata"]["schema"] == "deftunes_serving"
    assert "ingest_on" in fact["columns"]
    assert (dbt_home / "embedded" / "index.html").is_file()
