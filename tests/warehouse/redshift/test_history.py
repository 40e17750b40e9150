"""A month costs the same however many there are: 36 months, and what the second and the last build touch."""

from __future__ import annotations

import random
import re
import time
from datetime import date

import pytest
from random_shop import sale

from deftunes_contract.interval import Interval

MONTHS = tuple(Interval.months(date(2020, 1, 1), date(2023, 1, 1)))
SALES = 300
"""Items a month."""
FACT = re.compile(r"(?<!\w)\"?deftunes_serving\"?\.\"?fact_session\"?|\"?deftunes_transform\"?\.\"?sessions\"?")


def month_of_sales(dice, month):
    return [
        sale(
            f"{month.month}-{n}",
            0,
            f"TR{dice.randrange(30)}",
            "0.99",
            user=f"u{dice.randrange(20)}",
            at=f"{month.start}T12:00:00",
        )
        for n in range(SALES)
    ]


@pytest.fixture
def rows_read(warehouse):
    """Rows that the server has read of the public fact and of the published sessions."""

    def now():
        return int(
            warehouse.value(
                "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_user_tables "
                "WHERE schemaname || '.' || relname IN ('deftunes_serving.fact_session', 'deftunes_transform.sessions')"
            )
        )

    def count():
        """The number when it stands still: statistics arrive when a session ends, or a little later."""
        found = -1
        while found != (found := now()):
            time.sleep(1.5)
        return found

    return count


def test_the_last_of_36_months_costs_what_the_second_did(lake, warehouse, build_redshift, rows_read, record_property):
    dice = random.Random(36)
    lake.publish("users", MONTHS[0].ingest_on, [{"user_id": f"u{n}", "country_code": "FR"} for n in range(20)])
    lake.publish("songs", MONTHS[0].ingest_on, [{"track_id": f"TR{n}", "artist_name": "Queen"} for n in range(30)])

    def cost(month):
        """Publish a month and build it: rows read, seconds, statements."""
        lake.publish("sessions", month.ingest_on, month_of_sales(dice, month))
        warehouse.fill(months=[str(month.ingest_on)])
        before = rows_read()
        warehouse.run()
        began = time.monotonic()
        build_redshift(str(month.start), str(month.end))
        seconds = time.monotonic() - began
        return rows_read() - before, seconds, warehouse.run()

    cost(MONTHS[0])
    with warehouse.redshift.direct() as connection:
        # what Redshift's sort key does
        connection.execute("CREATE INDEX ON deftunes_serving.fact_session (ingest_on)")
    second, seconds_of_second, _ = cost(MONTHS[1])
    for month in MONTHS[2:-1]:
        lake.publish("sessions", month.ingest_on, month_of_sales(dice, month))
    warehouse.fill()
    build_redshift(str(MONTHS[0].start), str(MONTHS[-2].end), "--full-refresh")
    with warehouse.redshift.direct() as connection:
        connection.execute("VACUUM ANALYZE deftunes_serving.fact_session")
        connection.execute("VACUUM ANALYZE deftunes_transform.sessions")
    last, seconds_of_last, said = cost(MONTHS[-1])
    record_property("seconds", f"second {seconds_of_second:.2f}, last {seconds_of_last:.2f}")
    assert warehouse.value("SELECT count(*) FROM deftunes_serving.fact_session") == SALES * len(MONTHS)

    touching = [line for line in said if FACT.search(line) and not line.startswith(("create", "grant", "drop"))]
    assert len(touching) >= 4
    asked = re.compile(r"ingest_on > date '2022-12-01' and (\w+\.)?ingest_on <= date '2023-01-01'")
    assert [line for line in touching if not asked.search(line)] == []
    assert last <= 1.15 * second
