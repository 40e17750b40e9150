"""An HTTP API as a source: one endpoint for one interval, in one reply or in pages, streamed.

GET {url}/{path}?params with the interval's dates ─► bytes ─► records ─► blocks of lines          (single_page)
… ─► page 1 ─► PageSpool ─► checked ─► blocks of lines ─► page 2 ─► … ─► checks over all pages    (any other paginator)

What protects its output: a reply that announces more than it holds is refused, in one reply as on the last page. A page
lands when it is whole, so a page that is read again after a fault lands once; what shows only over several pages (a
total that changed, records that came twice) starts the read again, and is refused when it stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx
import structlog

from deftunes_contract.entity import Entity
from deftunes_contract.errors import DataRejected, RetryableError, StageError
from deftunes_contract.http_source import OffsetPaginator, PageNumberPaginator, SinglePage
from deftunes_contract.interval import Interval
from deftunes_contract.option_types import DateRange, slices_of
from deftunes_contract.retry import Deadline, RetryPolicy
from deftunes_extract.http_client import HttpClient
from deftunes_extract.http_reply import HttpReply
from deftunes_extract.json_array import Record
from deftunes_extract.json_reply import JsonReply
from deftunes_extract.metrics import RecordMetrics
from deftunes_extract.ndjson import read_lines
from deftunes_extract.page_checks import KeyReader, PageChecks, Repeats, more_announced
from deftunes_extract.page_spool import PageSpool
from deftunes_extract.paginator import Page, first_url, next_url, total_of
from deftunes_extract.paging import claims_of_fields, claims_of_head
from deftunes_extract.source import LoadTotals, Put, SourceError

_INTACT = "nothing was delivered and the earlier delivery is intact"


class HttpApiSource:
    """One entity of an HTTP API for one interval."""

    def __init__(
        self,
        client: HttpClient,
        entity: Entity,
        interval: Interval,
        retries: RetryPolicy,
        may_be_empty: bool = False,
        scratch: Path | None = None,
    ) -> None:
        """`retries`: of each page. `may_be_empty`: accept a reply without content. `scratch`: folder of large pages."""
        self._client, self._source, self._entity = client, client.source, entity
        self._retries, self._may_be_empty, self._scratch = retries, may_be_empty, scratch
        self._advice = f"if there were none, add --allow-empty {entity.name}:{interval.month}"
        days = self._source.slice_days
        self._urls = [self._url(dates) for dates in (slices_of(interval, days) if days else [interval])]
        self.name = str(self._url(interval))

    def _url(self, dates: DateRange) -> httpx.URL:
        root, params = self._client.root, self._source.request_params(dates)
        url = root.copy_with(path=f"{root.path.rstrip('/')}/{self._source.request_path(dates)}")
        return url.copy_merge_params(params) if params else url

    def read(self, deadline: Deadline, put: Put) -> LoadTotals:
        """Put every record in blocks, one record a line. Raises SourceError or a StageError."""
        if isinstance(self._source.paginator, SinglePage) and len(self._urls) == 1:
            return self._read_single(self._urls[0], deadline, put)
        metrics, checks = RecordMetrics(self._entity), PageChecks(self._source.paginator)
        for url in self._urls:
            checks.start()
            self._read_pages(url, metrics, checks, deadline, put)
        return self._with_warning(metrics.totals)

    def _read_single(self, url: httpx.URL, deadline: Deadline, put: Put) -> LoadTotals:
        """One reply, whose records land as they come: a fault starts it again from the beginning."""
        metrics = RecordMetrics(self._entity)
        content = JsonReply(self._source.selector)
        with self._client.get(url, deadline) as reply:
            reply.check(self._may_be_empty, self._advice)
            head = partial(claims_of_head, reply.status, reply.headers.raw, self.name)
            # repeats matter where a total could hide what they stand in for
            repeats = Repeats() if head(0) or self._source.selector else None
            for records in self._records(reply, content):
                metrics.add(records)
                metrics.check_strays()
                put(b"\n".join([*records, b""]), len(records))
                if repeats:
                    repeats.add(records)
        metrics.check_strays(at_end=True)
        came, repeated = metrics.totals.records, repeats.count if repeats else 0
        if claims := head(came - repeated) + claims_of_fields(content.fields, came - repeated):
            raise DataRejected(more_announced(self.name, came, repeated, claims))
        return metrics.totals

    def _read_pages(
        self, first: httpx.URL, metrics: RecordMetrics, checks: PageChecks, deadline: Deadline, put: Put
    ) -> None:
        """The pages of the interval, or of a slice, each of which lands when it is whole."""
        paginator, keys = self._source.paginator, KeyReader(self._entity)
        url: httpx.URL | None = first_url(paginator, first)
        number = came = 0
        while url is not None:
            number += 1
            what = f"{self._entity.name}, page {number} ({url})"
            checks.before(number, url)
            read = partial(self._read_page, url, number, came, metrics, keys, deadline)
            give_up, log = partial(_give_up, what), structlog.get_logger("extract")
            page, page_metrics, spool, hashes = self._retries.call(what, read, give_up, log)
            with spool:
                checks.after(page, spool.digest, hashes)
                metrics.merge(page_metrics)
                spool.release(put)
            came = page.came
            following = next_url(paginator, page, self._client.is_same_origin)
            url = following and self._client.without_secret(following)
        checks.at_end(page)

    def _read_page(
        self, url: httpx.URL, number: int, before: int, metrics: RecordMetrics, keys: KeyReader, deadline: Deadline
    ) -> tuple[Page, RecordMetrics, PageSpool, set[int]]:
        """One attempt at a page, whole or not at all."""
        content, page_metrics, hashes = JsonReply(self._source.selector), metrics.of_page(), set[int]()
        spool = PageSpool(self._scratch)
        try:
            with self._client.get(url, deadline) as reply:
                may_be_empty = number == 1 and (self._may_be_empty or len(self._urls) > 1)  # the month is checked whole
                reply.check(may_be_empty, self._advice, was_announced=number > 1)
                for records in self._records(reply, content):
                    page_metrics.add(records)
                    page_metrics.check_strays()
                    spool.add(records)
                    hashes.update(keys.hashes(records))
                page_metrics.check_strays(at_end=True)
                if reply.status == 206:
                    raise SourceError(f"{self.name}: expected a whole page, found status 206", DataRejected)
                page = Page(
                    number=number,
                    url=url,
                    headers=reply.headers,
                    fields=content.fields,
                    records=spool.records,
                    came=before + spool.records,
                )
                total = None if reply.is_empty else total_of(self._source.paginator, page)
                return replace(page, total=total), page_metrics, spool, hashes
        except BaseException:
            spool.__exit__(None, None, None)
            raise

    def _records(self, reply: HttpReply, content: JsonReply) -> Iterator[list[Record]]:
        if reply.is_empty:
            return iter(())
        return (
            read_lines(reply.content())
            if self._source.response_format == "ndjson"
            else content.records(reply.content())
        )

    def _with_warning(self, totals: LoadTotals) -> LoadTotals:
        """Totals that name an end which only an empty page marks."""
        paginator = self._source.paginator
        if not isinstance(paginator, OffsetPaginator | PageNumberPaginator) or not paginator.stop_after_empty_page:
            return totals
        warning = "the API gives no total: the first empty page was taken for the end (stop_after_empty_page)"
        return replace(totals, warnings=(*totals.warnings, warning))


def _give_up(page: str, error: SourceError, reason: str) -> StageError:
    """How the stage ends when a page cannot be read."""
    first = "" if error.error_class is RetryableError else "have the source corrected, then "
    return error.error_class(f"{page}: {error} ({reason}); {_INTACT}. {first}run the same command again")
