"""How a page's request follows from the page before, for each kind of paging that a contract may name.

options ─► first_url ─► Page ─► next_url ─► … ─► None: that was the last one

Nothing is guessed: a value that is not what the kind of paging needs is refused, and so is a URL of another origin.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from deftunes_contract.errors import DataRejected
from deftunes_contract.http_source import (
    CursorPaginator,
    HeaderLinkPaginator,
    JsonLinkPaginator,
    OffsetPaginator,
    PageNumberPaginator,
    PaginatorOptions,
    SinglePage,
)
from deftunes_contract.option_types import json_path
from deftunes_extract.json_reply import value_at
from deftunes_extract.link_header import next_link
from deftunes_extract.source import SourceError


@dataclass(frozen=True)
class Page:
    """A page that has been read: its place from 1, its URL, its records, and all records so far with its own."""

    number: int
    url: httpx.URL
    headers: httpx.Headers
    fields: dict[str, Any]
    records: int
    came: int
    total: int | None = None
    """All records, where the API says so."""

    def __str__(self) -> str:
        return f"page {self.number} ({self.url})"

    def at(self, path: str | None) -> Any:
        """The value of a field."""
        return value_at(self.fields, json_path(path)) if path else None


def first_url(paginator: PaginatorOptions, url: httpx.URL) -> httpx.URL:
    """The URL of the first page."""
    match paginator:
        case OffsetPaginator():
            return _offset_url(paginator, url, paginator.offset)
        case PageNumberPaginator():
            return url.copy_set_param(paginator.page_param, str(paginator.base_page))
    return url


def next_url(paginator: PaginatorOptions, page: Page, is_same_origin: Callable[[httpx.URL], bool]) -> httpx.URL | None:
    """The URL of the page after this one, None after the last. Raises DataRejected or SourceError."""
    match paginator:
        case SinglePage():
            return None
        case HeaderLinkPaginator():
            links = page.headers.get_list("link")
            try:
                target = next_link(links, str(page.url), paginator.links_next_key)
            except ValueError:
                raise _wrong(page, "a Link header (RFC 8288)", links) from None
            return _joined(page, target, is_same_origin)
        case JsonLinkPaginator():
            target = page.at(paginator.next_url_path)
            if target is not None and not isinstance(target, str):
                raise _wrong(page, f"a URL at {paginator.next_url_path}", target)
            return _joined(page, target, is_same_origin)
        case CursorPaginator():
            cursor = page.at(paginator.cursor_path)
            if cursor is None or cursor == "" or cursor is False:
                return None
            if isinstance(cursor, bool) or not isinstance(cursor, str | int):
                raise _wrong(page, f"a cursor at {paginator.cursor_path}", cursor)
            return page.url.copy_set_param(paginator.cursor_param, str(cursor))
        case OffsetPaginator():
            return _offset_url(paginator, page.url, paginator.offset + page.came) if _goes_on(paginator, page) else None
        case PageNumberPaginator():
            following = str(paginator.base_page + page.number)
            return page.url.copy_set_param(paginator.page_param, following) if _goes_on(paginator, page) else None


def _goes_on(paginator: OffsetPaginator | PageNumberPaginator, page: Page) -> bool:
    """Whether a counted page is not the last one."""
    if isinstance(paginator, PageNumberPaginator) and paginator.total_path:
        pages = count_at(page, paginator.total_path)
        if page.number < pages and not page.records:
            raise SourceError(f"{page}: expected records, found none, and {pages:,} pages are announced", DataRejected)
        return page.number < pages
    if page.total is not None:
        return page.came < page.total and page.records > 0
    if paginator.has_more_path:
        more = page.at(paginator.has_more_path)
        if not isinstance(more, bool):
            raise _wrong(page, f"true or false at {paginator.has_more_path}", more)
        if more and not page.records:
            raise SourceError(f"{page}: expected records, found none, and more are announced", DataRejected)
        return more
    return page.records > 0


def count_at(page: Page, path: str) -> int:
    """A number of records or pages. Raises DataRejected when there is none."""
    found = page.at(path)
    if isinstance(found, bool) or not isinstance(found, int) or found < 0:
        raise _wrong(page, f"a number at {path}", found)
    return int(found)


def total_of(paginator: PaginatorOptions, page: Page) -> int | None:
    """How many records all pages hold, as this page says; None when the paginator names no place for it."""
    if isinstance(paginator, SinglePage):
        return None
    skipped = paginator.offset if isinstance(paginator, OffsetPaginator) else 0
    path = paginator.total_records_path
    if path is None and isinstance(paginator, OffsetPaginator):
        path = paginator.total_path
    if path:
        return max(0, count_at(page, path) - skipped)
    if header := paginator.total_records_header:
        found = page.headers.get(header, "").strip()
        if not (found.isascii() and found.isdecimal()):
            raise _wrong(page, f"a number in header {header}", found or None)
        return max(0, int(found) - skipped)
    return None


def _offset_url(paginator: OffsetPaginator, url: httpx.URL, offset: int) -> httpx.URL:
    url = url.copy_set_param(paginator.offset_param, str(offset))
    return url.copy_set_param(paginator.limit_param, str(paginator.limit)) if paginator.limit_param else url


def _joined(page: Page, target: str | None, is_same_origin: Callable[[httpx.URL], bool]) -> httpx.URL | None:
    if not target:
        return None
    try:
        url = page.url.join(target)
    except (httpx.InvalidURL, ValueError):
        raise _wrong(page, "the next page's URL", target) from None
    if not is_same_origin(url):
        raise DataRejected(
            f"{page}: expected the next page on the same scheme, host and port, found {target[:200]!r}; records and "
            "secrets are not sent elsewhere. Correct the server's URL, or have the API name its pages by that URL; "
            "nothing was delivered and the earlier delivery is intact"
        )
    return url


def _wrong(page: Page, expected: str, found: object) -> DataRejected:
    return DataRejected(
        f"{page}: expected {expected}, found {str(found)[:200] if found is not None else 'none'}; correct the "
        "paginator of the contract or the API; nothing was delivered and the earlier delivery is intact"
    )
