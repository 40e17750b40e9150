"""Whatever in a reply says that there is more than what came is refused, with what says so and with both figures."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from deftunes_extract.paging import claims_of_fields, claims_of_head, words_of

ASKED = "http://shop.example/api/users?start_date=2020-01-01&end_date=2020-01-31"
NEXT = "<http://shop.example/api/users?page=2>"


def claims(*headers: tuple[str, str], status: int = 200, came: int = 20) -> list[str]:
    return claims_of_head(status, [(name.encode(), value.encode()) for name, value in headers], ASKED, came)


LINKS_TO_MORE = [
    f'{NEXT}; rel="next"',
    f"{NEXT}; rel=next",
    f"{NEXT};rel='next'",
    f'{NEXT}; REL = "NEXT"',
    f'{NEXT}; rel="prev next"',
    f'{NEXT}; title="a, b; rel=\\"last\\""; rel="next"',
    f'<http://shop.example/a,b;c?x=1>; rel="self", {NEXT}; rel="next"; type="application/json"',
    f'{NEXT}; rel="https://www.iana.org/assignments/relation/next"',
    f'{NEXT}; rel="next"; anchor="#top"',
    f'{NEXT}; rel="next", <{ASKED}>; rel="last"',
    '</users?page=1>; rel="prev"',
    '</users?page=1>; rel="first", </users?page=3>; rel="last"',
    '</users?page=3>; rel="last"',
    '</users?cursor=abc>; rel="last"',
    "http://shop.example/users?page=2; rel=next",
    "<http://[bad>; rel=next",
    '</users?page=2>; rel="next"; anchor="http://[bad"',
]
LINKS_TO_NO_MORE = [
    f'<{ASKED}>; rel="self"',
    '</users?page=1>; rel="first", </users?page=1>; rel="last"',
    '</users?page=1&per_page=100>; rel="last"',
    f'<{ASKED}>; rel="last"',
    '</style.css>; rel=preload; as=style; title="the next, rel=next"',
    '<https://schema.example/next>; rel="describedby"',
    '</other?page=2>; rel="next"; anchor="/other"',
    '<https://shop.example/terms>; rel="license"; rel="next"',
    '<http://[bad>; rel="last"',
    "",
]


@pytest.mark.parametrize("link", LINKS_TO_MORE)
def test_a_link_to_another_page_is_a_claim(link: str) -> None:
    assert claims(("Link", link)) == [f"Link: {link}"]
    assert claims(("link", '</terms>; rel="license"'), ("LINK", link)) == [f"LINK: {link}"]


@pytest.mark.parametrize("link", LINKS_TO_NO_MORE)
def test_a_link_elsewhere_is_none(link: str) -> None:
    assert claims(("Link", link)) == []


def each(value: str, names: str) -> list[tuple[str, str]]:
    return [(name, value) for name in names.split()]


MORE = [
    # totals of records, as public APIs and frameworks send them
    *each(
        "60",
        """X-Total-Count X-Total Total-Count X-WP-Total X-TotalCount x-totalcount Total-Records Total-Results
        X-Total-Results X-Total-Records X-Total-Items X-Total-Elements X-Total-Users X-Total-Entries
        X-Pagination-Total X-Pagination-Total-Count X-Pagination-Item-Count X-Pagination-TotalItems
        X-Result-Count X-Results-Count X-Record-Count X-Row-Count X-Count X-Item-Count X-Items-Total
        X-List-Total X-Collection-Total X-Hits X-Records X-Total-Hits X-Search-Total
        X-Acme-Total-Count X-Users-Total X-Users-Count x_total_count X-Total-Tasks X-Result-Set-Size
        X-Matched""",
    ),
    ("X-Total-Count", "1,234"),
    ("X-Total-Count", "60.0"),
    ("X-Total-Count", '"60"'),
    ("X-Total-Count", "10000+"),
    # pages
    *each("3", "X-Page-Count X-Total-Pages X-WP-TotalPages X-Pages X-Pagination-Page-Count"),
    *each("3", "X-Pagination-Pages x-wp-totalpages X-Last-Page X-Pagination-Last-Page Total-Pages"),
    ("X-Page", "1/3"),
    ("X-Page", "1 of 3"),
    ("X-Page", "2"),
    ("X-Current-Page", "2"),
    ("X-Prev-Page", "1"),
    ("X-Offset", "20"),
    # what comes next
    *each("2", "X-Next-Page Next-Page X-Pagination-Next-Page X-NextPage X-Next X-Next-Offset"),
    *each("eyJpZCI6MjB9", "X-Next-Cursor X-Next-Token X-Next-Page-Token Next-Cursor x-nextcursor"),
    *each("abc", "X-Continuation X-Continuation-Token x-ms-continuation X-MS-ContinuationToken"),
    *each("abc", "x-ms-continuation-NextPartitionKey X-Cursor X-Cursor-Next X-Pagination-Cursor"),
    ("X-Next-Link", "https://shop.example/users?page=2"),
    ("X-Pagination-Next", "/users?page=2"),
    *each("true", "X-Has-More Has-More X-HasMore X-More X-More-Results X-More-Available"),
    *each("true", "X-Has-Next-Page X-Has-Next X-Pagination-Has-More X-Truncated X-Is-Truncated"),
    ("X-Records", "20 of 60"),
    ("X-Items", "20/60"),
    ("X-Full-Count", "60"),
    ("x-fullcount", "60"),
    ("X-Records-Available", "60"),
    ("Next-Range", "]20..; max=20"),
    ("X-Batch-Count", "3"),
    ("X-Chunk", "1/3"),
    ("X-Additional-Pages", "1"),
    ("X-Truncated", "40 rows"),
    ("X-Has-More", "1"),
    ("X-Has-More", "True"),
    ("X-More", "/users?page=2"),
    ("X-Incomplete-Results", "true"),
    ("X-Complete", "false"),
    ("X-Result-Not-Complete", "true"),
    ("X-Is-Last-Page", "false"),
    ("X-Records-Remaining", "40"),
    ("X-Pagination-Remaining", "40"),
    # several figures in one value
    ("X-Pagination", '{"total":60,"page":1}'),
    ("X-Pagination", '{"TotalCount":60,"PageSize":20,"CurrentPage":1,"TotalPages":3,"HasNext":true}'),
    ("Pagination", '{"next": "/users?page=2"}'),
    ("X-Paging", '{"cursors": {"next": {"href": "/users?page=2"}}}'),
    ("X-Pagination", "page=1; per_page=20; total=60"),
    ("X-Page-Info", "page=1,pages=3"),
    ("Content-Range", "items 0-19/60"),
    ("Content-Range", "0-19/60"),
    ("Content-Range", "users 20-39/40"),
    ("Content-Range", "items */60"),
]
NO_MORE = [
    *each("20", "X-Total-Count X-Total X-Pagination-Total-Count X-Result-Count X-Pagination-Count"),
    *each("1", "X-Page-Count X-Total-Pages X-WP-TotalPages X-Page X-Current-Page X-Last-Page"),
    *each("", "X-Next-Page X-Next-Cursor X-Prev-Page X-Continuation-Token X-Pagination-Next"),
    *each("null", "X-Next-Page X-Next-Cursor X-Total-Count X-Page-Count"),
    *each("false", "X-Has-More X-Has-Next-Page X-Truncated X-More X-Incomplete-Results"),
    *each("unknown", "X-Total-Count X-Total-Pages X-Page"),
    *each("*", "X-Total-Count X-Total X-Result-Count"),
    *each("100", "X-Per-Page X-Page-Size X-Limit X-Pagination-Limit X-Max-Results X-Pagination-Per-Page"),
    ("X-Is-Last-Page", "true"),
    ("X-Complete", "true"),
    ("X-Offset", "0"),
    ("X-Records-Remaining", "0"),
    ("X-Records", "20 of 20"),
    ("X-Chunk", "1/1"),
    ("X-Shopify-Shop-Api-Call-Limit", "1/40"),
    ("X-Additional-Pages", "0"),
    ("X-Pagination", '{"total":20,"next":null,"total_pages":1,"has_more":false,"limit":100}'),
    ("X-Pagination", "{broken"),
    ("X-Pagination", "page=1; per_page=100; total=20; next="),
    ("Content-Range", "items 0-19/20"),
    ("Content-Range", "0-19/*"),
    ("Content-Range", "bytes 0-1023/1024"),
    ("Accept-Ranges", "items"),
    # figures about something else
    *each("5000", """X-RateLimit-Limit X-RateLimit-Remaining X-RateLimit-Reset X-Rate-Limit-Limit RateLimit-Remaining
        X-Rate-Limit-Remaining RateLimit-Limit X-RateLimit-Total X-RateLimit-Next-Reset Retry-After
        X-Quota-Remaining X-Quota-Total X-Request-Count X-Requests-Remaining X-Total-Requests
        X-Total-Time X-Response-Time X-Runtime X-Retry-Count X-Cache-Hits Age Content-Length
        X-Uncompressed-Content-Length X-Total-Bytes X-Query-Count X-SQL-Query-Count X-Error-Count
        X-Discount X-Account X-Timezone-Offset X-Api-Calls-Remaining X-Page-Views X-Page-Id
        X-Total-Amount X-Total-Cost X-Active-Sessions X-Remaining X-Request-Id X-Session"""),
    ("RateLimit", "limit=100, remaining=50, reset=5"),
    ("RateLimit-Policy", "100;w=60"),
    ("X-Nextjs-Cache", "HIT"),
    ("X-Nextjs-Matched-Path", "/users"),
    ("X-Next-Cache-Tags", "users"),
    ("X-Learn-More", "https://shop.example/docs"),
    ("X-More-Info", "https://shop.example/docs"),
    ("Keep-Alive", "timeout=5, max=1000"),
    ("Last-Modified", "Sat, 01 Feb 2020 00:00:00 GMT"),
    ("Access-Control-Expose-Headers", "X-Total-Count, X-Next-Page, Link"),
    ("Vary", "X-Total-Count"),
    ("Server-Timing", "total;dur=123.4"),
    ("Set-Cookie", "next=60; path=/"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), MORE)
def test_a_header_that_says_there_is_more_is_a_claim(name: str, value: str) -> None:
    assert claims((name, value)) == [f"{name}: {value}"]
    assert claims((name.lower(), value)) == [f"{name.lower()}: {value}"]


@pytest.mark.parametrize(("name", "value"), NO_MORE)
def test_other_headers_are_none(name: str, value: str) -> None:
    assert claims((name, value)) == []
    assert claims((name.lower(), value)) == []


def test_a_part_of_the_whole_is_a_claim_and_all_claims_are_named() -> None:
    found = claims(("Content-Range", "items 0-19/60"), ("X-Total-Count", "60"), status=206)
    assert found == ["status 206 Partial Content", "Content-Range: items 0-19/60", "X-Total-Count: 60"]
    assert len(claims(*(("X-Total-Count", "60"),) * 20)) == 6
    assert len(claims(("X-Next-Cursor", "x" * 5000))[0]) < 250


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("X-WP-TotalPages", ("x", "wp", "total", "pages")),
        ("x-wp-totalpages", ("x", "wp", "total", "pages")),
        ("XTotalCount", ("x", "total", "count")),
        ("x-ms-continuation-nextpartitionkey", ("x", "ms", "continuation", "next", "partition", "key")),
        ("hasNextPage", ("has", "next", "page")),
        ("X-Nextjs-Cache", ("x", "nextjs", "cache")),
        ("X-Discount", ("x", "discount")),
    ],
)
def test_a_name_is_taken_apart_into_its_words(name: str, words: tuple[str, ...]) -> None:
    assert words_of(name) == words


ENVELOPES = [
    ({"data": [1, 2], "next": "/users?page=2", "total": 60}, ["next: /users?page=2", "total: 60"]),
    ({"count": 60, "next": "/u", "previous": None, "results": [1]}, ["count: 60", "next: /u"]),
    ({"content": [1], "totalElements": 60, "last": False}, ["totalElements: 60", "last: false"]),
    ({"content": [1], "totalPages": 3}, ["totalPages: 3"]),
    ({"items": [1], "nextPageToken": "abc"}, ["nextPageToken: abc"]),
    ({"value": [1], "@odata.nextLink": "https://x"}, ["@odata.nextLink: https://x"]),
    ({"data": [1], "links": {"next": {"href": "/u"}}}, ["href: /u"]),
    ({"data": [1], "links": [{"rel": "next", "href": "/u"}]}, ['links: {"rel": "next", "href": "/u"}']),
    ({"data": [1], "meta": {"pagination": {"total_pages": 3}}}, ["total_pages: 3"]),
    ({"data": [1], "has_more": True}, ["has_more: true"]),
    ({"data": [1, 2], "total": 2, "next": None, "has_more": False}, []),
    ({"detail": "maintenance"}, []),
]  # fmt: skip


@pytest.mark.parametrize(("envelope", "expected"), ENVELOPES)
def test_the_fields_of_an_envelope_say_it_too(envelope: dict[str, Any], expected: list[str]) -> None:
    assert claims_of_fields(envelope) == expected


def test_hostile_names_and_values_cost_no_time() -> None:
    began = time.monotonic()
    for value in ("<" * 90_000, "rel=" * 20_000, "<a>;" * 20_000, "1 " * 40_000 + "x", "{" * 90_000, "a=1;" * 20_000):
        for name in ("Link", "X-Total-Count", "X-Pagination", "Content-Range", "resultset" * 5000 + "q"):
            claims((name, value))
    assert time.monotonic() - began < 5


def test_the_first_of_three_pages_is_refused_with_both_metrics(api: Any, extract: Any, lake: Any, make: Any) -> None:
    headers = {"Link": f'{NEXT}; rel="next"', "X-Total-Count": "60"}
    api.say(api.records([make.user(n) for n in range(1, 21)], headers=headers))
    outcome = extract("users", DEFTUNES_API_URL=api.url)
    assert (outcome.code, len(api.asked)) == (65, 1)
    for words in ("found 20 and more", "X-Total-Count: 60", 'rel="next"', "earlier delivery is intact"):
        assert words in outcome.said
    assert lake.content() == {}


def test_a_reply_that_announces_no_more_than_came_is_landed(api: Any, extract: Any, lake: Any, make: Any) -> None:
    headers = {"X-Total-Count": "20", "X-Page-Count": "1", "X-Next-Page": "", "X-RateLimit-Remaining": "4999"}
    api.say(api.records([make.user(n) for n in range(1, 21)], headers=headers | {"Content-Range": "items 0-19/20"}))
    assert extract("users", DEFTUNES_API_URL=api.url).code == 0
    assert lake.receipt("users").records == 20


def test_an_empty_page_of_a_longer_list_is_no_empty_month(api: Any, extract: Any, lake: Any) -> None:
    api.say(api.records([], headers={"X-Total-Count": "60"}))
    outcome = extract("users", "--allow-empty", "users", DEFTUNES_API_URL=api.url)
    assert outcome.code == 65
    assert "found 0 and more" in outcome.said
    assert lake.content() == {}


def test_a_partial_reply_is_refused_with_both_metrics(api: Any, extract: Any, make: Any) -> None:
    api.say(api.records([make.user(1)], status=206, headers={"Content-Range": "items 0-0/7"}))
    outcome = extract("users", DEFTUNES_API_URL=api.url)
    assert outcome.code == 65
    assert "found 1 and more" in outcome.said
    assert "items 0-0/7" in outcome.said


@pytest.mark.parametrize("piece", [7, 1 << 20])
def test_an_envelope_is_refused_and_its_fields_are_named(api: Any, extract: Any, make: Any, piece: int) -> None:
    page = {"data": [make.user(n) for n in range(30)], "paging": {"next": "/users?page=2", "total": 60}}
    body = json.dumps(page).encode()
    pieces = [body[start : start + piece] for start in range(0, len(body), piece)]

    def drop_by_drop(handler: Any) -> None:
        for one in pieces:
            handler.wfile.write(one)

    api.say(api.body(b"", promised=len(body), then=drop_by_drop))
    outcome = extract("users", DEFTUNES_API_URL=api.url, DEFTUNES_EXTRACT_ATTEMPTS=1)
    assert outcome.code == 65
    assert "expected a JSON array" in outcome.said
    assert "next: /users?page=2; total: 60" in outcome.said


def test_a_page_that_comes_twice_does_not_make_up_for_one_that_is_missing(
    api: Any, extract: Any, lake: Any, make: Any
) -> None:
    users = [make.user(n) for n in range(1, 31)]
    api.say(api.records([*users[:20], *users[10:20]], headers={"X-Total-Count": "30"}))
    outcome = extract("users", DEFTUNES_API_URL=api.url)
    assert outcome.code == 65
    assert "found 30 (10 of them for the second time) and more announced by X-Total-Count: 30" in outcome.said
    assert lake.content() == {}


def test_one_record_that_comes_twice_is_left_to_the_quarantine(api: Any, extract: Any, lake: Any, make: Any) -> None:
    users = [make.user(n) for n in range(1, 31)]
    doubled = [one for user in users for one in (user, user)]
    api.say(api.records(doubled, headers={"X-Total-Count": "60"}))
    assert extract("users", DEFTUNES_API_URL=api.url).code == 0
    assert lake.receipt("users").records == 60
