"""Every paging style against every way in which pages can be wrong: each read ends right or refused, never short."""

from __future__ import annotations

import json
from typing import Any

import pytest
from paged_server import PAGINATORS, Answer

STYLES = sorted(PAGINATORS)
SIZE = 11
"""Records: two full pages of four and one of three."""


@pytest.fixture
def users(make: Any) -> list[dict[str, Any]]:
    return [make.user(number) for number in range(1, SIZE + 1)]


@pytest.mark.parametrize("style", STYLES)
def test_all_pages_land_in_order_and_verbatim(paged: Any, users: Any, style: str) -> None:
    server = paged.server(style, users)
    outcome = paged.extract(server)
    assert (outcome.code, outcome.said) == (0, f"delivered {SIZE}; ")
    assert paged.landed() == users
    assert all("from=2020-01-01" in asked and "until=2020-01-31" in asked for asked in server.requests)
    assert len(server.requests) == 3


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("number", [0, 1, 4, 8])
def test_borders_of_pages(paged: Any, users: Any, style: str, number: int) -> None:
    outcome = paged.extract(paged.server(style, users[:number]))
    if number:
        assert outcome.code == 0, outcome.said
        assert paged.landed() == users[:number]
    else:
        assert (outcome.code, "--allow-empty" in outcome.said) == (65, True)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("status", [404, 410, 500])
def test_a_last_page_that_was_announced_and_fails_is_tried_again_and_then_temporary(
    paged: Any, users: Any, style: str, status: int
) -> None:
    server = paged.server(style, users)

    def fault(answer: Answer) -> None:
        answer.status = status if answer.page == 2 else 200

    server.fault = fault
    outcome = paged.extract(server)
    assert (outcome.code, len(server.requests)) == (75, 2 + 3)
    assert f"answers {status}" in outcome.said
    assert "page 3" in outcome.said
    assert not paged.lake.content()


@pytest.mark.parametrize("style", STYLES)
def test_a_last_page_that_is_missing_unannounced_is_refused_by_the_total(paged: Any, users: Any, style: str) -> None:
    server = paged.server(style, users)

    def fault(answer: Answer) -> None:
        if answer.page == 1:
            answer.headers.pop("Link", None)
            answer.paging |= {"next": None, "cursor": None, "pages": 2}
        if answer.page == 2:
            answer.records = []

    server.fault = fault
    outcome = paged.extract(server)
    assert outcome.code == 65
    assert "expected 11 records on all pages, as the API says, found 8" in outcome.said
    assert not paged.lake.content()


@pytest.mark.parametrize("style", STYLES)
def test_a_page_that_comes_twice_is_refused(paged: Any, users: Any, style: str) -> None:
    server = paged.server(style, users + users[:1])

    def fault(answer: Answer) -> None:
        if answer.page == 2:
            answer.records = users[4:8]

    server.fault = fault
    outcome = paged.extract(server)
    assert outcome.code == 65
    assert "expected other records than on page 2, found the same 4 again" in outcome.said
    assert not paged.lake.content()


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("lasting", [False, True])
def test_records_that_move_while_they_are_read_start_the_read_again(
    paged: Any, users: Any, make: Any, style: str, lasting: bool
) -> None:
    server = paged.server(style, list(users))
    inserted: list[int] = []

    def fault(answer: Answer) -> None:
        if answer.page == 0 and (lasting or not inserted):
            inserted.append(0)
            server.records.insert(0, make.user(100 + len(inserted)))

    server.fault = fault
    outcome = paged.extract(server)
    if lasting:
        assert outcome.code == 65
        assert "the list changed while it was read" in outcome.said
        assert not paged.lake.content()
    else:
        assert outcome.code == 0, outcome.said
        assert paged.landed() == server.records


@pytest.mark.parametrize("style", STYLES)
def test_a_record_that_is_deleted_while_pages_are_read_is_noticed_by_the_total(
    paged: Any, users: Any, style: str
) -> None:
    server = paged.server(style, list(users))

    def fault(answer: Answer) -> None:
        if answer.page == 0 and len(server.records) == SIZE:
            del server.records[0]

    server.fault = fault
    outcome = paged.extract(server)
    assert outcome.code == 0, outcome.said
    assert paged.landed() == server.records
    assert "expected a total of 11 records as on the pages before, found 10" in outcome.log


def test_records_that_move_without_a_total_are_noticed_by_their_keys(paged: Any, users: Any, make: Any) -> None:
    server = paged.server("offset", list(users))

    def fault(answer: Answer) -> None:
        if answer.page == 0:
            server.records.insert(0, make.user(100 + len(server.records)))

    server.fault = fault
    outcome = paged.extract(server, paginator={"type": "offset", "limit": 4, "stop_after_empty_page": True})
    assert outcome.code == 65
    assert "expected records that no page before had, found 1 that came before" in outcome.said


@pytest.mark.parametrize("style", STYLES)
def test_another_version_of_the_list_starts_the_read_again(paged: Any, users: Any, style: str) -> None:
    server = paged.server(style, users)

    def fault(answer: Answer) -> None:
        answer.headers["X-Version"] = "2" if answer.page or answer.attempt > 1 else "1"

    server.fault = fault
    outcome = paged.extract(server, paginator=PAGINATORS[style] | {"version_header": "X-Version"})
    assert outcome.code == 0, outcome.said
    assert paged.landed() == users
    assert "expected X-Version: 1 as on the pages before, found 2" in outcome.log


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("fault_name", ["cut", "500", "429", "html", "error object"])
def test_a_page_that_fails_once_is_read_again_and_lands_once(
    paged: Any, users: Any, style: str, fault_name: str, pauses: list[float]
) -> None:
    server = paged.server(style, users)

    def fault(answer: Answer) -> None:
        if answer.attempt > 1:
            return
        if fault_name == "cut":
            answer.cut = 0.8
        elif fault_name in ("500", "429"):
            answer.status = int(fault_name)
            answer.headers["Retry-After"] = "7"
        elif fault_name == "html":
            answer.text, answer.headers["Content-Type"] = "<html>", "text/html"
        else:
            answer.text = '{"data": {"items": []}, "errors": ["database is away"]}'

    server.fault = fault
    outcome = paged.extract(server)
    assert outcome.code == 0, outcome.said
    assert paged.landed() == users
    assert len(server.requests) == 6
    assert pauses == [7, 7, 7] or fault_name not in ("500", "429")


@pytest.mark.parametrize("style", ["header_link", "json_link", "cursor"])
def test_pages_without_end_are_refused(paged: Any, users: Any, style: str) -> None:
    server = paged.server(style, users)

    def fault(answer: Answer) -> None:
        if answer.page == 1:
            again = "/api/users?from=2020-01-01&until=2020-01-31&after=4"
            answer.headers |= {"Link": f'<{again}>; rel="next"'} if style == "header_link" else {}
            answer.paging |= {"next": again, "cursor": "4"}

    server.fault = fault
    outcome = paged.extract(server)
    assert (outcome.code, len(server.requests)) == (65, 2)
    assert "the pages never end" in outcome.said


@pytest.mark.parametrize("style", ["header_link", "json_link", "cursor"])
def test_an_empty_page_that_announces_another_is_passed(paged: Any, users: Any, style: str) -> None:
    server = paged.server(style, users)

    def fault(answer: Answer) -> None:
        if answer.page == 1:
            answer.records = []
        answer.paging["total"] = SIZE - 4
        answer.headers |= {"X-Total-Count": str(SIZE - 4)} if style == "header_link" else {}

    server.fault = fault
    outcome = paged.extract(server)
    assert outcome.code == 0, outcome.said
    assert paged.landed() == users[:4] + users[8:]


@pytest.mark.parametrize("style", ["offset", "page_number"])
def test_an_empty_page_before_the_last_is_refused_where_pages_are_counted(paged: Any, users: Any, style: str) -> None:
    server = paged.server(style, users)

    def fault(answer: Answer) -> None:
        if answer.page == 1:
            answer.records = []

    server.fault = fault
    assert paged.extract(server).code == 65


@pytest.mark.parametrize("style", ["header_link", "json_link"])
@pytest.mark.parametrize(
    "target", ["http://elsewhere.example/users?page=2", "//127.0.0.1:1/users", "https://127.0.0.1/"]
)
def test_the_next_page_must_be_on_the_same_origin(paged: Any, users: Any, style: str, target: str) -> None:
    server = paged.server(style, users)

    def fault(answer: Answer) -> None:
        answer.paging["next"] = target
        answer.headers |= {"Link": f'<{target}>; rel="next"'} if style == "header_link" else {}

    server.fault = fault
    outcome = paged.extract(server)
    assert (outcome.code, len(server.requests)) == (65, 1)
    assert "same scheme, host and port" in outcome.said


@pytest.mark.parametrize(
    ("style", "paginator", "named"),
    [
        ("cursor", {"type": "cursor", "cursor_path": "paging.nxt", "cursor_param": "after"}, "cursor: 4"),
        ("json_link", {"type": "json_link", "next_url_path": "paging.nxt"}, "next: "),
        ("json_link", {"type": "json_link", "next_url_path": "paging.total"}, "a URL at paging.total"),
        ("cursor", {"type": "cursor", "cursor_path": "data.n", "cursor_param": "after"}, "a cursor at data.n"),
        ("cursor", {"type": "cursor", "cursor_path": "paging.cursor", "cursor_param": "afer"}, "same 4 again"),
        ("offset", {"type": "offset", "limit": 4, "total_path": "paging.totl"}, "a number at paging.totl"),
        ("offset", {"type": "offset", "limit": 4, "has_more_path": "paging.more"}, "true or false at paging.more"),
        ("header_link", {"type": "header_link", "links_next_key": "following"}, "Link: </api/users"),
        ("header_link", {"type": "header_link", "total_records_header": "X-Totl"}, "a number in header X-Totl"),
    ],
)
def test_a_paginator_that_does_not_fit_the_api_is_refused_and_never_short(
    paged: Any, users: Any, style: str, paginator: dict[str, Any], named: str
) -> None:
    outcome = paged.extract(paged.server(style, users), paginator=paginator)
    assert outcome.code == 65
    assert named in outcome.said
    assert not paged.lake.content()


@pytest.mark.parametrize("style", ["offset", "page_number"])
def test_has_more_ends_counted_pages(paged: Any, users: Any, style: str) -> None:
    server = paged.server(style, users)

    def fault(answer: Answer) -> None:
        answer.paging = {"has_more": answer.page < 2}

    server.fault = fault
    base = {"type": "offset", "limit": 4} if style == "offset" else {"type": "page_number", "base_page": 1}
    assert paged.extract(server, paginator=base | {"has_more_path": "paging.has_more"}).code == 0
    assert paged.landed() == users


@pytest.mark.parametrize("style", ["offset", "page_number"])
def test_an_end_by_an_empty_page_is_asked_for_and_noted_in_the_receipt(paged: Any, users: Any, style: str) -> None:
    base = {"type": "offset", "limit": 4} if style == "offset" else {"type": "page_number", "base_page": 1}
    server = paged.server(style, users)
    outcome = paged.extract(server, paginator=base | {"stop_after_empty_page": True})
    assert outcome.code == 0, outcome.said
    assert paged.landed() == users
    assert "stop_after_empty_page" in paged.lake.receipt("users").warnings[0]
    assert len(server.requests) == 4


def test_a_server_that_gives_fewer_records_than_the_limit_loses_none(paged: Any, users: Any) -> None:
    server = paged.server("offset", users, size=3)
    assert paged.extract(server).code == 0
    assert paged.landed() == users


def test_lines_of_ndjson_in_pages(paged: Any, users: Any) -> None:
    server = paged.server("header_link", users)
    server.ndjson = True
    assert paged.extract(server, response_format="ndjson").code == 0
    assert [json.dumps(line) for line in paged.landed()] == [json.dumps(user) for user in users]
