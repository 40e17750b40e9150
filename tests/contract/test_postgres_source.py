"""The options of a relation: what is taken, and what is refused before any database is reached."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from deftunes_contract.interval import Interval
from deftunes_contract.postgres_source import PostgresSource, postgres_source

FEBRUARY = Interval(date(2020, 2, 1), date(2020, 3, 1))


def source(**options: Any) -> PostgresSource:
    return postgres_source("books", {}, {"table": "refunds", **options})


def test_a_relation_is_a_name_or_options() -> None:
    assert postgres_source("songs", {}, "deftunes.songs") == postgres_source(
        "songs", {}, {"schema": "deftunes", "table": "songs"}
    )
    assert postgres_source("songs", {}, "songs").name == "public.songs"
    assert postgres_source("songs", {"schema": "shop"}, "songs").name == "shop.songs"
    # whatever is no plain name is the name of one table
    assert postgres_source("songs", {}, "Order Lines.2020").table == "Order Lines.2020"


def test_columns_are_those_of_the_record_unless_the_relation_has_other_names() -> None:
    assert source(columns=["refund_id"]) == source(columns={"refund_id": "refund_id"})
    renamed = source(columns={"refund_id": "Refund Id"})
    assert (renamed.column_of("refund_id"), renamed.column_of("amount")) == ("Refund Id", "amount")


def test_an_increment_is_the_interval_and_the_time_before_it() -> None:
    plain = source(incremental={"column": "refunded_at"}).incremental
    assert plain
    assert plain.bounds(FEBRUARY) == (datetime(2020, 2, 1, tzinfo=UTC), datetime(2020, 3, 1, tzinfo=UTC))
    wider = source(incremental={"column": "updated_at", "lookback": "P1DT6H"}).incremental
    assert wider
    assert wider.bounds(FEBRUARY) == (datetime(2020, 1, 30, 18, tzinfo=UTC), datetime(2020, 3, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    "where",
    ["status = 'paid'", "note <> ';--' and \"Kind /*\" in ('a', ')')", "(a or b)\n and not (c = 'it''s')", "a in (1)"],
)
def test_one_closed_condition_is_taken(where: str) -> None:
    assert source(where=where).where == where


@pytest.mark.parametrize(
    "where",
    [
        "",
        "  ",
        "true; drop table refunds",
        "true -- and what follows",
        "true /* and",
        "true) union select * from secrets where (true",
        "(true",
        "true)",
        "note = 'open",
        'note = "open',
        "note = E'\\''",
        "note = $$x$$",
        "note = E'\\'' or (true) --'",
        "a = 1\0",
    ],
)
def test_anything_else_in_a_condition_is_refused(where: str) -> None:
    with pytest.raises(ValidationError, match="expected one SQL condition"):
        source(where=where)


@pytest.mark.parametrize(
    "options",
    [
        {"table": ""},
        {"table": "x" * 64},
        {"table": "é" * 32},
        {"table": "a\0b"},
        {"schema": ""},
        {"columns": {"a": ""}},
        {"incremental": {"column": "a", "lookback": "-P1D"}},
        {"incremental": {"lookback": "P1D"}},
        {"dsn": "postgresql://anna:secret@books"},
        {"key_check": "maybe"},
    ],
)
def test_wrong_options_are_named(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        source(**options)
    assert caught.value.errors()[0]["loc"][0] in (*options, "schema_")
