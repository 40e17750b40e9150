"""No sequence of faults over pages ends with success and other records than the source holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from paged_server import PAGINATORS, Answer, PagedServer

SIZE = 11
Dice = Callable[[int], int]


def lost(answer: Answer, _: PagedServer, __: Dice) -> None:
    answer.records = []


def fewer(answer: Answer, _: PagedServer, dice: Dice) -> None:
    del answer.records[dice(4) :]


def another_page(answer: Answer, server: PagedServer, dice: Dice) -> None:
    start = 4 * dice(3)
    answer.records = server.records[start : start + 4]


def no_next(answer: Answer, _: PagedServer, __: Dice) -> None:
    answer.headers.pop("Link", None)
    answer.paging |= {"next": None, "cursor": None, "pages": answer.page + 1}


def back(answer: Answer, _: PagedServer, dice: Dice) -> None:
    url = f"/api/users?from=2020-01-01&until=2020-01-31&after={4 * dice(3)}"
    answer.headers |= {"Link": f'<{url}>; rel="next"'}
    answer.paging |= {"next": url, "cursor": str(4 * dice(3))}


def status(answer: Answer, _: PagedServer, dice: Dice) -> None:
    answer.status = (204, 206, 400, 404, 429, 500, 503)[dice(7)]


def cut(answer: Answer, _: PagedServer, dice: Dice) -> None:
    answer.cut = dice(100) / 100


def cut_text(answer: Answer, _: PagedServer, dice: Dice) -> None:
    answer.text = '{"data": {"items": [{"user_id": "x"}, {"user_id": "y"}]}, "paging": {"total": 11}}'[: dice(80)]


def error_element(answer: Answer, _: PagedServer, __: Dice) -> None:
    answer.records = [*answer.records[:2], {"error": "database is away"}]


def inserted(answer: Answer, server: PagedServer, dice: Dice) -> None:
    if len(server.records) < SIZE + 3:
        record = dict(server.records[0], user_id=f"{90 + len(server.records):08d}-0000-4000-8000-000000000000")
        server.records.insert(dice(len(server.records)), record)


def deleted(answer: Answer, server: PagedServer, dice: Dice) -> None:
    if len(server.records) > SIZE - 3:
        del server.records[dice(len(server.records))]


FAULTS = [
    lost, fewer, another_page, no_next, back, status, cut, cut_text, error_element, inserted, deleted,
]  # fmt: skip


@pytest.mark.parametrize("style", sorted(PAGINATORS))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_faults_of_pages_never_end_short(paged: Any, make: Any, style: str, data: st.DataObject) -> None:
    """Each request may meet faults, drawn as it comes; a fault in the list itself counts from the next page on."""
    server = paged.server(style, [make.user(number) for number in range(1, SIZE + 1)])
    states = [{user["user_id"] for user in server.records}]
    moved: set[str] = set()

    def dice(sides: int) -> int:
        return data.draw(st.integers(0, max(0, sides - 1)))

    def fault(answer: Answer) -> None:
        for one in data.draw(st.lists(st.sampled_from(FAULTS), max_size=2)) if dice(3) == 0 else ():
            one(answer, server, dice)
            moved.add(one.__name__)
        states.append({user["user_id"] for user in server.records})

    server.fault = fault
    for path in paged.lake.folder("users").glob("*"):
        path.unlink()
    try:
        outcome = paged.extract(server)
    finally:
        server.stop()
    assert outcome.code in (0, 65, 75), outcome.said
    if outcome.code == 0:
        lines = paged.lake.lines("users")
        landed = {json.loads(line)["user_id"] for line in lines}
        assert len(landed) == len(lines)
        assert len(landed) in map(len, states)
        # a record that goes while another one comes leaves neither total nor key as a trace (docs/sources.md)
        assert landed in states or {"inserted", "deleted"} <= moved
    else:
        assert not list(paged.lake.folder("users").glob("*"))
