"""Where records fall in a month, by arithmetic instead of by generating the month."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deftunes_simulator.calendar import HOUR_US, Calendar, Month, Timetable, spread, walk
from deftunes_simulator.seeded_draws import UuidFactory, domain_salt, draw, scramble

SALT = domain_salt(1, "test")


def _walk_all(timetable: Timetable) -> list[tuple[int, bytes, int, int]]:
    moments = walk(timetable, 0, timetable.month.days * 24, lambda number: draw(SALT, number))
    return [(moment.number, moment.stamp, moment.cell, moment.offset_us) for moment in moments]


@pytest.mark.parametrize("count", [0, 2, 3, 20, 5000])
@pytest.mark.parametrize("opening", [False, True])
def test_every_record_has_one_place_and_time_never_falls_back(count: int, opening: bool) -> None:
    found = _walk_all(spread(Month(2020, 2), count, opening=opening))

    assert [number for number, *_ in found] == list(range(count))
    assert [stamp for _, stamp, *_ in found] == sorted(stamp for _, stamp, *_ in found)
    if count:
        assert found[0][1] == b"2020-02-01T00:00:00.000000"
        assert found[-1][1] == b"2020-02-29T23:59:59.999999"


@given(count=st.integers(2, 300), cell=st.integers(0, 29 * 24 - 1), offset=st.integers(0, HOUR_US - 1))
@settings(max_examples=60, deadline=None)
def test_done_before_counts_only_records_that_are_not_later(count: int, cell: int, offset: int) -> None:
    timetable = spread(Month(2020, 2), count, opening=True)
    done = timetable.done_before(cell, offset)

    assert 1 <= done < count
    assert all(place <= (cell, offset) for place in [moment[2:] for moment in _walk_all(timetable)][:done])


def test_half_of_the_first_users_wait_at_the_door() -> None:
    first_hour = spread(Month(2020, 1), 1000, opening=True).numbers(0)
    assert 490 <= len(first_hour) <= 510


def test_a_query_is_cut_into_months() -> None:
    calendar = Calendar(seed=1, first=Month(2020, 1), months=3, empty=[Month(2020, 2)], people=10, sessions=20)

    assert [(span.number, span.first_cell, span.stop_cell) for span in calendar.overlap(
        date(2019, 5, 1), date(2020, 2, 2)
    )] == [(0, 0, 31 * 24), (1, 0, 48)]  # fmt: skip
    assert list(calendar.overlap(date(2020, 4, 1), date(2024, 1, 1))) == []
    assert calendar.people == (10, 0, 10)
    assert calendar.people_before == (0, 10, 10, 20)
    assert calendar.sessions[1] == 0


@pytest.mark.parametrize("text", ["2020-13", "2020-1", "20-01", "2020-01-01", "0000-01", ""])
def test_a_month_must_look_like_one(text: str) -> None:
    with pytest.raises(ValueError, match="expected a month as YYYY-MM"):
        Month.parse(text)


def test_months_roll_over_the_year() -> None:
    assert Month(2020, 11).plus(3) == Month(2021, 2)
    assert str(Month(2020, 1).plus(-1)) == "2019-12"


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_scrambling_is_one_to_one(one: int, other: int) -> None:
    assert (scramble(one) == scramble(other)) == (one == other)


def test_uuids_keep_the_whole_number() -> None:
    uuids = UuidFactory(3, "x")
    texts = {uuids.text(number) for number in range(50_000)} | {uuids.text(number << 40) for number in range(1, 50_000)}
    kept = {text.replace(b"-", b"")[:12] + text.replace(b"-", b"")[13:16] + text[24:25] for text in texts}
    assert len(texts) == len(kept) == 99_999  # unique by the 64 bits alone, not by the luck of the filler
