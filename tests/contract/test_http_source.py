"""Options of HTTP sources: dates are rendered, and what is unknown, ambiguous or secret is refused by its name."""

from __future__ import annotations

from typing import Any

import pytest

from deftunes_contract.http_source import CursorPaginator, HttpSource, http_source
from deftunes_contract.interval import Interval
from deftunes_contract.option_types import json_path, render

LEAP = Interval.of_month("2020-02")


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{start}", "2020-02-01"),
        ("{end}", "2020-03-01"),
        ("{last_day}", "2020-02-29"),
        ("{start:%d.%m.%Y}", "01.02.2020"),
        ("{last_day:%Y-%m-%d}T23:59:59Z", "2020-02-29T23:59:59Z"),
        (
            "gte:{start:%Y-%m-%dT%H:%M:%SZ},lt:{end:%Y-%m-%dT%H:%M:%SZ}",
            "gte:2020-02-01T00:00:00Z,lt:2020-03-01T00:00:00Z",
        ),
        ("{start:unix}", "1580515200"),
        ("{end:unix_ms}", "1583020800000"),
        ("{{start}}", "{start}"),
    ],
)
def test_dates_of_the_interval_are_rendered(template: str, text: str) -> None:
    assert render(template, LEAP) == text


@pytest.mark.parametrize("template", ["{now}", "{start.year}", "{start!r}", "{start:5}", "{", "{}"])
def test_other_placeholders_are_refused(template: str) -> None:
    with pytest.raises(ValueError, match="expected|single|Single"):
        http_source("api", {}, {"path": "users", "params": {"since": template}})


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("$", ()),
        ("data", ("data",)),
        ("$.data.items[*]", ("data", "items")),
        ("links[0].href", ("links", 0, "href")),
        ("meta['next page'][\"a.b\"]", ("meta", "next page", "a.b")),
    ],
)
def test_paths(text: str, steps: tuple[str | int, ...]) -> None:
    assert json_path(text) == steps


def test_an_endpoint_overrides_its_server_and_joins_headers_and_params() -> None:
    server: dict[str, Any] = {
        "headers": {"Accept-Language": "en", "X-Tenant": "a"},
        "params": {"per_page": 100},
        "auth": {"type": "bearer"},
        "paginator": {"type": "header_link"},
    }
    endpoint = {
        "path": "/v1/{start:%Y}/payments",
        "headers": {"X-Tenant": "b"},
        "params": {"from": "{start}", "deep": True},
        "paginator": {"type": "cursor", "cursor_path": "meta.next", "cursor_param": "after"},
        "data_selector": "data",
    }
    made = http_source("shop_api", server, endpoint)
    assert made.headers == {"Accept-Language": "en", "X-Tenant": "b"}
    assert made.request_params(LEAP) == {"per_page": "100", "from": "2020-02-01", "deep": "true"}
    assert made.request_path(LEAP) == "v1/2020/payments"
    assert isinstance(made.paginator, CursorPaginator)
    assert http_source("shop_api", server, "users").paginator.type == "header_link"
    assert HttpSource.model_validate(made.model_dump()) == made


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"path": "https://other.example/users"}, "path"),
        ({"path": "../admin"}, "path"),
        ({"path": "users?all=1"}, "see params"),
        ({"params": {"api_key": "hunter2"}}, "api_key is a secret by its name"),
        ({"headers": {"Authorization": "Bearer x"}}, "Authorization is a secret by its name"),
        ({"headers": {"Host": "x"}}, "Host cannot be set"),
        ({"headers": {"X-A": "a\r\nX-B: b"}}, "not printable"),
        ({"headers": {"X A": "a"}}, "name of a header"),
        ({"auth": {"type": "digest"}}, "auth"),
        ({"auth": {"type": "bearer", "token": "hunter2"}}, "auth.bearer.token"),
        (
            {"auth": {"type": "oauth2_client_credentials", "access_token_request_data": {"client_secret": "x"}}},
            "secret",
        ),
        ({"paginator": {"type": "auto"}}, "paginator"),
        ({"paginator": {"type": "cursor", "cursor_path": "next"}}, "cursor_param"),
        ({"paginator": {"type": "cursor", "cursor_path": "next", "cursor_param": "after"}}, "JSON object around"),
        ({"paginator": {"type": "offset", "limit": 100}}, "total_path"),
        ({"paginator": {"type": "page_number"}}, "stop_after_empty_page"),
        ({"data_selector": "data[0].items"}, "names only"),
        ({"data_selector": "data..items"}, "expected a path"),
        ({"data_selector": "items", "response_format": "ndjson"}, "every line is a record"),
        ({"requests_per_second": 0}, "requests_per_second"),
        ({"retries": 3}, "retries"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        http_source("api", {}, {"path": "users", **options})
