"""Whatever befalls a source that answers in pages, an extract that ends with 0 has landed all that the source has.

Random sequences of faults, over a real server. What only an earlier delivery can tell (the whole month from another
shop, or a source that has forgotten rows and says nothing of it) is the business of the quality gate.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

PAGES, ON_A_PAGE = 4, 5
SIZE = PAGES * ON_A_PAGE


@dataclass
class Reply:
    """What one request gets: pages of records, and what the head says of them."""

    pages: list[list[Any]]
    headers: list[tuple[str, str]] = field(default_factory=list)
    status: int = 200
    cut: float = 1.0
    """Share of the body that arrives."""

    @property
    def came(self) -> int:
        return sum(map(len, self.pages))

    def body(self) -> bytes:
        text = json.dumps([record for page in self.pages for record in page]).encode()
        return text[: int(len(text) * self.cut)]


def announce(reply: Reply, how: int) -> None:
    """Say in one of many ways that the source has more than this."""
    pages = f"{PAGES + 1}"
    reply.headers += [
        [("Link", '</users?page=2>; rel="next"')],
        [("X-Total-Count", str(SIZE))],
        [("X-Acme-Records-Total", str(SIZE))],
        [("X-Total-Pages", pages)],
        [("X-Has-More", "true")],
        [("X-More-Rows-Available", "yes")],
        [("X-Next-Cursor", "eyJpZCI6MX0")],
        [("Content-Range", f"items 0-{max(reply.came - 1, 0)}/{SIZE}")],
        [("X-Pagination", json.dumps({"total": SIZE, "page": 1}))],
        [("x-resultset-totalcount", str(SIZE))],
    ][how]


def page_missing(reply: Reply, dice: Callable[[int], int]) -> None:
    if reply.pages:
        del reply.pages[dice(len(reply.pages))]
        announce(reply, dice(10))


def page_twice(reply: Reply, dice: Callable[[int], int]) -> None:
    if reply.pages:
        reply.pages.insert(dice(len(reply.pages) + 1), list(reply.pages[dice(len(reply.pages))]))


def error_element(reply: Reply, dice: Callable[[int], int]) -> None:
    """The server fails half way, says so in the place of a record, and closes the array."""
    error = [
        {"error": "statement timeout"},
        {"message": "no", "code": 7, "user_name": None},
        "ERROR: out of memory",
        {},
    ]
    place = dice(len(reply.pages) + 1)
    reply.pages[place:] = [[error[dice(len(error))]]]


def fewer_rows(reply: Reply, dice: Callable[[int], int]) -> None:
    if reply.came < SIZE:
        return
    for page in reply.pages:
        del page[dice(2) + 3 :]
    announce(reply, dice(10))


def other_source(reply: Reply, dice: Callable[[int], int]) -> None:
    """A proxy, a login page or a maintenance notice answers instead."""
    other = [[(200, [[]])], [(503, reply.pages)], [(204, [[]])], [(206, reply.pages)], [(302, [[]])]][dice(5)]
    reply.status, reply.pages = other[0]


def unknown_header(reply: Reply, dice: Callable[[int], int]) -> None:
    """Something is missing at the end, and the head says so in words of its own."""
    reply.pages = reply.pages[:-1]
    names = ["X-Acme-More", "X-Rows-Truncated", "X-Shop-Next-Page-Token", "X-Is-Incomplete", "X-List-Has-More-Items"]
    reply.headers.append((names[dice(len(names))], "true"))


def cut_short(reply: Reply, dice: Callable[[int], int]) -> None:
    reply.cut = dice(100) / 100


FAULTS = [page_missing, page_twice, error_element, fewer_rows, other_source, unknown_header, cut_short]


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(sequences=st.lists(st.lists(st.sampled_from(FAULTS), max_size=3), min_size=1, max_size=3), data=st.data())
def test_no_sequence_of_faults_ends_with_success_and_fewer_rows(
    api: Any, extract: Any, lake: Any, make: Any, sequences: list[list[Any]], data: st.DataObject
) -> None:
    """Each attempt meets its own sequence of faults; the last one repeats."""

    def dice(sides: int) -> int:
        return data.draw(st.integers(0, sides - 1))

    replies = []
    for faults in sequences:
        users = [make.user(number) for number in range(1, SIZE + 1)]
        reply = Reply([users[start : start + ON_A_PAGE] for start in range(0, SIZE, ON_A_PAGE)])
        for fault in faults:
            fault(reply, dice)
        replies.append(api.body(reply.body(), reply.status, headers=dict(reply.headers)))
    api.say(*replies)
    for path in lake.folder("users").glob("*"):
        path.unlink()
    outcome = extract("users", DEFTUNES_API_URL=api.url, DEFTUNES_EXTRACT_ATTEMPTS=3)
    assert outcome.code in (0, 2, 65, 75)
    if outcome.code == 0:
        landed = {json.loads(line)["user_id"] for line in lake.lines("users")}
        assert len(landed) == SIZE
    else:
        assert not list(lake.folder("users").glob("*"))


@pytest.mark.parametrize("faults", [[], [page_twice]])
def test_without_a_loss_the_month_is_landed(api: Any, extract: Any, lake: Any, make: Any, faults: list[Any]) -> None:
    users = [make.user(number) for number in range(1, SIZE + 1)]
    reply = Reply([users[start : start + ON_A_PAGE] for start in range(0, SIZE, ON_A_PAGE)])
    for fault in faults:
        fault(reply, lambda sides: sides - 1)
    api.say(api.body(reply.body(), headers={"X-Total-Count": str(SIZE)}))
    assert extract("users", DEFTUNES_API_URL=api.url).code == 0
    assert len(set(lake.lines("users"))) == SIZE
