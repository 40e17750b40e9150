"""An interval that is requested in slices of days is one delivery: whole, or refused."""

from __future__ import annotations

from typing import Any

import pytest
from paged_server import PAGINATORS, Answer

STYLES = {**PAGINATORS, "single_page": {"type": "single_page"}}


@pytest.fixture
def users(make: Any) -> list[dict[str, Any]]:
    """Forty users; some days of January have two of them."""
    return sorted((make.user(number) for number in range(1, 41)), key=lambda user: str(user["user_since"]))


def serve(paged: Any, users: Any, style: str, size: int = 4) -> tuple[Any, dict[str, Any]]:
    server = paged.server(
        "cursor" if style == "single_page" else style, users, size=100 if style == "single_page" else size
    )
    server.by_date = True
    return server, {"paginator": STYLES[style]}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("days", [1, 10, 31])
def test_slices_are_one_delivery(paged: Any, users: Any, style: str, days: int) -> None:
    server, options = serve(paged, users, style)
    outcome = paged.extract(server, slice_days=days, **options)
    assert outcome.code == 0, outcome.said
    assert paged.landed() == users
    assert paged.lake.receipt("users").source.endswith("/api/users?from=2020-01-01&until=2020-01-31")
    asked = {request.partition("?")[2].partition("&until")[0] for request in server.requests}
    assert len(asked) == -(-31 // days)


@pytest.mark.parametrize("style", STYLES)
def test_a_slice_that_fails_once_is_read_again_and_lands_once(paged: Any, users: Any, style: str) -> None:
    server, options = serve(paged, users, style)

    def fault(answer: Answer) -> None:
        if len(server.requests) == 3:
            answer.cut = 0.7

    server.fault = fault
    assert paged.extract(server, slice_days=10, **options).code == 0
    assert paged.landed() == users


@pytest.mark.parametrize("style", STYLES)
def test_a_slice_that_is_missing_is_temporary(paged: Any, users: Any, style: str) -> None:
    server, options = serve(paged, users, style)

    def fault(answer: Answer) -> None:
        if "from=2020-01-21" in server.requests[-1]:
            answer.status = 503

    server.fault = fault
    outcome = paged.extract(server, slice_days=10, **options)
    assert (outcome.code, "from=2020-01-21" in outcome.said) == (75, True)
    assert not paged.lake.content()


@pytest.mark.parametrize("style", STYLES)
def test_an_api_that_ignores_the_dates_is_refused(paged: Any, users: Any, style: str) -> None:
    server, options = serve(paged, users, style)
    server.by_date = False
    outcome = paged.extract(server, slice_days=10, **options)
    assert outcome.code == 65
    assert "again" in outcome.said
    assert not paged.lake.content()


@pytest.mark.parametrize("style", STYLES)
def test_slices_that_overlap_are_refused(paged: Any, users: Any, style: str) -> None:
    """An end that the API takes as inside and the contract as outside."""
    server, options = serve(paged, users, style)
    params = {"from": "{start}", "until": "{end}"}
    outcome = paged.extract(server, slice_days=10, params=params, **options)
    assert outcome.code == 65
    assert "came before" in outcome.said


def test_a_slice_of_one_reply_that_announces_more_is_refused(paged: Any, users: Any) -> None:
    server = paged.server("cursor", users)
    server.by_date = True
    outcome = paged.extract(server, slice_days=10, paginator={"type": "single_page"})
    assert outcome.code == 65
    assert "more announced by total: " in outcome.said
