"""An interval read in slices out of a real PostgreSQL: killed, failed, changed under the reader, and never short."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest
from aws_fakes import aws_fakes, environment_of
from pg_reader import JANUARY, reader
from relations import Books, refunds

from deftunes_contract.allowances import Allowance, Allowances, Guard
from deftunes_contract.object_store import open_store
from deftunes_contract.receipt import Receipt
from deftunes_contract.retry import Deadline
from deftunes_extract.source import LoadTotals, Put

KILL = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'deftunes-extract'"
RELATION = {"incremental": {"column": "refunded_at", "slice_days": 7}}
SLICES = 5


class Watched:
    """A reader that notes the slices it reads; `during` is called in the middle of each."""

    def __init__(self, books: Books, during: Callable[[int], object] = lambda _: None, **relation: Any) -> None:
        self.entity = refunds(RELATION | relation, amount="amount", eventTime="refunded_at")
        self.inner = reader(books.dsn, self.entity, JANUARY)
        self.name, self.during, self.read_slices = self.inner.name, during, list[int]()

    def read(self, deadline: Deadline, put: Put) -> LoadTotals:
        raise AssertionError("not in slices")

    def slices(self) -> Sequence[str]:
        return self.inner.slices()

    def read_slice(self, number: int, deadline: Deadline, put: Put) -> tuple[int, str]:
        self.read_slices.append(number)
        first = True

        def disturbing(lines: bytes, count: int) -> None:
            nonlocal first
            put(lines, count)
            if first:
                first = False
                self.during(number)

        return self.inner.read_slice(number, deadline, disturbing)

    def summary(self, deadline: Deadline) -> tuple[LoadTotals, Sequence[str]]:
        return self.inner.summary(deadline)


@pytest.fixture
def books(database: Any, lake: Any) -> Books:
    """31 days with 40 refunds each, and the neighbours of the month."""
    made = Books(database.dsn, lake)
    made.create()
    made.sql(
        "INSERT INTO books.refunds SELECT 'r' || lpad(i::text, 5, '0'), 'p', 1.25, t, t FROM ("
        "SELECT i, timestamp '2019-12-31' + i * interval '36 minutes' AS t FROM generate_series(1, 1320) i) times"
    )
    return made


def interrupt(at: int) -> Callable[[int], object]:
    """Ends the extract in the middle of a slice."""

    def during(number: int) -> None:
        if number == at:
            raise KeyboardInterrupt

    return during


def land(books: Books, source: Watched, **how: Any) -> tuple[int, str]:
    ended: tuple[int, str] = books.extract(source.entity, source=source, **how)
    return ended


def add_many(books: Books, day: str) -> None:
    """So many rows of a day that the server is still sending when it is disturbed."""
    books.sql(
        f"INSERT INTO books.refunds SELECT 'x' || i, repeat('p', 900), 1, '{day}', '{day}' "
        "FROM generate_series(1, 60000) i"
    )


def expected(books: Books) -> list[list[str]]:
    """What the table has of January, as a whole."""
    rows = books.sql(
        "SELECT refund_id, payment_id, amount::text, refunded_at::text, updated_at::text FROM books.refunds "
        "WHERE refunded_at >= '2020-01-01' AND refunded_at < '2020-02-01' ORDER BY 1"
    )
    return [list(row) for row in rows]


def names(books: Books) -> set[str]:
    return {str(path.relative_to(books.folder())) for path in books.folder().rglob("*") if path.is_file()}


def check(books: Books) -> None:
    """The delivery is the table's month, its figures are the rows', and nothing else lies in the folder."""
    assert books.rows() == expected(books)
    receipt = books.receipt()
    assert receipt.records == len(expected(books)) == sum(o.records for o in receipt.objects)
    assert receipt.amount == sum(Decimal(row[2]) for row in expected(books))
    assert names(books) == {"_receipt.json", *(o.name for o in receipt.objects)}


def test_slices_land_what_the_whole_would(books: Books) -> None:
    source = Watched(books)
    assert land(books, source)[0] == 0
    assert source.read_slices == list(range(SLICES))
    assert source.slices() == [f"2020-01-{day:02d}T00:00" for day in (1, 8, 15, 22, 29)]
    check(books)
    sliced = books.receipt()
    assert [o.name[:10] for o in sliced.objects] == [f"part-{n}000" for n in ("00", "01", "02", "03", "04")]
    assert land(books, Watched(books))[0] == 0
    assert books.receipt().digest == sliced.digest
    assert (
        books.extract(refunds({"incremental": {"column": "refunded_at"}}, amount="amount", eventTime="refunded_at"))[0]
        == 0
    )
    assert (books.receipt().records, books.receipt().amount) == (sliced.records, sliced.amount)
    check(books)


def test_a_lost_connection_costs_one_slice(books: Books) -> None:
    struck: list[int] = []

    def kill_once(number: int) -> None:
        if number == 2 and not struck:
            struck.append(number)
            books.sql(KILL)

    add_many(books, "2020-01-16")
    source = Watched(books, kill_once)
    assert land(books, source)[0] == 0
    assert source.read_slices == [0, 1, 2, 2, 3, 4]
    check(books)


@pytest.mark.parametrize("at", [0, 2, 4])
def test_a_killed_extract_goes_on_with_what_is_missing(books: Books, at: int) -> None:
    child = os.fork()
    if child == 0:
        try:
            land(books, Watched(books, lambda n: os.kill(os.getpid(), signal.SIGKILL) if n == at else None))
        finally:
            os._exit(9)  # this copy of the test's process must not clean up
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert not (books.folder() / "_receipt.json").exists()
    source = Watched(books)
    assert land(books, source)[0] == 0
    assert source.read_slices == list(range(at, SLICES))
    check(books)


def test_an_extract_that_ran_out_of_attempts_goes_on_too(books: Books) -> None:
    add_many(books, "2020-01-23")
    first = Watched(books, lambda n: books.sql(KILL) if n == 3 else None)
    code, said = land(books, first, attempts=2)
    assert (code, first.read_slices) == (75, [0, 1, 2, 3, 3])
    assert "Nothing was delivered" in said
    second = Watched(books)
    assert land(books, second)[0] == 0
    assert second.read_slices == [3, 4]
    check(books)


CHANGES = {
    "updated": "UPDATE books.refunds SET amount = 9 WHERE refunded_at < '2020-01-02'",
    "deleted": "DELETE FROM books.refunds WHERE refund_id = 'r00050'",
    "added": "INSERT INTO books.refunds VALUES ('late', 'p', 2, '2020-01-01 00:00', '2020-01-01')",
    "two swapped": "UPDATE books.refunds SET amount = CASE refund_id WHEN 'r00050' THEN 3 ELSE 4 END "
    "WHERE refund_id IN ('r00050', 'r00051')",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_slice_that_changed_between_two_attempts_is_read_again(books: Books, change: str) -> None:
    stopped = Watched(books, interrupt(3))
    assert land(books, stopped)[0] not in (0, 65)
    books.sql(change)
    source = Watched(books)
    assert land(books, source)[0] == 0
    assert source.read_slices == [3, 4, 0]
    check(books)


def test_a_row_that_moves_to_another_slice_meanwhile_lands_once(books: Books) -> None:
    """From a slice that is read to one that is not, and back: each alone would double or lose it."""

    def move(number: int) -> None:
        if number == 1:
            books.sql("UPDATE books.refunds SET refunded_at = '2020-01-30' WHERE refund_id = 'r00100'")
        if number == 2:
            books.sql("UPDATE books.refunds SET refunded_at = '2020-01-02' WHERE refund_id = 'r01200'")

    source = Watched(books, move)
    assert land(books, source)[0] == 0
    assert source.read_slices == [0, 1, 2, 3, 4, 0]
    check(books)


def test_a_table_that_never_rests_is_not_delivered(books: Books) -> None:
    count = iter(range(1000))

    def insert(number: int) -> None:
        if number == 0:
            books.sql(f"INSERT INTO books.refunds VALUES ('n{next(count)}', 'p', 1, '2020-01-03', '2020-01-03')")

    code, said = land(books, Watched(books, insert), attempts=1)
    assert code == 75
    assert "rows change while they are read" in said
    assert not (books.folder() / "_receipt.json").exists()
    assert land(books, Watched(books))[0] == 0
    check(books)


def test_slices_of_another_plan_are_read_again_and_removed(books: Books) -> None:
    stopped = Watched(books, interrupt(3))
    assert land(books, stopped)[0] not in (0, 65)
    assert any(name.startswith("_slices/") for name in names(books))
    other = Watched(books, where="amount > 0")
    assert land(books, other)[0] == 0
    assert other.read_slices == list(range(SLICES))
    check(books)


@pytest.mark.parametrize("damage", ["object gone", "part unreadable"])
def test_a_damaged_slice_is_read_again(books: Books, damage: str) -> None:
    stopped = Watched(books, interrupt(3))
    assert land(books, stopped)[0] not in (0, 65)
    if damage == "object gone":
        next(books.folder().glob("part-01000-*")).unlink()
    else:
        (books.folder() / "_slices" / "00001.json").write_text('{"plan": "../x", "objects": [{"name": "../../x"}]}')
    source = Watched(books)
    assert land(books, source)[0] == 0
    assert source.read_slices == [1, 3, 4]
    check(books)


def test_guards_look_at_the_total(books: Books) -> None:
    """A refused delivery leaves the earlier one as it was, and no slices."""
    books.sql("DELETE FROM books.refunds")
    source = Watched(books)
    code, said = land(books, source)
    assert code == 65
    assert "--allow-empty refunds" in said
    assert books.lake.content() == {}
    allow = Allowances({Allowance(Guard.EMPTY, "refunds")})
    assert land(books, source, allow=allow)[0] == 0
    assert books.receipt().records == 0


def test_two_at_once_deliver_one_whole(books: Books) -> None:
    ended: list[int] = []
    gate = threading.Barrier(2, timeout=30)

    def meet(number: int) -> None:
        if number == 1:
            gate.wait()

    sources = [Watched(books, meet), Watched(books, meet)]
    first = threading.Thread(target=lambda: ended.append(land(books, sources[0])[0]))
    first.start()
    ended.append(land(books, sources[1])[0])
    first.join()
    assert ended == [0, 0]
    check(books)


def test_slices_lie_on_s3_too(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    with aws_fakes() as aws:
        for name, value in environment_of(aws).items():
            monkeypatch.setenv(name, value)
        books.store = open_store("s3://lake/lakes/one")
        assert land(books, Watched(books, interrupt(3)))[0] not in (0, 65)
        folder = "landing_zone/books/refunds/ingest_on=2020-02-01"
        assert len(list(books.store.list(f"{folder}/_slices"))) == 3
        source = Watched(books)
        assert land(books, source)[0] == 0
        assert source.read_slices == [3, 4]
        receipt = Receipt.model_validate_json(books.store.read(f"{folder}/_receipt.json") or b"")
        assert receipt.records == len(expected(books))
        names = {"_receipt.json", *(o.name for o in receipt.objects)}
        assert set(books.store.list(folder)) == {f"{folder}/{name}" for name in names}
