"""The interval is one calendar month, half open; everything else is a usage error that says what to type."""

from datetime import date, datetime

import pytest

from deftunes_contract.errors import ExitCode, UsageError
from deftunes_contract.interval import Interval


def test_ingest_on_is_the_end_of_the_interval_not_a_clock() -> None:
    january = Interval.parse("2020-01-01", "2020-02-01")
    assert january.ingest_on == date(2020, 2, 1)
    assert january.last_day == date(2020, 1, 31)
    assert january.month == "2020-01"
    assert Interval.of_ingest_on(date(2020, 2, 1)) == january


def test_both_edges() -> None:
    january = Interval.parse("2020-01-01", "2020-02-01")
    assert january.holds(datetime(2020, 1, 1))
    assert january.holds(datetime(2020, 1, 31, 23, 59, 59, 999999))
    assert not january.holds(datetime(2020, 2, 1))
    assert not january.holds(datetime(2019, 12, 31, 23, 59, 59, 999999))


def test_december_ends_in_the_next_year() -> None:
    december = Interval.parse("2020-12-01", "2021-01-01")
    assert december.previous == Interval.parse("2020-11-01", "2020-12-01")
    assert december.following == Interval.parse("2021-01-01", "2021-02-01")
    assert december.following.previous == december
    assert Interval.parse("2020-01-01", "2020-02-01").previous.month == "2019-12"


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2020-01-01", "2020-03-01"),
        ("2020-01-02", "2020-02-01"),
        ("2020-01-01", "2020-01-31"),
        ("2020-02-01", "2020-01-01"),
        ("2020-01-01", "2020-01-01"),
    ],
)
def test_anything_but_one_month_is_refused_with_the_right_call(start: str, end: str) -> None:
    with pytest.raises(UsageError, match=r"expected one calendar month, found .* use e\.g\. --start") as refused:
        Interval.parse(start, end)
    assert refused.value.exit_code is ExitCode.USAGE


@pytest.mark.parametrize("text", ["january", "2020-13-01", "2020-1-1", "", "20200101T00"])
def test_no_date_is_refused_by_option_name(text: str) -> None:
    with pytest.raises(UsageError, match="--start: expected a date like 2020-01-01"):
        Interval.parse(text, "2020-02-01")


def test_months_of_a_range() -> None:
    found = [m.month for m in Interval.months(date(2019, 11, 1), date(2020, 3, 1))]
    assert found == ["2019-11", "2019-12", "2020-01", "2020-02"]


def test_a_range_that_cuts_a_month_is_refused() -> None:
    with pytest.raises(UsageError, match="cuts 2020-02"):
        list(Interval.months(date(2020, 1, 1), date(2020, 2, 15)))
    with pytest.raises(UsageError, match="before --end"):
        list(Interval.months(date(2020, 2, 1), date(2020, 2, 1)))


def test_a_month_is_read_as_people_write_it():
    assert Interval.of_month("2020-12") == Interval(date(2020, 12, 1), date(2021, 1, 1))
    for wrong in ("2020-13", "2020", "2020-01-01", "January"):
        with pytest.raises(UsageError, match=f"--month: expected a month like 2020-01, found '{wrong}'"):
            Interval.of_month(wrong)
