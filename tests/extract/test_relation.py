"""Relations as a contract describes them, out of a real PostgreSQL: which rows land, and what is refused how."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from relations import Books, refunds

from deftunes_contract.interval import Interval

FEBRUARY = Interval(date(2020, 2, 1), date(2020, 3, 1))
BY_TIME = {"incremental": {"column": "refunded_at"}}


@pytest.fixture
def books(database: Any, lake: Any) -> Books:
    return Books(database.dsn, lake)


def test_a_month_is_what_lies_in_it_by_the_microsecond(books: Books) -> None:
    books.create()
    for refund, at in (
        ("r0", "2019-12-31 23:59:59.999999"),
        ("r1", "2020-01-01 00:00:00"),
        ("r2", "2020-01-31 23:59:59.999999"),
        ("r3", "2020-02-01 00:00:00"),
    ):
        books.add(refund, at)
    entity = refunds(BY_TIME, eventTime="refunded_at", amount="amount")
    assert books.extract(entity) == (0, "delivered 2; ")
    assert [row[0] for row in books.rows()] == ["r1", "r2"]
    found = books.receipt()
    assert (found.records, found.amount) == (2, Decimal("3.00"))
    assert (found.min_time, found.max_time) == (
        datetime(2020, 1, 1),
        datetime(2020, 1, 31, 23, 59, 59, 999999),
    )
    assert books.extract(entity, FEBRUARY)[0] == 0
    assert [row[0] for row in books.rows(FEBRUARY)] == ["r3"]
    assert found.source.endswith("/deftunes books.refunds")


def test_a_lookback_reads_what_became_visible_late(books: Books) -> None:
    books.create()
    books.add("late", "2020-01-30 00:00:00", updated="2020-01-31 18:00:00")
    books.add("later", "2020-01-30 00:00:00", updated="2020-01-31 17:59:59")
    entity = refunds({"incremental": {"column": "updated_at", "lookback": "PT6H"}})
    assert books.extract(entity, FEBRUARY)[0] == 0
    assert [row[0] for row in books.rows(FEBRUARY)] == ["late"]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
def test_times_with_a_zone_land_in_utc_whatever_the_server_shows(books: Books, zone: str) -> None:
    books.create(times="timestamptz")
    books.add("r1", "2020-01-01 05:29:59+05:30")  # 2019-12-31 23:59:59 UTC
    books.add("r2", "2020-01-01 05:30:00+05:30")
    books.sql(f"ALTER ROLE postgres SET TimeZone = '{zone}'", "ALTER ROLE postgres SET DateStyle = 'German'")
    try:
        assert books.extract(refunds(BY_TIME, eventTime="refunded_at"))[0] == 0
    finally:
        books.sql("ALTER ROLE postgres RESET ALL")
    assert [row[0] for row in books.rows()] == ["r2"]
    assert books.rows()[0][3] == "2020-01-01 00:00:00"
    assert books.receipt().min_time == datetime(2020, 1, 1)


def test_a_date_bounds_a_month_too(books: Books) -> None:
    books.create(times="date")
    for refund, day in (("r0", "2019-12-31"), ("r1", "2020-01-01"), ("r2", "2020-01-31"), ("r3", "2020-02-01")):
        books.add(refund, day)
    code, said = books.extract(refunds(BY_TIME))
    assert code == 0
    assert "column refunded_at is date, the contract says timestamp" in said
    assert [row[0] for row in books.rows()] == ["r1", "r2"]


def test_a_condition_and_an_increment_both_hold(books: Books) -> None:
    books.create()
    books.add("r1", "2020-01-05", amount="1")
    books.add("r2", "2020-01-05", amount="2")
    books.add("r3", "2020-02-05", amount="3")
    books.sql("INSERT INTO books.refunds VALUES ('r4', 'it''s (a) ; --', 4, '2020-01-05', '2020-01-05')")
    where = "amount = 1 or payment_id = 'it''s (a) ; --' or amount = 3"
    assert books.extract(refunds({**BY_TIME, "where": where}, amount="amount", eventTime="refunded_at"))[0] == 0
    assert [row[0] for row in books.rows()] == ["r1", "r4"]
    assert books.receipt().amount == Decimal("5.00")


def test_a_condition_that_the_server_does_not_understand_is_named(books: Books) -> None:
    books.create()
    code, said = books.extract(refunds({"where": "amont > 0"}))
    assert code == 2
    assert 'column "amont" does not exist' in said
    assert "DEFTUNES_BOOKS_DSN or the relation of contract refunds" in said
    assert books.lake.content() == {}


def test_a_condition_cannot_write(books: Books) -> None:
    books.create()
    books.add("r1", "2020-01-05")
    books.sql(
        "CREATE FUNCTION books.strike() RETURNS bool LANGUAGE plpgsql AS "
        "$$ BEGIN DELETE FROM books.refunds; RETURN true; END $$"
    )
    code, said = books.extract(refunds({"where": "books.strike()"}))
    assert (code, "read-only transaction" in said) == (2, True)
    assert books.sql("SELECT count(*) FROM books.refunds") == [(1,)]


def test_names_are_taken_as_they_are_spelled(books: Books) -> None:
    """Mixed case, blanks, quotes and a dot: what a contract says is one name, and never SQL."""
    weird = 'Refunds; drop table "x".y --'
    quoted = weird.replace('"', '""')
    books.sql(
        'CREATE SCHEMA IF NOT EXISTS "Büro 1"',
        f'DROP TABLE IF EXISTS "Büro 1"."{quoted}"',
        f'CREATE TABLE "Büro 1"."{quoted}" ("Refund Id" text PRIMARY KEY, "select" text, "AMOUNT" numeric(10,2), '
        'refunded_at timestamp NOT NULL, "Updated""At" timestamp)',
        f"INSERT INTO \"Büro 1\".\"{quoted}\" VALUES ('r1', 'p', 1.50, '2020-01-02', '2020-01-03')",
    )
    columns = {"refund_id": "Refund Id", "payment_id": "select", "amount": "AMOUNT", "updated_at": 'Updated"At'}
    entity = refunds(
        {"schema": "Büro 1", "table": weird, "columns": columns, **BY_TIME}, amount="amount", eventTime="refunded_at"
    )
    try:
        assert books.extract(entity) == (0, "delivered 1; ")
    finally:
        books.sql('DROP SCHEMA "Büro 1" CASCADE')
    assert books.rows() == [["r1", "p", "1.50", "2020-01-02 00:00:00", "2020-01-03 00:00:00"]]
    assert books.receipt().amount == Decimal("1.50")


@pytest.mark.parametrize("kind", ["view", "materialized view", "partitioned table"])
def test_every_kind_of_relation_is_read(books: Books, kind: str) -> None:
    books.create(name="base", key="")
    books.sql("INSERT INTO books.base VALUES ('r1', 'p', 1.50, '2020-01-02', '2020-01-02')")
    if kind == "partitioned table":
        books.sql(
            "CREATE TABLE books.refunds (LIKE books.base) PARTITION BY RANGE (refunded_at)",
            "CREATE TABLE books.january PARTITION OF books.refunds FOR VALUES FROM ('2020-01-01') TO ('2020-02-01')",
            "CREATE TABLE books.others PARTITION OF books.refunds DEFAULT",
            "INSERT INTO books.refunds SELECT * FROM books.base",
            "INSERT INTO books.refunds VALUES ('r2', 'p', 1.50, '2020-02-02', '2020-01-02')",
        )
    else:
        books.sql(f"CREATE {kind} books.refunds AS SELECT * FROM books.base")
    assert books.extract(refunds(BY_TIME))[0] == 0
    assert [row[0] for row in books.rows()] == ["r1"]


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ("DROP TABLE books.refunds", 2, "does not exist"),
        ("ALTER TABLE books.refunds RENAME payment_id TO payment", 65, "column payment_id is missing"),
        ("ALTER TABLE books.refunds DROP COLUMN updated_at", 65, "column updated_at is missing"),
        ("ALTER TABLE books.refunds ALTER amount TYPE text", 65, "amount is text, the contract says decimal(10,2)"),
        ("ALTER TABLE books.refunds ALTER refunded_at TYPE text", 65, "refunded_at is text, expected a timestamp"),
        ("ALTER TABLE books.refunds ALTER amount TYPE money USING 1::money", 65, "amount is money"),
    ],
)
def test_a_relation_of_another_shape_is_refused(books: Books, change: str, code: int, words: str) -> None:
    books.create()
    books.add("r1", "2020-01-05")
    entity = refunds(BY_TIME)
    assert books.extract(entity)[0] == 0
    before = books.lake.content()
    books.sql(change)
    ended, said = books.extract(entity)
    assert ended == code
    assert words in said
    assert books.lake.content() == before


def test_a_role_without_rights_is_a_usage_error(books: Books) -> None:
    books.create()
    books.sql("DROP ROLE IF EXISTS clerk", "CREATE ROLE clerk LOGIN", "GRANT USAGE ON SCHEMA books TO clerk")
    books.sql("GRANT SELECT (refund_id, payment_id) ON books.refunds TO clerk")
    try:
        code, said = books.extract(refunds({}), dsn=books.dsn.replace("postgres@", "clerk@"))
    finally:
        books.sql("DROP OWNED BY clerk", "DROP ROLE clerk")
    assert code == 2
    assert "permission denied for table refunds" in said


# --- the key ---


def test_keys_that_repeat_are_noticed_or_refused(books: Books) -> None:
    books.create(key="")
    for refund in ("r1", "r1", "r2", "r2", "r3"):
        books.add(refund, "2020-01-05")
    books.sql("UPDATE books.refunds SET refund_id = NULL WHERE refund_id = 'r3'")
    twice, missing = "2 keys (refund_id) on several rows", "1 rows without refund_id, which is of the key"
    code, said = books.extract(refunds({}))
    assert (code, said) == (0, f"delivered 5; {twice}; {missing}")
    assert books.receipt().warnings == (twice, missing)
    assert books.extract(refunds({"key_check": "off"})) == (0, "delivered 5; ")
    kept = books.lake.content()
    code, said = books.extract(refunds({"key_check": "fail"}))
    assert code == 65
    assert f"expected each row once, by refund_id, found {twice}; {missing}" in said
    assert books.lake.content() == kept


def test_keys_outside_of_the_interval_do_not_count(books: Books) -> None:
    books.create(key="")
    books.add("r1", "2020-01-05")
    books.add("r1", "2020-02-05")
    assert books.extract(refunds({**BY_TIME, "key_check": "fail"}))[0] == 0


@pytest.mark.parametrize(
    ("index", "is_kept"),
    [
        ("CREATE UNIQUE INDEX ON books.refunds (refund_id)", True),
        ("CREATE UNIQUE INDEX ON books.refunds (refund_id) INCLUDE (amount)", True),
        ("CREATE UNIQUE INDEX ON books.refunds (refund_id, payment_id)", False),
        ("CREATE UNIQUE INDEX ON books.refunds (refund_id) WHERE amount > 0", False),
        ("CREATE UNIQUE INDEX ON books.refunds (lower(refund_id))", False),
        ("ALTER TABLE books.refunds ADD UNIQUE (refund_id) DEFERRABLE", False),
        ("CREATE INDEX ON books.refunds (refund_id)", False),
    ],
)
def test_only_an_index_that_keeps_the_key_spares_the_count(books: Books, index: str, is_kept: bool) -> None:
    books.create(key="NOT NULL")
    books.sql(index)
    books.add("r1", "2020-01-05")
    books.sql("SELECT pg_stat_reset()")
    assert books.extract(refunds({}))[0] == 0
    statements = books.sql(
        "SELECT seq_scan + coalesce(idx_scan, 0) FROM pg_stat_user_tables WHERE schemaname = 'books'"
    )
    # the copy reads it once; counting the key reads it again
    assert statements == [(1,)] if is_kept else statements[0][0] > 1


def test_rows_that_no_interval_has_are_counted(books: Books) -> None:
    books.create()
    books.add("r1", "2020-01-05")
    books.sql("INSERT INTO books.refunds (refund_id, payment_id) VALUES ('r2', 'p'), ('r3', 'p')")
    assert books.extract(refunds(BY_TIME)) == (
        0,
        "delivered 1; 2 rows without refunded_at, which are in no interval",
    )


# --- figures ---


@pytest.mark.parametrize("kind", ["numeric", "double precision", "real", "integer"])
def test_money_is_summed_as_everywhere(books: Books, kind: str) -> None:
    books.create()
    books.sql(f"ALTER TABLE books.refunds ALTER amount TYPE {kind}")
    prices = ["0.1", "0.2", "1.005", "100000000", "-0.3", "NaN", None]
    for number, price in enumerate(prices):
        if kind == "integer" and price in ("NaN",):
            continue
        books.add(f"r{number}", "2020-01-05", amount="NULL" if price is None else f"'{price}'::numeric::{kind}")
    entity = refunds(BY_TIME, amount="amount", eventTime="refunded_at")
    assert books.extract(entity)[0] == 0
    # 1.005 has three decimals, 10^8 is too large, NaN is no price; integers are rounded: 0 + 0 + 1 + 0
    assert books.receipt().amount == (Decimal("1.00") if kind == "integer" else Decimal("0.00"))


def test_times_that_no_calendar_has_land_and_are_left_out_of_the_range(books: Books) -> None:
    books.create()
    books.add("r1", "2020-01-05")
    books.add("r2", "infinity")
    books.add("r3", "0044-03-15 BC")
    assert books.extract(refunds({}, eventTime="refunded_at"))[0] == 0
    assert len(books.rows()) == 3
    assert (books.receipt().min_time, books.receipt().max_time) == (datetime(2020, 1, 5),) * 2
