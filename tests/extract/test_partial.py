"""A month that is not over: refused, or landed as provisional, which no later delivery is measured by."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from deftunes_extract import __main__ as extract_main

NOW = datetime(2020, 1, 20, 12, tzinfo=UTC)
FEBRUARY = ("--start", "2020-02-01", "--end", "2020-03-01")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Sets the clock of the extract; it is the middle of January 2020."""

    def set_to(now: datetime) -> None:
        monkeypatch.setattr(extract_main, "utc_now", lambda: now)

    set_to(NOW)
    return set_to


@pytest.mark.parametrize("entities", [("users",), ("sessions",), ("users", "sessions"), ("songs",)])
def test_a_month_that_is_not_over_is_refused_before_anything_is_asked(
    api: Any, extract: Any, lake: Any, make: Any, clock: Any, entities: tuple[str, ...]
) -> None:
    api.say(api.records([make.user(1)]))
    outcome = extract(*entities, DEFTUNES_API_URL=api.url, DEFTUNES_SONGS_DSN="postgresql://nobody@localhost:9/x")
    assert outcome.code == 2
    assert "found 2020-01, which is not over before 2020-02-01" in outcome.said
    assert "--partial" in outcome.said
    assert (api.asked, lake.content()) == ([], {})


def test_partial_lands_what_there_is_as_provisional_until_it_is_read_again(
    api: Any, extract: Any, lake: Any, make: Any, clock: Any
) -> None:
    api.say(api.records([make.user(1)]))
    early = extract("users", "--partial", DEFTUNES_API_URL=api.url)
    assert early.code == 0
    assert "provisional" in early.said
    assert lake.receipt("users").partial
    clock(datetime(2020, 2, 1, tzinfo=UTC))
    late = extract("users", "--partial", DEFTUNES_API_URL=api.url)
    assert late.code == 0
    assert "provisional" not in late.said
    assert not lake.receipt("users").partial, "over by now, so the flag changes nothing"


def test_a_month_that_has_not_begun_is_refused_with_the_flag_too(api: Any, extract: Any, make: Any, clock: Any) -> None:
    api.say(api.records([make.user(1)]))
    outcome = extract("users", "--partial", month=FEBRUARY, DEFTUNES_API_URL=api.url)
    assert outcome.code == 2
    assert "begins on 2020-02-01" in outcome.said
    assert api.asked == []


def test_the_month_is_judged_by_the_clock_at_the_begin_of_the_call(
    api: Any, extract: Any, lake: Any, make: Any, clock: Any
) -> None:
    def midnight(_: Any) -> None:
        clock(datetime(2020, 2, 1, tzinfo=UTC))

    api.say(api.records([make.user(1)], then=midnight))
    assert extract("users", "--partial", DEFTUNES_API_URL=api.url).code == 0
    assert lake.receipt("users").partial


def test_a_provisional_catalogue_is_replaced_by_a_smaller_one(extract: Any, songs: Any, clock: Any) -> None:
    songs.fill(1000)
    assert extract("songs", "--partial", DEFTUNES_SONGS_DSN=songs.dsn).code == 0
    songs.sql("DELETE FROM deftunes.songs WHERE track_id > 'TR0000000000000500'")
    assert extract("songs", "--partial", DEFTUNES_SONGS_DSN=songs.dsn).code == 0
    clock(datetime(2020, 2, 1, tzinfo=UTC))
    assert extract("songs", DEFTUNES_SONGS_DSN=songs.dsn).code == 0
    songs.sql("DELETE FROM deftunes.songs WHERE track_id > 'TR0000000000000100'")
    shrunk = extract("songs", DEFTUNES_SONGS_DSN=songs.dsn)
    assert shrunk.code == 65, "a whole one is the measure again"
    assert "the 500 records delivered for [2020-01-01, 2020-02-01)" in shrunk.said


def test_a_provisional_catalogue_of_another_month_is_a_whole_catalogue(extract: Any, songs: Any, clock: Any) -> None:
    songs.fill(1000)
    assert extract("songs", "--partial", DEFTUNES_SONGS_DSN=songs.dsn).code == 0
    clock(datetime(2020, 3, 1, tzinfo=UTC))
    songs.sql("DELETE FROM deftunes.songs WHERE track_id > 'TR0000000000000500'")
    assert extract("songs", month=FEBRUARY, DEFTUNES_SONGS_DSN=songs.dsn).code == 65
