"""When a month is over, and what is said while it is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from deftunes_contract.errors import UsageError
from deftunes_contract.interval import Interval
from deftunes_contract.provisional import advice, is_over, running

NOVEMBER = Interval.of_month("2026-11")
END = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "over"),
    [
        (END, True),
        (END - timedelta(microseconds=1), False),
        (datetime(2026, 12, 1, 9, tzinfo=timezone(timedelta(hours=10))), False),
        (datetime(2026, 11, 30, 20, tzinfo=timezone(timedelta(hours=-4))), True),
    ],
)
def test_a_month_is_over_at_its_end_in_utc(now: datetime, over: bool) -> None:
    assert is_over(NOVEMBER, now) == over


def test_only_a_month_that_has_begun_may_be_read_early() -> None:
    now = END - timedelta(days=3)
    months = [NOVEMBER.previous, NOVEMBER]
    assert running([NOVEMBER.previous], now, False) == running([NOVEMBER.previous], now, True) == ()
    assert running(months, now, True) == (NOVEMBER,)
    with pytest.raises(UsageError, match="found 2026-11, which is not over before 2026-12-01 .*--partial") as refused:
        running(months, now, False)
    assert refused.value.exit_code == 2
    for allowed in (False, True):
        with pytest.raises(UsageError, match="found 2026-12, which begins on 2026-12-01"):
            running([*months[:1], NOVEMBER.following], now, allowed)


def test_the_advice_follows_the_clock() -> None:
    again = "deftunes run --start 2026-11-01 --end 2026-12-01"
    assert advice(NOVEMBER, END - timedelta(1)) == (
        f"provisional: the month is not over; run it again from 2026-12-01 on: {again}"
    )
    assert advice(NOVEMBER, END) == (
        f"provisional: read before the month was over, which it is now; run it again: {again}"
    )
